// Several SIMD-groups in step: in a phase with loops, an instruction is written for each of a few
// SIMD-groups before the next instruction. Their chains of dependent operations then overlap, they
// touch memory in order, and what is the same for all of them is done once.
#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_set>

#include "codegen/cpu/body.h"
#include "codegen/cpu/table.h"

namespace enigma::cpu {

// ---- which phases, and how many SIMD-groups -----------------------------------------------------

namespace {

// What a phase does, as far as it counts.
struct Work {
  int instructions = 0;
  int loops = 0;
  int carried = 0;     // vectors, of the loop that has the most
  bool other = false;  // whether a SIMD-group has more vectors of its own in a loop
  bool in_step = true;
};

}  // namespace

bool Body::group_uniform(ValueId v) const {
  return uniform(v) && kernel_.uniformity()[v] <= Level::Group;
}

// A loop from a SIMD-group's own number on, of which all are known to make as many turns.
bool Body::deals_rows(const Instruction& loop) const {
  const Instruction* from = m_.def(loop.operands[0]);
  if (!from || from->op != Op::SimdgroupIndexInThreadgroup) return false;
  std::optional<int64_t> end = known_integer(m_, loop.operands[1]),
                         step = known_integer(m_, loop.operands[2]);
  const int64_t last = shape_.simdgroups() - 1;
  return end && step && *step > 0 && *end > last && (*end - 1) / *step == (*end - last - 1) / *step;
}

// Whether a value is the same for all SIMD-groups, lane by lane, as far as can be told beforehand.
bool Body::will_be_shared(ValueId v, int depth) const {
  constexpr int kDeepest = 6;
  if (m_.type(v).is_memory() || group_uniform(v)) return true;
  const Instruction* def = m_.def(v);
  if (!def || depth > kDeepest) return false;
  if (info(def->op).shape == Shape::Query) return same_for_all(*def);
  Shape shape = info(def->op).shape;
  bool passes = shape == Shape::Map || shape == Shape::Cast || def->op == Op::Load;
  return passes && std::all_of(def->operands.begin(), def->operands.end(),
                               [&](ValueId x) { return will_be_shared(x, depth + 1); });
}

// Whether the loop's turns make vectors for each SIMD-group that they do not carry on.
bool Body::has_other_vectors(const Instruction& loop) const {
  const std::vector<InstId>& insts = m_[loop.regions[0]].insts;
  std::span<const ValueId> next;
  if (!insts.empty() && m_[insts.back()].op == Op::Yield) next = m_[insts.back()].operands;
  return std::any_of(insts.begin(), insts.end(), [&](InstId id) {
    const Instruction& inst = m_[id];
    return !inst.regions.empty() ||
           std::any_of(inst.results.begin(), inst.results.end(), [&](ValueId v) {
             return form(v).kind == LaneForm::Vector && !will_be_shared(v) &&
                    std::find(next.begin(), next.end(), v) == next.end();
           });
  });
}

int Body::in_step(const Phase& p) const {
  if (!shape_.whole || p.agree) return 1;
  constexpr int kHard = 16, kLargest = 600;
  Work work;
  // Lanes part without loss where that is once in a phase: a turn of a loop would wait for each.
  enum Where { Once, InTurns, Parted };
  auto count = [&](auto&& self, InstId id, Where where) -> void {
    const Instruction& inst = m_[id];
    Shape shape = info(inst.op).shape;
    work.instructions += shape == Shape::Map && !is_instruction(inst.op) ? kHard : 1;
    bool matrices = std::any_of(inst.results.begin(), inst.results.end(),
                                [&](ValueId v) { return m_.type(v).is_simd_matrix(); });
    bool alone =
        shape == Shape::Atomic || shape == Shape::SimdMatrix || inst.op == Op::While || matrices;
    if (alone) work.in_step = false;
    if (inst.op == Op::If && !group_uniform(inst.operands[0])) {
      work.in_step &= where != InTurns || std::all_of(inst.regions.begin(), inst.regions.end(),
                                                      [&](RegionId r) { return is_cheap(r); });
      if (where == Once) where = Parted;
    }
    if (inst.op == Op::For) {
      work.in_step &= where != Parted;
      where = InTurns;
      ++work.loops;
      bool together = std::all_of(inst.operands.begin(), inst.operands.begin() + 3,
                                  [&](ValueId v) { return group_uniform(v); });
      work.in_step &= together || deals_rows(inst) ||
                      (diverges(kernel_, forms_, inst) && group_uniform(inst.operands[2]));
      int vectors = 0;
      for (ValueId v : inst.results) vectors += uniform(v) ? 0 : components(v);
      work.carried = std::max(work.carried, vectors);
      work.other |= has_other_vectors(inst);
    }
    for (RegionId r : inst.regions) {
      for (InstId i : m_[r].insts) self(self, i, where);
    }
  };
  for (InstId i : p.insts) count(count, i, Once);
  for (const Copy& c : p.copies) work.in_step &= !m_.type(c.to).is_simd_matrix();
  if (work.loops == 0 || !work.in_step) return 1;
  // A quarter of the registers for what the loop carries, or half of them where they are few or
  // where it only adds to that; the others for what it computes.
  auto groups = static_cast<int>(shape_.simdgroups());
  const int half = vectors_ / 2, quarter = std::max(vectors_ / 4, std::min(2, half));
  int most = std::min({groups, (work.other ? quarter : half) / std::max(1, work.carried),
                       kLargest / std::max(1, work.instructions)});
  for (int width = most; width > 1; --width) {
    if (groups % width == 0) return width;
  }
  return 1;
}

// ---- writing for all, for each, for one ---------------------------------------------------------

void Body::each(const std::function<void()>& write) {
  all_ = false;
  for (size_t k = 0; k < simds_.size(); ++k) {
    one_ = k;
    simd_ = simds_[k];
    write();
  }
  one_ = 0;
  simd_ = simds_[0];
  all_ = true;
}

void Body::once(const std::function<void()>& write) {
  all_ = false;
  shared_ = true;
  simd_ = simds_[0];
  write();
  shared_ = false;
  all_ = true;
}

void Body::for_copies(ValueId v, const std::function<void()>& write) {
  if (!all_) return write();
  group_uniform(v) ? once(write) : each(write);
}

bool Body::is_shared(ValueId v) const {
  return m_.type(v).is_memory() || values_[v.index].groups <= 1 || group_uniform(v);
}

// Whether the instruction gives all SIMD-groups the same, lane by lane.
bool Body::same_for_all(const Instruction& inst) const {
  switch (info(inst.op).shape) {
    case Shape::Query:
      if (inst.op == Op::ThreadPositionInGrid || inst.op == Op::ThreadPositionInThreadgroup) {
        return position_is_shared(static_cast<int>(inst.attr));
      }
      return inst.op == Op::ThreadIndexInSimdgroup || group_uniform(inst.results[0]);
    case Shape::Map:
    case Shape::Cast:
      break;
    case Shape::Load:
      if (inst.op != Op::Load) return false;
      break;
    default:
      return false;
  }
  return std::all_of(inst.operands.begin(), inst.operands.end(),
                     [&](ValueId v) { return is_shared(v); });
}

void Body::instruction(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  if (may_write(inst)) ++written_;
  if (!all_) return write_instruction(id, mask);
  if (same_for_all(inst)) return once([&] { write_instruction(id, mask); });
  if (inst.op == Op::Load) return load(id, mask);
  if (inst.op == Op::LoadIf) return load_if(id, mask);
  if (inst.op == Op::Store) return store(id, mask);
  if (inst.op == Op::If && group_uniform(inst.operands[0])) return branch(id, mask);
  if (inst.op == Op::For) {
    return diverges(kernel_, forms_, inst) ? loop_for_in_step(id) : loop_for(id, mask);
  }
  each([&] { write_instruction(id, mask); });
  if (inst.results.size() == 1) values_[inst.results[0].index].stride = stride_of_result(inst);
}

// ---- distances ----------------------------------------------------------------------------------

// How much greater a value is in the next SIMD-group, modulo its type's width, if that is known.
std::optional<int64_t> Body::stride(ValueId v) const {
  if (is_shared(v)) return 0;
  return values_[v.index].stride;
}

std::optional<int64_t> Body::stride_of_result(const Instruction& inst) const {
  Type type = m_.type(inst.results[0]);
  if (!type.is_scalar() || !is_integer(type.dtype)) return std::nullopt;
  auto of = [&](size_t k) { return stride(inst.operands[k]); };
  constexpr int64_t kMost = int64_t{1} << 20;  // far from what a type of 32 bits wraps at
  auto within = [&](int64_t x) {
    return x > -kMost && x < kMost ? std::optional(x) : std::nullopt;
  };
  switch (inst.op) {
    case Op::SimdgroupIndexInThreadgroup:
      return 1;
    case Op::ThreadIndexInThreadgroup:
      return kLanes;
    case Op::ThreadPositionInGrid:
    case Op::ThreadPositionInThreadgroup:
      if (shape_.one_dimensional()) return kLanes;
      // Rows of one SIMD-group each.
      if (shape_.threads.x == kLanes && shape_.threads.z == 1 && inst.attr == 1) return 1;
      return std::nullopt;
    case Op::AddI:
      return of(0) && of(1) ? within(*of(0) + *of(1)) : std::nullopt;
    case Op::SubI:
      return of(0) && of(1) ? within(*of(0) - *of(1)) : std::nullopt;
    case Op::MulI:
      for (size_t k = 0; k < 2; ++k) {
        auto factor = known_integer(m_, inst.operands[1 - k]);
        if (of(k) && factor && within(*factor)) return within(*of(k) * *factor);
      }
      return std::nullopt;
    case Op::Shl:
      if (auto by = known_integer(m_, inst.operands[1]); of(0) && by && *by >= 0 && *by < 20) {
        return within(*of(0) * (int64_t{1} << *by));
      }
      return std::nullopt;
    case Op::Cast: {
      // A sum may have wrapped in a narrower type; a position never does.
      Type from = m_.type(inst.operands[0]);
      const Instruction* def = m_.def(inst.operands[0]);
      bool same = is_integer(from.dtype) && info(from.dtype).bits == info(type.dtype).bits;
      bool position = def && info(def->op).shape == Shape::Query;
      return same || position ? of(0) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// Where the SIMD-groups access memory at a known distance from each other, one check serves all of
// them, and one address. Nothing where they do not.
std::vector<Body::Place> Body::places_in_step(ValueId memory, ValueId index, InstId at) {
  LaneForm f = form(index);
  DType type = m_.type(index).dtype;
  std::optional<int64_t> distance = stride(index);
  bool run = f.kind == LaneForm::Linear && f.stride == 1;
  if (!distance || *distance < 0 || !(run || f.kind == LaneForm::Uniform)) return {};
  if (info(type).bits < 32) return {};
  auto last = static_cast<int64_t>(simds_.size()) - 1;
  V start = extend_index(raw(index), type);
  if (first_use(memory, index)) {
    V limit = memory_limit(memory, type, *distance * last + (run ? kLanes - 1 : 0));
    guard(e_.cmp("ult", start, limit), memory, at, [&](FaultSite& site) {
      uint64_t unused_bits = 64 - static_cast<uint64_t>(info(type).bits);
      site.where |= unused_bits << 8 | (is_signed(type) ? 1 : 0);
      site.stride = f.stride;
      site.base = start.text;
      site.distance = *distance;
      site.groups = last;
    });
  }
  DType dtype = m_.type(memory).dtype;
  V first = element(memory_pointer(memory), dtype, start);
  std::vector<Place> places;
  for (int64_t k = 0; k <= last; ++k) {
    V pointer = k * *distance == 0 ? first : element(first, dtype, e_.i64(k * *distance));
    places.push_back({run ? Place::Run : Place::One, pointer});
  }
  return places;
}

// ---- loops whose lanes part ---------------------------------------------------------------------

// Bounds that rise from lane to lane and from SIMD-group to SIMD-group make for turns that fall, so
// that those of the first and of the last lane say all.
Body::Turns Body::count_in_step(const Instruction& loop) {
  ValueId lo = loop.operands[0], hi = loop.operands[1], step = loop.operands[2];
  DType type = m_.type(lo).dtype;
  std::optional<int64_t> by = known_integer(m_, step), distance = stride(lo);
  bool rises =
      form(lo).kind != LaneForm::Vector && form(lo).stride >= 0 && distance.value_or(-1) >= 0;
  if (rises && by && *by > 0 && uniform(hi) && is_shared(hi) && info(type).bits >= 32) {
    int64_t rise =
        form(lo).stride * (kLanes - 1) + *distance * (static_cast<int64_t>(simds_.size()) - 1);
    V first = raw(lo), last = first + static_cast<double>(rise);
    V wraps = e_.cmp(is_signed(type) ? "slt" : "ult", last, first);
    V most = trip_count(first, raw(hi), raw(step), type, by);
    V least = trip_count(last, raw(hi), raw(step), type, by);
    return {e_.select(wraps, e_.like(least, 0), least), wraps | e_.cmp("ne", most, least)};
  }
  std::vector<V> trips;
  Turns turns;
  each([&] {
    trips.push_back(trip_count(loop, true));
    V least = e_.least(trips.back());
    turns.common = turns.common ? e_.intrinsic("umin", {turns.common, least}) : least;
  });
  V more;
  for (const V& t : trips) {
    V longer = e_.cmp("ne", t, e_.splat(turns.common, kLanes));
    more = more ? more | longer : longer;
  }
  turns.more = e_.any(more);
  return turns;
}

// Turns that all lanes of all SIMD-groups make come first, in step. The others, of which there are
// few or none, follow in a loop over the SIMD-groups.
void Body::loop_for_in_step(InstId id) {
  const Instruction& inst = m_[id];
  std::span<const ValueId> args = m_[inst.regions[0]].args, carried = args.subspan(1);
  Turns count = count_in_step(inst);
  std::vector<V> state = first_index(inst);
  std::vector<V> start = all_formed(std::span(inst.operands).subspan(3), carried);
  state.insert(state.end(), start.begin(), start.end());
  turns(inst, count.common, state, whole_body(inst, Mask{}));
  std::string rest = e_.new_label("rest"), end = e_.new_label("together"), before = e_.block();
  jump_if(count.more, rest, end);
  e_.begin_block(rest);
  auto indices = static_cast<ptrdiff_t>(set_index(inst, state));
  state.erase(state.begin(), state.begin() + indices);
  set_all(carried, state);
  one_by_one(inst, count.common);
  std::vector<V> after = all_formed(carried, carried);
  std::string last = e_.block();
  jump(end);
  e_.begin_block(end);
  set_all(carried, phis(state, before, after, last));
  set_all(inst.results, all_formed(carried, inst.results));
}

// The rest of a loop for one SIMD-group after the other. What each has of its own passes through
// the stack; the carried values are then what they are after the last turn.
void Body::one_by_one(const Instruction& inst, const V& common) {
  std::span<const ValueId> args = m_[inst.regions[0]].args, carried = args.subspan(1);
  std::vector<ValueId> own = own_values(inst.regions[0]);
  own.insert(own.end(), inst.operands.begin(), inst.operands.begin() + 3);
  own.insert(own.end(), args.begin(), args.end());
  std::sort(own.begin(), own.end());
  own.erase(std::unique(own.begin(), own.end()), own.end());
  std::erase_if(own, [&](ValueId v) { return values_[v.index].groups <= 1; });
  std::vector<Value> saved;
  for (ValueId v : own) saved.push_back(values_[v.index]);
  const std::vector<V> simds = simds_;
  const size_t width = simds.size();

  // Each part of a value has an array with an element for each SIMD-group.
  struct Array {
    ValueId value;
    int part;
    V like;
    std::string name;
    bool changes;
  };
  std::vector<Array> arrays;
  auto at = [&](const Array& array, const V& k) {
    V offset = k * e_.i64(stack_bytes(array.like));
    return e_.emit(Elem::Ptr, 1,
                   concat("getelementptr i8, ptr ", array.name, ", ", offset.typed()));
  };
  auto number = [&](size_t k) { return e_.i64(static_cast<int64_t>(k)); };
  for (size_t n = 0; n < own.size(); ++n) {
    bool changes = std::find(carried.begin(), carried.end(), own[n]) != carried.end();
    for (size_t part = 0; part < saved[n].each(); ++part) {
      const V& like = saved[n].parts[part];
      arrays.push_back({own[n], static_cast<int>(part), like,
                        stack(static_cast<int>(width) * stack_bytes(like)), changes});
      for (size_t k = 0; k < width; ++k) {
        put(at(arrays.back(), number(k)), saved[n].parts[k * saved[n].each() + part]);
      }
    }
  }

  std::string head = e_.new_label("one"), end = e_.new_label("all"), before = e_.block(),
              latch = e_.new_label("nextone");
  V next = e_.fresh(Elem::I64, 1);
  jump(head);
  e_.begin_block(head);
  V k = e_.emit(Elem::I64, 1,
                concat("phi i64 [ 0, %", before, " ], [ ", next.text, ", %", latch, " ]"));
  all_ = false;
  simd_ = simds[0] + e_.convert("trunc", k, Elem::I32);
  simds_ = {simd_};
  for (const Array& a : arrays) set(a.value, get(at(a, k), a.like), a.part);
  std::vector<V> after =
      turns_apart(inst, trip_count(inst, true), common, all_formed(args, args), Mask{});
  set_all(carried, {after.begin() + 1, after.end()});
  for (const Array& a : arrays) {
    if (a.changes) put(at(a, k), raw(a.value, a.part));
  }
  jump(latch);
  e_.begin_block(latch);
  e_.stmt(concat(next.text, " = add i64 ", k.text, ", 1"));
  jump_if(e_.cmp("ult", next, static_cast<double>(width)), head, end);
  e_.begin_block(end);

  simds_ = simds;
  simd_ = simds_[0];
  all_ = true;
  for (size_t n = 0; n < own.size(); ++n) values_[own[n].index] = saved[n];
  for (const Array& a : arrays) {
    if (!a.changes) continue;
    each([&] { set(a.value, get(at(a, number(one_)), a.like), a.part); });
  }
}

// What a region takes from outside of it.
std::vector<ValueId> Body::own_values(RegionId r) const {
  std::vector<ValueId> taken;
  std::unordered_set<uint32_t> seen;
  auto walk = [&](auto&& self, RegionId region) -> void {
    for (ValueId v : m_[region].args) seen.insert(v.index);
    for (InstId i : m_[region].insts) {
      for (ValueId v : m_[i].operands) {
        if (!m_.type(v).is_memory() && seen.insert(v.index).second) taken.push_back(v);
      }
      for (RegionId inner : m_[i].regions) self(self, inner);
      for (ValueId v : m_[i].results) seen.insert(v.index);
    }
  };
  walk(walk, r);
  return taken;
}

// ---- stack --------------------------------------------------------------------------------------

int Body::stack_bytes(const V& x) const {
  int bytes = std::max(8, bits(x.elem)) / 8 * x.lanes;
  return bytes;
}

std::string Body::stack(int bytes) {
  std::string name = concat("%stack", stacks_++);
  entry_.line(name, " = alloca [", bytes, " x i8], align 64");
  return name;
}

void Body::put(const V& pointer, const V& x) {
  V stored = x.elem == Elem::I1 ? e_.convert("zext", x, Elem::I8) : x;
  e_.stmt(concat("store ", stored.typed(), ", ", pointer.typed(), ", align ",
                 std::min(64, stack_bytes(x))));
}

V Body::get(const V& pointer, const V& like) {
  Elem elem = like.elem == Elem::I1 ? Elem::I8 : like.elem;
  V x = e_.emit(elem, like.lanes,
                concat("load ", llvm_type(elem, like.lanes), ", ", pointer.typed(), ", align ",
                       std::min(64, stack_bytes(like))));
  return like.elem == Elem::I1 ? e_.convert("trunc", x, Elem::I1) : x;
}

}  // namespace enigma::cpu
