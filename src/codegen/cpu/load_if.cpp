// Loads under a condition. Tests for the edge of a matrix hold everywhere but there, so that all
// lanes, and all SIMD-groups that go together, load without masks where it holds for all.
#include "codegen/cpu/body.h"

namespace enigma::cpu {

// Whether a condition holds for all lanes, by scalars where that can be: of indices that rise from
// lane to lane, the first and the last tell.
V Body::holds_for_all(ValueId cond) {
  if (uniform(cond)) return raw(cond);
  const Instruction* def = plan_.slots[cond.index].kind ? nullptr : m_.def(cond);
  if (def && def->op == Op::AndB) {
    return holds_for_all(def->operands[0]) & holds_for_all(def->operands[1]);
  }
  if (def && (def->op == Op::CmpLtI || def->op == Op::CmpLeI || def->op == Op::CmpUlt)) {
    ValueId index = def->operands[0], end = def->operands[1];
    const LaneForm f = form(index);
    DType type = m_.type(index).dtype;
    if (f.kind == LaneForm::Linear && f.stride > 0 && uniform(end) && info(type).bits >= 32) {
      const bool with_sign = def->op != Op::CmpUlt && is_signed(type);
      const std::string sign = with_sign ? "s" : "u";
      V first = raw(index), last = first + static_cast<double>(f.stride * (kLanes - 1));
      V rises = e_.cmp(sign + "lt", first, last);
      return rises & e_.cmp(sign + (def->op == Op::CmpLeI ? "le" : "lt"), last, raw(end));
    }
  }
  return e_.cmp("eq", make_mask(lanes(cond)).bits, -1);
}

void Body::load_if(InstId id, const Mask& mask) {
  ValueId cond = m_[id].operands[2], otherwise = m_[id].operands[3], result = m_[id].results[0];
  auto for_groups = [&](const std::function<void()>& write) { all_ ? each(write) : write(); };
  if (uniform(cond) || !mask.all()) {
    return for_groups([&] { set(result, load_part(id, mask)); });
  }
  V all;
  std::vector<V> xs;
  for_groups([&] {
    V holds = holds_for_all(cond);
    all = all ? all & holds : holds;
    xs.push_back(formed(otherwise, result, 0));
  });
  auto loads = [&](const std::function<V()>& one) {
    return [&, one] {
      std::vector<V> loaded;
      for_groups([&] { loaded.push_back(one()); });
      return loaded;
    };
  };
  xs = e_.when(all ^ e_.boolean(true), xs, loads([&] { return load_part(id, mask); }));
  xs = e_.when(all, xs, loads([&] { return load_active(id, mask); }));
  size_t next = 0;
  for_groups([&] { set(result, xs[next++]); });
}

// Where some lanes load, or none.
V Body::load_part(InstId id, const Mask& mask) {
  ValueId cond = m_[id].operands[2], result = m_[id].results[0];
  bool together = uniform(cond);
  V holds = together ? raw(cond) : lanes(cond);
  V instead = formed(m_[id].operands[3], result, 0);
  Mask part = together ? mask : narrowed(mask, holds);
  V some = together ? holds : e_.cmp("ne", part.bits, 0);
  auto then = [&]() -> std::vector<V> {
    V x = load_active(id, part);
    return {together ? x : e_.select(part.v, x, instead)};
  };
  return e_.when(some, {instead}, then)[0];
}

// In the form of the result, which differs between lanes where only the index is the same for all.
V Body::load_active(InstId id, const Mask& mask) {
  ValueId memory = m_[id].operands[0], index = m_[id].operands[1];
  size_t checks = checks_.size();
  const Place p = place(memory, index, mask, id);
  read_ahead(id, m_.type(memory).dtype, p, mask);
  V x = load_from(p, m_.type(memory).dtype, mask);
  forget_checks(checks);
  return form(m_[id].results[0]).kind == LaneForm::Vector ? e_.splat(x, kLanes) : x;
}

}  // namespace enigma::cpu
