// Loads and stores: every one is checked, and takes the cheapest form that its index allows.
//
// A uniform index is one scalar access, consecutive ones are one vector access, others are gathered
// and scattered. The check comes first and leaves the kernel when an active lane is out of bounds.
#include <algorithm>
#include <functional>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

std::string suffix(Elem e) {
  return concat("v", kLanes, e == Elem::F32 ? "f32" : concat("i", bits(e)));
}

// So many accesses share the block that reports their faults. LLVM's time for a block grows with
// the square of the ways that lead to it.
constexpr size_t kFaultsTogether = 32;

}  // namespace

Elem storage_elem(DType t) { return t == DType::F32 ? Elem::F32 : int_elem(info(t).bits); }

// ---- memories -----------------------------------------------------------------------------------

ScratchLayout lay_out_scratch(const Module& m) {
  ScratchLayout layout{std::vector<uint32_t>(m.values.size()),
                       std::vector<uint32_t>(m.values.size()), 0, 0};
  uint32_t number = 0;
  for (const Instruction& inst : m.insts) {
    if (inst.op != Op::ThreadgroupAlloc) continue;
    ValueId v = inst.results[0];
    layout.allocs[v.index] = layout.end;
    layout.numbers[v.index] = number++;
    auto bytes = static_cast<uint32_t>(inst.attr) * byte_size(m.type(v).dtype);
    layout.end += (bytes + 63) / 64 * 64;
  }
  layout.agree = layout.end;
  layout.end += 64;
  return layout;
}

V Body::memory_pointer(ValueId memory) {
  if (auto at = tile_at_.find(memory.index); at != tile_at_.end()) return at->second;
  std::string name;
  if (m_.def(memory)) {
    name = concat("%shared", scratch_.numbers[memory.index]);
    if (entry_names_.insert(name).second) {
      entry_.line(name, " = getelementptr i8, ptr %scratch, i64 ", scratch_.allocs[memory.index]);
    }
  } else {
    uint32_t param = m_.values[memory.index].index;
    name = concat("%buffer", param);
    if (entry_names_.insert(name).second) {
      entry_.line(name, " = inttoptr i64 ", word(cpu_abi::param_word(param)).text, " to ptr");
    }
  }
  return {&e_, name, Elem::Ptr, 1};
}

V Body::memory_size(ValueId memory) {
  if (const Instruction* alloc = m_.def(memory)) return e_.i64(static_cast<int64_t>(alloc->attr));
  return word(cpu_abi::param_word(m_.values[memory.index].index) + 1);
}

// The first index that is out of bounds or that the index type cannot hold; or, where an access
// goes further than its index, the first index from which it does not fit.
V Body::memory_limit(ValueId memory, DType index, int64_t further) {
  int width = info(index).bits - (is_signed(index) ? 1 : 0);
  uint64_t most = width >= 63 ? INT64_MAX : uint64_t{1} << width;
  if (const Instruction* alloc = m_.def(memory)) {
    uint64_t limit = std::min(alloc->attr, most);
    limit -= std::min(limit, static_cast<uint64_t>(further));
    return e_.i64(static_cast<int64_t>(limit));
  }
  std::string size = memory_size(memory).text, name = concat(size, ".below", width);
  if (entry_names_.insert(name).second) {
    entry_.line(name, " = call i64 @llvm.umin.i64(i64 ", size, ", i64 ", most, ")");
  }
  if (further > 0) {
    std::string run = concat(name, ".run", further);
    if (entry_names_.insert(run).second) {
      entry_.line(run, " = call i64 @llvm.usub.sat.i64(i64 ", name, ", i64 ", further, ")");
    }
    name = run;
  }
  return {&e_, name, Elem::I64, 1};
}

// The same in 32 bits, for indices that have no more.
V Body::memory_limit_32(ValueId memory, DType index) {
  V limit = memory_limit(memory, index, 0);
  if (m_.def(memory)) return {&e_, limit.text, Elem::I32, 1};
  std::string name = limit.text + ".i32";
  if (entry_names_.insert(name).second) {
    entry_.line(name, ".most = call i64 @llvm.umin.i64(i64 ", limit.text, ", i64 4294967295)");
    entry_.line(name, " = trunc i64 ", name, ".most to i32");
  }
  return {&e_, name, Elem::I32, 1};
}

V Body::buffer(int k) { return stack_memory(concat("%lanes", k)); }

V Body::stack_memory(const std::string& name, int bytes) {
  if (entry_names_.insert(name).second) {
    entry_.line(name, " = alloca [", bytes, " x i8], align 64");
  }
  return {&e_, name, Elem::Ptr, 1};
}

V Body::extend_index(const V& index, DType dtype) {
  if (index.elem == Elem::I64) return index;
  return e_.convert(is_signed(dtype) ? "sext" : "zext", index, Elem::I64);
}

// Leaves the kernel unless `ok`. What the lanes asked for, which `ask` adds, goes to a block that
// reports it for many accesses (report_faults), and finds the lane that is to blame.
void Body::guard(const V& ok, ValueId memory, InstId at,
                 const std::function<void(FaultSite& site)>& ask) {
  std::string fault = e_.new_label("fault"), go_on = e_.new_label("inside");
  e_.stmt(concat("br i1 ", ok.text, ", label %", go_on, ", label %", fault, ", !prof !0"));
  e_.begin_block(fault);
  uint64_t param = m_.def(memory) ? cpu_abi::kThreadgroupMemory + scratch_.numbers[memory.index]
                                  : m_.values[memory.index].index;
  uint64_t where = uint64_t{locations_[at]} << 32 | param << 16;
  FaultSite site{fault, where, "0", 0, memory_size(memory).text, "-1", simd_.text};
  ask(site);
  jump(fault_block());
  faults_.push_back(std::move(site));
  if (faults_.size() == kFaultsTogether) report_faults();
  e_.begin_block(go_on);
}

void Body::guard(const V& ok, ValueId memory, ValueId index, const Mask& mask, InstId at) {
  guard(ok, memory, at, [&](FaultSite& site) {
    DType type = m_.type(index).dtype;
    uint64_t unused_bits = 64 - static_cast<uint64_t>(info(type).bits);
    site.where |= unused_bits << 8 | (is_signed(type) ? 1 : 0);
    site.stride = form(index).stride;
    if (!mask.all()) site.mask = mask.bits.text;
    if (form(index).kind == LaneForm::Vector) {
      V wide = extend_index(raw(index), type);
      e_.stmt(concat("store ", wide.typed(), ", ", buffer(0).typed(), ", align 64"));
      site.where |= 2;
    } else {
      site.base = extend_index(raw(index), type).text;
    }
  });
}

std::string Body::fault_block() const { return concat("out_of_bounds.", reports_); }

// The block for the accesses since the last one.
void Body::report_faults() {
  e_.begin_block(fault_block());
  ++reports_;
  const std::vector<FaultSite> sites = std::exchange(faults_, {});
  auto phi = [&](Elem elem, auto value) {
    Text t;
    t.add("phi ", llvm_type(elem, 1));
    for (const FaultSite& f : sites) {
      t.add(&f == &sites[0] ? " [ " : ", [ ", value(f), ", %", f.block, " ]");
    }
    return e_.emit(elem, 1, t.str());
  };
  V where = phi(Elem::I64, [](const FaultSite& f) { return concat(f.where); });
  V base = phi(Elem::I64, [](const FaultSite& f) { return f.base; });
  V stride = phi(Elem::I64, [](const FaultSite& f) { return concat(f.stride); });
  V size = phi(Elem::I64, [](const FaultSite& f) { return f.size; });
  V mask = phi(Elem::I32, [](const FaultSite& f) { return f.mask; });
  V simd = phi(Elem::I32, [](const FaultSite& f) { return f.simd; });
  if (std::any_of(sites.begin(), sites.end(), [](auto& f) { return f.groups != 0; })) {
    V distance = phi(Elem::I64, [](const FaultSite& f) { return concat(f.distance); });
    V groups = phi(Elem::I64, [](const FaultSite& f) { return concat(f.groups); });
    // The first whose last lane is outside.
    V end = base + stride * e_.i64(kLanes - 1);
    V first_is_inside = e_.cmp("ult", base, size) & e_.cmp("ult", end, size);
    V fit = divide(false, size - 1 - end, e_.intrinsic("umax", {distance, e_.i64(1)}));
    V group = e_.intrinsic("umin", {e_.select(first_is_inside, fit + 1, e_.i64(0)), groups});
    base = base + group * distance;
    simd = simd + e_.convert("trunc", group, Elem::I32);
  }
  call_fault(cpu_abi::FaultKind::OutOfBounds, where, base, stride, size, mask, simd);
}

// Leaves the kernel where the scalar condition does not hold; the fault is that of an instruction,
// not of a lane.
void Body::fault_unless(const V& ok, cpu_abi::FaultKind kind, InstId at) {
  std::string fault = e_.new_label("fault"), go_on = e_.new_label("agreed");
  e_.stmt(concat("br i1 ", ok.text, ", label %", go_on, ", label %", fault, ", !prof !0"));
  e_.begin_block(fault);
  V zero = e_.i64(0);
  call_fault(kind, e_.i64(static_cast<int64_t>(uint64_t{locations_[at]} << 32)), zero, zero, zero,
             e_.i32(1), e_.i32(0));
  e_.begin_block(go_on);
}

void Body::call_fault(cpu_abi::FaultKind kind, const V& where, const V& base, const V& stride,
                      const V& size, const V& mask, const V& simd) {
  bool lists = entry_names_.count("%lanes0") != 0;
  e_.stmt(concat(
      "call void @", symbol_, ".fault(i64 ", word(cpu_abi::kFault).text, ", i32 ",
      static_cast<uint32_t>(kind), ", ", where.typed(), ", ptr ", lists ? "%lanes0" : "null", ", ",
      base.typed(), ", ", stride.typed(), ", ", size.typed(), ", ", mask.typed(), ", ",
      simd.typed(), ", ", group_origin(0).typed(), ", ", group_origin(1).typed(), ", ",
      group_origin(2).typed(), ", ", group_size(0).typed(), ", ", group_size(1).typed(), ")"));
  jump("failed");
}

// ---- places -------------------------------------------------------------------------------------

Body::Place Body::place(ValueId memory, ValueId index, const Mask& mask, InstId at) {
  LaneForm f = form(index);
  if (f.kind == LaneForm::Uniform) return place_one(memory, index, mask, at);
  bool run = f.kind == LaneForm::Linear && (f.stride == 1 || (f.stride == -1 && mask.all()));
  // Between two lanes that are in bounds, u8 and u16 may wrap: memory can hold all their values.
  DType type = m_.type(index).dtype;
  if (is_unsigned(type) && info(type).bits < 32) run = false;
  return run ? place_run(memory, index, mask, at) : place_each(memory, index, mask, at);
}

// An index that was in bounds stays so, in this region and in those inside of it, as their lanes
// are some of these.
bool Body::first_use(ValueId memory, ValueId index) {
  uint32_t& last = last_check_[index.index];
  for (size_t k = last; k > hidden_checks_; k = checks_[k - 1].before) {
    if (checks_[k - 1].memory == memory && checks_[k - 1].group == one_) return false;
  }
  checks_.push_back({memory, index, one_, last});
  last = static_cast<uint32_t>(checks_.size());
  return true;
}

void Body::forget_checks(size_t since) {
  for (; checks_.size() > since; checks_.pop_back()) {
    last_check_[checks_.back().index.index] = checks_.back().before;
  }
}

V Body::element(const V& base, DType dtype, const V& index) {
  if (index.text == "0") return base;
  return e_.emit(Elem::Ptr, index.lanes,
                 concat("getelementptr ", llvm_type(storage_elem(dtype), 1), ", ", base.typed(),
                        ", ", index.typed()));
}

Body::Place Body::place_one(ValueId memory, ValueId index, const Mask& mask, InstId at) {
  V i = extend_index(raw(index), m_.type(index).dtype);
  const Instruction* alloc = m_.def(memory);
  std::optional<int64_t> number = known_integer(m_, index);
  bool inside = alloc && number && static_cast<uint64_t>(*number) < alloc->attr;
  if (!inside && first_use(memory, index)) {
    guard(e_.cmp("ult", i, memory_size(memory)), memory, index, mask, at);
  }
  return {Place::One, element(memory_pointer(memory), m_.type(memory).dtype, i)};
}

Body::Place Body::place_run(ValueId memory, ValueId index, const Mask& mask, InstId at) {
  DType type = m_.type(index).dtype;
  V base = raw(index), start;
  bool reversed = form(index).stride < 0, check = first_use(memory, index);
  if (mask.all()) {
    start = extend_index(base, type);
    if (reversed) start = start - (kLanes - 1);
    if (check) {
      guard(e_.cmp("ult", start, memory_limit(memory, type, kLanes - 1)), memory, index, mask, at);
    }
  } else {
    // Counted from the first active lane: below it the index may have wrapped, between it and the
    // last one it cannot, as it stays in bounds.
    V first = mask.first, offset = first;
    if (bits(base.elem) < 32) offset = e_.convert("trunc", first, base.elem);
    if (bits(base.elem) > 32) offset = e_.convert("zext", first, base.elem);
    V low = extend_index(base + offset, type);
    start = low - e_.convert("zext", first, Elem::I64);
    if (check) {
      V high = low + e_.convert("zext", mask.last - first, Elem::I64);
      V limit = memory_limit(memory, type, 0);
      guard(e_.cmp("ult", low, limit) & e_.cmp("ult", high, limit), memory, index, mask, at);
    }
  }
  return {reversed ? Place::Reversed : Place::Run,
          element(memory_pointer(memory), m_.type(memory).dtype, start)};
}

Body::Place Body::place_each(ValueId memory, ValueId index, const Mask& mask, InstId at) {
  DType type = m_.type(index).dtype;
  V i = lanes(index);
  if (bits(i.elem) < 32) {
    i = e_.convert(is_signed(type) ? "sext" : "zext", i, Elem::I32);
  }
  if (first_use(memory, index)) {
    V limit = i.elem == Elem::I32 ? memory_limit_32(memory, type) : memory_limit(memory, type, 0);
    V outside = e_.cmp("uge", i, limit);
    if (!mask.all()) outside = mask.v & outside;
    guard(e_.any(outside) ^ e_.boolean(true), memory, index, mask, at);
  }
  // Lanes that are not active go where the first active one goes: then nothing needs a mask.
  if (!mask.all()) i = e_.select(mask.v, i, lane_of(i, mask.first));
  V base = memory_pointer(memory);
  if (i.elem == Elem::I32 && type == DType::U32) {
    // Pointers take 32-bit indices as signed ones, so both sides move by 2^31.
    i = i ^ e_.integer(Elem::I32, INT32_MIN, kLanes);
    base = element(base, m_.type(memory).dtype, e_.i64(int64_t{1} << 31));
  }
  return {Place::Each, element(base, m_.type(memory).dtype, i)};
}

V Body::lane_of(const V& x, const V& lane) {
  if (x.lanes == 1) return x;
  return e_.emit(x.elem, 1, concat("extractelement ", x.typed(), ", ", lane.typed()));
}

// ---- load ---------------------------------------------------------------------------------------

static V backwards(Expr& e, const V& x) {
  Text order;
  for (int k = kLanes - 1; k >= 0; --k) order.add("i32 ", k, k ? ", " : "");
  return e.emit(x.elem, x.lanes,
                concat("shufflevector ", x.typed(), ", ", x.type(), " poison, <32 x i32> <",
                       order.str(), ">"));
}

V Body::load_from(const Place& p, DType dtype, const Mask& mask) {
  Elem elem = storage_elem(dtype);
  int align = byte_size(dtype);
  std::string type = llvm_type(elem, kLanes);
  V x;
  switch (p.kind) {
    case Place::One:
      x = e_.emit(elem, 1,
                  concat("load ", llvm_type(elem, 1), ", ", p.pointer.typed(), ", align ", align));
      break;
    case Place::Reversed:
    case Place::Run:
      if (mask.all()) {
        x = e_.emit(elem, kLanes,
                    concat("load ", type, ", ", p.pointer.typed(), ", align ", align));
      } else {
        x = e_.emit(
            elem, kLanes,
            concat("call ", type, " @llvm.masked.load.", suffix(elem), ".p0(", p.pointer.typed(),
                   ", i32 ", align, ", ", mask.v.typed(), ", ", type, " zeroinitializer)"));
      }
      if (p.kind == Place::Reversed) x = backwards(e_, x);
      break;
    case Place::Each:
      x = e_.emit(
          elem, kLanes,
          concat("call ", type, " @llvm.masked.gather.", suffix(elem), ".v32p0(", p.pointer.typed(),
                 ", i32 ", align, ", <32 x i1> splat (i1 true), ", type, " poison)"));
      break;
  }
  return from_storage(dtype, x);
}

void Body::load(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  ValueId memory = inst.operands[0], index = inst.operands[1];
  DType dtype = m_.type(memory).dtype;
  std::vector<Place> places;
  if (all_) places = places_in_step(memory, index, id);
  auto one = [&] {
    Place p = places.empty() ? place(memory, index, mask, id) : places[one_];
    read_ahead(id, dtype, p, mask);
    set(inst.results[0], load_from(p, dtype, mask));
    remember_source(inst.results[0], memory, p);
  };
  all_ ? each(one) : one();
}

void Body::remember_source(ValueId v, ValueId memory, const Place& p) {
  if (p.kind != Place::One || !m_.def(memory) || m_.type(v).dtype != DType::F32) return;
  Value& value = values_[v.index];
  value.sources.resize(value.groups);
  value.sources[group_of(value)] = {p.pointer, written_};
}

// ---- store --------------------------------------------------------------------------------------

void Body::store(InstId id, const Mask& mask) {
  ValueId memory = m_[id].operands[0], index = m_[id].operands[1];
  std::vector<Place> places;
  if (all_) places = places_in_step(memory, index, id);
  Runs runs;
  auto one = [&] {
    store_one(id, places.empty() ? place(memory, index, mask, id) : places[one_], mask, runs);
  };
  all_ ? each(one) : one();
  store_runs(runs, byte_size(m_.type(memory).dtype), streamed_[memory.index]);
}

// Runs of all lanes are left to the caller, who writes those of several SIMD-groups at once.
void Body::store_one(InstId id, const Place& p, const Mask& mask, Runs& runs) {
  const Instruction& inst = m_[id];
  ValueId memory = inst.operands[0], value = inst.operands[2];
  DType dtype = m_.type(memory).dtype;
  int align = byte_size(dtype);
  if (p.kind == Place::One) {
    // All lanes write to the same place; the last one stays.
    V x = form(value).kind == LaneForm::Uniform ? raw(value)
          : mask.all()                          ? e_.extract(lanes(value), kLanes - 1)
                                                : lane_of(lanes(value), mask.last);
    e_.stmt(
        concat("store ", to_storage(dtype, x).typed(), ", ", p.pointer.typed(), ", align ", align));
    return;
  }
  V x = to_storage(dtype, lanes(value));
  if (p.kind == Place::Each) return scatter(p.pointer, x, mask, align);
  if (p.kind == Place::Reversed) x = backwards(e_, x);
  if (mask.all()) {
    runs.pointers.push_back(p.pointer);
    runs.values.push_back(x);
  } else {
    e_.stmt(concat("call void @llvm.masked.store.", suffix(x.elem), ".p0(", x.typed(), ", ",
                   p.pointer.typed(), ", i32 ", align, ", ", mask.v.typed(), ")"));
  }
}

void Body::scatter(const V& pointers, const V& value, const Mask& mask, int align) {
  if (mask.all()) {
    e_.stmt(concat("call void @llvm.masked.scatter.", suffix(value.elem), ".v32p0(", value.typed(),
                   ", ", pointers.typed(), ", i32 ", align, ", <32 x i1> splat (i1 true))"));
    return;
  }
  for_each_lane(mask, {pointers, value}, [&](const V&, const std::vector<V>& x) {
    e_.stmt(concat("store ", x[1].typed(), ", ", x[0].typed(), ", align ", align));
  });
}

// Lanes in ascending order, each with its own of `xs`, which pass through the stack.
void Body::for_each_lane(const Mask& mask, const std::vector<V>& xs,
                         const std::function<void(const V& lane, const std::vector<V>& x)>& body) {
  for (size_t k = 0; k < xs.size(); ++k) {
    if (xs[k].lanes == 1) continue;
    e_.stmt(
        concat("store ", xs[k].typed(), ", ", buffer(static_cast<int>(k)).typed(), ", align 64"));
  }
  V all = mask.all() ? e_.i32(-1) : mask.bits;
  e_.loop({all}, [&](const std::vector<V>& carried, std::vector<V>& next) {
    V left = carried[0];
    V lane = e_.intrinsic("cttz", {left, e_.boolean(true)});
    std::vector<V> mine;
    for (size_t k = 0; k < xs.size(); ++k) {
      if (xs[k].lanes == 1) {
        mine.push_back(xs[k]);
        continue;
      }
      std::string type = llvm_type(xs[k].elem, 1);
      V p = e_.emit(Elem::Ptr, 1,
                    concat("getelementptr ", type, ", ", buffer(static_cast<int>(k)).typed(), ", ",
                           lane.typed()));
      mine.push_back(e_.emit(xs[k].elem, 1, concat("load ", type, ", ", p.typed())));
    }
    body(lane, mine);
    next = {left & (left - 1)};
    return e_.cmp("ne", next[0], 0);
  });
}

}  // namespace enigma::cpu
