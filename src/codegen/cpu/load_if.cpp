// Loads under a condition. Tests for the edge of a matrix hold everywhere but there, so that all
// lanes, and all SIMD-groups that go together, load without masks where it holds for all.
#include "codegen/cpu/body.h"

namespace enigma::cpu {

void Body::load_if(InstId id, const Mask& mask) {
  ValueId cond = m_[id].operands[2], otherwise = m_[id].operands[3], result = m_[id].results[0];
  auto for_groups = [&](const std::function<void()>& write) { all_ ? each(write) : write(); };
  if (uniform(cond) || !mask.all()) {
    return for_groups([&] { set(result, load_part(id, mask)); });
  }
  V all;
  std::vector<V> xs;
  for_groups([&] {
    V bits = e_.cmp("eq", make_mask(lanes(cond)).bits, -1);
    all = all ? all & bits : bits;
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
  V x = load_from(place(memory, index, mask, id), m_.type(memory).dtype, mask);
  forget_checks(checks);
  return form(m_[id].results[0]).kind == LaneForm::Vector ? e_.splat(x, kLanes) : x;
}

}  // namespace enigma::cpu
