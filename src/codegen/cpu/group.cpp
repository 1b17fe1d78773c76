// What runs once per threadgroup: the steps of the plan, phases with their loops over SIMD-groups,
// and control flow around barriers.
#include <optional>

#include "codegen/cpu/body.h"
#include "ir/signature.h"
#include "support/cpu_abi.h"

namespace enigma::cpu {

Body::Body(const Verified& kernel, const GroupShape& shape, const CpuVariant& variant,
           const ScratchLayout& scratch, std::string symbol)
    : kernel_(kernel),
      m_(kernel.module()),
      shape_(shape),
      scratch_(scratch),
      symbol_(std::move(symbol)),
      forms_(analyse_lanes(kernel, shape_)),
      vectors_(variant.vectors),
      streamed_(variant.streams ? streamed_memories(m_) : std::vector<bool>(m_.values.size())),
      homes_(find_homes(m_)),
      plan_(plan_phases(kernel, shape_, forms_, homes_, scratch.end)),
      ahead_(reads_ahead(m_, shape_, plan_, variant.streams)),
      locations_(m_),
      e_(out_, variant.scalef),
      is_pending_(m_.values.size()),
      last_check_(m_.values.size()),
      values_(m_.values.size()),
      uses_(m_.values.size()) {
  out_.indent();
  entry_.indent();
  for (const Region& r : m_.regions) {
    for (InstId i : r.insts) {
      for (ValueId v : m_[i].operands) ++uses_[v.index];
    }
  }
  for (uint32_t v = 0; v < m_.values.size(); ++v) {
    const Slot& slot = plan_.slots[v];
    if (slot.kind == Slot::Home) home_number_[homes_.of[v].index] = slot.offset;
  }
}

void Body::write(std::string_view first, std::string_view then) {
  e_.begin_block(first);
  // A scalar's bits are the low bytes of its word.
  auto scalar = [&](uint32_t index, DType t) {
    V bits = word(index);
    if (info(t).bits < 64) bits = e_.convert("trunc", bits, int_elem(info(t).bits));
    return as_type(bits, unsigned_of(t), t);
  };
  const auto params = static_cast<uint32_t>(m_.params.size());
  for (uint32_t p = 0; p < params; ++p) {
    const Param& param = m_.params[p];
    if (param.is_scalar) set(param.value, scalar(cpu_abi::param_word(p), param.dtype));
  }
  uint32_t next = 0;
  for (const FunctionConstant& c : function_constants(m_)) {
    V x = scalar(cpu_abi::constant_word(params, next++), c.dtype);
    for (ValueId v : c.values) set(v, x);
  }
  for (uint32_t v = 0; v < m_.values.size(); ++v) {
    const auto bits = m_.constant(ValueId{v});
    if (!bits) continue;
    for (int c = 0; c < components(ValueId{v}); ++c) {
      set(ValueId{v}, constant(m_.values[v].type, *bits), c);
    }
  }
  if (!shape_.whole) {
    e_.stmt("%exy = mul i32 " + group_size(0).text + ", " + group_size(1).text);
    e_.stmt("%present = mul i32 %exy, " + group_size(2).text);
    e_.stmt("%present.up = add i32 %present, 31");
    e_.stmt("%simdgroups = lshr i32 %present.up, 5");
  }
  steps(m_.body);
  jump(then);
  if (!faults_.empty()) report_faults();
}

void Body::steps(RegionId r) {
  size_t checks = checks_.size();
  for (Step s : plan_.steps[r.index]) {
    if (s.kind == Step::RunPhase) {
      phase(plan_.phases[s.index]);
    } else {
      construct(InstId{s.index});
    }
  }
  forget_checks(checks);
}

// ---- slots --------------------------------------------------------------------------------------

V Body::slot_pointer(const Slot& slot, int component, Elem elem) {
  V offset = e_.i64(slot.offset + component * slot.pitch);
  if (slot.kind != Slot::Once) {
    int bytes = std::max(1, bits(elem) / 8);
    if (slot.kind == Slot::PerLane) bytes = elem == Elem::I1 ? 4 : bytes * kLanes;
    offset = e_.convert("zext", simd_, Elem::I64) * e_.i64(bytes) + offset;
  }
  return e_.emit(Elem::Ptr, 1, concat("getelementptr i8, ptr %scratch, i64 ", offset.text));
}

V Body::load_slot(ValueId v, const Slot& slot, int component) {
  Elem elem = elem_of(m_.type(v).dtype);
  V pointer = slot_pointer(slot, component, elem);
  int n = slot.kind == Slot::PerLane ? kLanes : 1;
  if (elem == Elem::I1) {
    V word = e_.emit(n == 1 ? Elem::I8 : Elem::I32, 1,
                     concat("load ", n == 1 ? "i8" : "i32", ", ", pointer.typed()));
    if (n == 1) return e_.convert("trunc", word, Elem::I1);
    return e_.emit(Elem::I1, n, concat("bitcast ", word.typed(), " to ", llvm_type(elem, n)));
  }
  return e_.emit(elem, n,
                 concat("load ", llvm_type(elem, n), ", ", pointer.typed(), ", align ",
                        n == 1 ? bits(elem) / 8 : 32));
}

void Body::store_slot(ValueId from, ValueId to, const Slot& slot) {
  Elem elem = elem_of(m_.type(to).dtype);
  for (int c = 0; c < components(to); ++c) {
    V x = slot.kind == Slot::PerLane ? lanes(from, c) : raw(from, c);
    if (elem == Elem::I1) {
      x = x.lanes == 1 ? e_.convert("zext", x, Elem::I8)
                       : e_.emit(Elem::I32, 1, concat("bitcast ", x.typed(), " to i32"));
    }
    V pointer = slot_pointer(slot, c, elem);
    e_.stmt(concat("store ", x.typed(), ", ", pointer.typed(), ", align ",
                   x.lanes == 1 ? std::max(1, bits(x.elem) / 8) : 32));
  }
}

// A value as a scalar of the whole threadgroup.
V Body::at_group(ValueId v, int component) {
  const Slot& slot = plan_.slots[v.index];
  if (plan_.at_group[v.index] || !slot.kind) return raw(v, component);
  return load_slot(v, slot, component);
}

// ---- phases -------------------------------------------------------------------------------------

void Body::import(ValueId v) {
  const Slot& slot = plan_.slots[v.index];
  if (InstId loop = plan_.index_of[v.index]) {
    const Instruction& inst = m_[loop];
    V turn = turn_of_[loop.index];
    for_copies(
        v, [&] { set(v, formed(inst.operands[0], v, 0) + turn * formed(inst.operands[2], v, 0)); });
  } else if (slot.kind) {
    for_copies(v, [&] {
      for (int c = 0; c < components(v); ++c) set(v, load_slot(v, slot, c), c);
    });
  } else {
    instruction(m_.values[v.index].def, Mask{});  // pure, so that the mask plays no part
  }
}

void Body::export_value(ValueId v) {
  const Slot& slot = plan_.slots[v.index];
  if (!slot.kind) return;
  for_copies(v, [&] { store_slot(v, v, slot); });
}

void Body::phase(const Phase& p) {
  for (InstId i : p.scalars) instruction(i, Mask{});
  if (p.insts.empty() && p.copies.empty() && !p.agree) return;
  const int width = in_step(p);
  bool loop = shape_.simdgroups() > static_cast<uint32_t>(width);
  std::string head = e_.new_label("simd"), end = e_.new_label("phase"), before = e_.block();
  V next = e_.fresh(Elem::I32, 1);
  std::string latch = e_.new_label("nextsimd");
  if (p.agree) begin_agreement();
  if (loop) {
    before = e_.block();
    jump(head);
    e_.begin_block(head);
    simd_ = e_.emit(Elem::I32, 1,
                    concat("phi i32 [ 0, %", before, " ], [ ", next.text, ", %", latch, " ]"));
  } else {
    simd_ = e_.i32(0);
  }
  simds_ = {simd_};
  if (plan_.homes_bytes > 0) {
    V first = e_.convert("zext", simd_, Elem::I64) * e_.i64(plan_.homes_bytes) + plan_.homes;
    own_homes_ = e_.emit(Elem::Ptr, 1, concat("getelementptr i8, ptr %scratch, ", first.typed()));
  }
  for (int k = 1; k < width; ++k) simds_.push_back(loop ? simd_ + k : e_.i32(k));
  all_ = width > 1;
  Mask mask;
  if (!shape_.whole) {
    V thread = e_.splat(simd_ * e_.i32(kLanes), kLanes) + e_.iota(Elem::I32, kLanes);
    mask = make_mask(e_.cmp("ult", thread, V{&e_, "%present", Elem::I32, 1}));
  }
  for (ValueId v : p.imports) import(v);
  if (p.agree) check_agreement(p, mask);
  for (InstId i : p.insts) {
    instruction(i, mask);
    for (ValueId v : m_[i].results) export_value(v);
  }
  multiply_pending();
  copy(p.copies);
  if (loop) {
    jump(latch);
    e_.begin_block(latch);
    e_.stmt(concat(next.text, " = add i32 ", simds_[0].text, ", ", width));
    jump_if(e_.cmp("ult", next, simdgroups()), head, end);
    e_.begin_block(end);
  }
  simd_ = V{};
  simds_.clear();
  all_ = false;
  if (p.agree) end_agreement(p.agree);
}

// Everything that is read has been imported, so it was read before anything is written here; what a
// copy takes from this very phase is a register.
void Body::copy(const std::vector<Copy>& copies) {
  std::vector<ValueId> from, to;
  for (const Copy& c : copies) {
    for_copies(c.to, [&] { store_slot(c.from, c.to, plan_.slots[c.to.index]); });
    from.push_back(c.from);
    to.push_back(c.to);
  }
  hand_on(from, to);
}

// ---- agreement ----------------------------------------------------------------------------------
//
// Two words of scratch: what the first thread has, and whether another one has something else.

void Body::begin_agreement() {
  for (int k = 0; k < 2; ++k) {
    V p = agreement_word(k);
    e_.stmt(concat("store i64 0, ", p.typed()));
  }
}

V Body::agreement_word(int k) {
  return e_.emit(Elem::Ptr, 1,
                 concat("getelementptr i8, ptr %scratch, i64 ", scratch_.agree + 8 * k));
}

V Body::agreed_value(InstId id) {
  const Instruction& inst = m_[id];
  if (inst.op == Op::For) return trip_count(inst, true);
  if (inst.op == Op::If) return lanes(inst.operands[0]);
  return lanes(m_[m_[inst.regions[0]].insts.back()].operands[0]);
}

void Body::check_agreement(const Phase& p, const Mask& mask) {
  V x = agreed_value(p.agree);
  if (bits(x.elem) < 64) x = e_.convert("zext", x, Elem::I64);
  V p0 = agreement_word(0), p1 = agreement_word(1);
  V first = e_.emit(Elem::I64, 1, concat("load i64, ", p0.typed()));
  first = e_.select(e_.cmp("eq", simd_, 0), e_.extract(x, 0), first);
  e_.stmt(concat("store ", first.typed(), ", ", p0.typed()));
  V differs = e_.cmp("ne", x, first);
  if (!mask.all()) differs = differs & mask.v;
  V bad = e_.convert("zext", e_.any(differs), Elem::I64);
  V before = e_.emit(Elem::I64, 1, concat("load i64, ", p1.typed()));
  V now = bad | before;
  e_.stmt(concat("store ", now.typed(), ", ", p1.typed()));
}

void Body::end_agreement(InstId id) {
  V p0 = agreement_word(0), p1 = agreement_word(1);
  V bad = e_.emit(Elem::I64, 1, concat("load i64, ", p1.typed()));
  fault_unless(e_.cmp("eq", bad, 0), cpu_abi::FaultKind::DivergentBarrier, id);
  V x = e_.emit(Elem::I64, 1, concat("load i64, ", p0.typed()));
  Elem elem = m_[id].op == Op::For ? elem_of(m_.type(m_[id].operands[0]).dtype) : Elem::I1;
  agreed_[id.index] = elem == Elem::I64 ? x : e_.convert("trunc", x, elem);
}

// ---- control flow around barriers ---------------------------------------------------------------

std::vector<V> Body::group_values(std::span<const ValueId> values, std::span<const ValueId> as) {
  std::vector<V> xs;
  for (size_t k = 0; k < as.size(); ++k) {
    if (!plan_.at_group[as[k].index]) continue;
    for (int c = 0; c < components(as[k]); ++c) xs.push_back(at_group(values[k], c));
  }
  return xs;
}

void Body::set_group(std::span<const ValueId> values, std::span<const V> xs) {
  size_t next = 0;
  for (ValueId v : values) {
    if (!plan_.at_group[v.index]) continue;
    for (int c = 0; c < components(v); ++c) set(v, xs[next++], c);
  }
}

void Body::construct(InstId id) {
  switch (m_[id].op) {
    case Op::If:
      return group_if(id);
    case Op::For:
      return group_for(id);
    case Op::While:
      return group_while(id);
    default:
      throw InternalError("a barrier inside of something unknown");
  }
}

void Body::group_if(InstId id) {
  const Instruction& inst = m_[id];
  V cond = agreed_[id.index] ? agreed_[id.index] : at_group(inst.operands[0]);
  std::string then = e_.new_label("then"), otherwise = e_.new_label("else"),
              end = e_.new_label("endif");
  jump_if(cond, then, otherwise);
  std::vector<V> values[2];
  std::string from[2];
  for (size_t arm = 0; arm < 2; ++arm) {
    e_.begin_block(arm == 0 ? then : otherwise);
    if (arm < inst.regions.size()) {
      steps(inst.regions[arm]);
      if (!inst.results.empty()) {
        const Region& r = m_[inst.regions[arm]];
        values[arm] = group_values(m_[r.insts.back()].operands, inst.results);
      }
    }
    from[arm] = e_.block();
    jump(end);
  }
  e_.begin_block(end);
  set_group(inst.results, phis(values[0], from[0], values[1], from[1]));
}

void Body::group_for(InstId id) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = m_[body].args, inits = inst.operands;
  args = args.subspan(1);
  inits = inits.subspan(3);
  ValueId index = m_[body].args[0];
  bool indexed = plan_.at_group[index.index];
  V lo, step, trips = agreed_[id.index];
  if (indexed) {
    lo = at_group(inst.operands[0]);
    step = at_group(inst.operands[2]);
    trips = trip_count(lo, at_group(inst.operands[1]), step, m_.type(index).dtype,
                       known_integer(m_, inst.operands[2]));
  } else {
    lo = e_.integer(trips.elem, 0);
    step = e_.integer(trips.elem, 1);
  }
  std::vector<V> start = group_values(inits, args);
  start.insert(start.begin(), {trips, lo});
  std::optional<Overlap> overlap = find_overlap(id);
  if (overlap) start.push_back(e_.boolean(false));  // whether the tiles have changed places
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("for"), latch = e_.new_label("next"), end = e_.new_label("done"),
              first = e_.new_label("first"), before = e_.block(), entered = before;
  jump_if(e_.cmp("eq", trips, 0), end, overlap ? first : head);
  if (overlap) {
    e_.begin_block(first);
    copy_first(*overlap, index, lo);
    entered = e_.block();
    jump(head);
  }
  e_.begin_block(head);
  std::vector<V> now = phis(start, entered, next, latch);
  if (indexed) {
    set(index, now[1]);
  } else {
    turn_of_[id.index] = now[1];
  }
  set_group(args, std::span(now).subspan(2));
  if (overlap) {
    overlapping_turn(*overlap, now[1], now[1] + step, e_.cmp("ne", now[0], 1), now.back());
  } else {
    steps(body);
  }
  std::vector<V> values = group_values(m_[m_[body].insts.back()].operands, args);
  jump(latch);
  e_.begin_block(latch);
  V left = now[0] - 1;
  values.insert(values.begin(), {left, now[1] + step});
  if (overlap) values.push_back(now.back() ^ e_.boolean(true));
  keep(next, values);
  jump_if(e_.cmp("ne", left, 0), head, end);
  e_.begin_block(end);
  std::vector<V> results = phis(start, before, next, latch);
  set_group(inst.results, std::span(results).subspan(2));
}

void Body::group_while(InstId id) {
  const Instruction& inst = m_[id];
  RegionId test = inst.regions[0], body = inst.regions[1];
  std::span<const ValueId> args = m_[test].args;
  std::vector<V> start = group_values(inst.operands, args);
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("while"), inside = e_.new_label("do"),
              latch = e_.new_label("next"), end = e_.new_label("done"), before = e_.block();
  jump(head);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  set_group(args, now);
  steps(test);
  const Instruction& condition = m_[m_[test].insts.back()];
  jump_if(agreed_[id.index] ? agreed_[id.index] : at_group(condition.operands[0]), inside, end);
  e_.begin_block(inside);
  set_group(m_[body].args, now);
  steps(body);
  std::vector<V> values = group_values(m_[m_[body].insts.back()].operands, args);
  jump(latch);
  e_.begin_block(latch);
  keep(next, values);
  jump(head);
  e_.begin_block(end);
  set_group(inst.results, now);
}

}  // namespace enigma::cpu
