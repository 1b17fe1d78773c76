// Control flow inside a phase: scalar where the lanes go together, masks where they part.
#include <algorithm>
#include <optional>

#include "codegen/cpu/body.h"
#include "codegen/cpu/table.h"

namespace enigma::cpu {
namespace {

std::span<const ValueId> yielded(const Module& m, RegionId r) {
  const Region& region = m[r];
  if (region.insts.empty()) return {};
  const Instruction& last = m[region.insts.back()];
  return info(last.op).shape == Shape::Yield ? last.operands : std::span<const ValueId>();
}

std::span<const ValueId> all(const std::vector<ValueId>& v) { return v; }

}  // namespace

void Body::region(RegionId r, const Mask& mask) {
  for (InstId i : m_[r].insts) instruction(i, mask);
}

// ---- if -----------------------------------------------------------------------------------------

void Body::branch(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  std::string then = e_.new_label("then"), otherwise = e_.new_label("else"),
              end = e_.new_label("endif");
  jump_if(raw(inst.operands[0]), then, otherwise);
  std::vector<V> values[2];
  std::string from[2];
  for (int arm = 0; arm < 2; ++arm) {
    e_.begin_block(arm == 0 ? then : otherwise);
    if (arm < static_cast<int>(inst.regions.size())) {
      region(inst.regions[arm], mask);
      values[arm] = all_formed(yielded(m_, inst.regions[arm]), inst.results);
    }
    from[arm] = e_.block();
    jump(end);
  }
  e_.begin_block(end);
  if (!inst.results.empty()) set_all(inst.results, phis(values[0], from[0], values[1], from[1]));
}

void Body::branch_apart(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  V cond = lanes(inst.operands[0]);
  std::vector<V> values[2];
  for (int arm = 0; arm < static_cast<int>(inst.regions.size()); ++arm) {
    RegionId r = inst.regions[arm];
    size_t work = 0;
    bool quiet = true;  // nothing but arithmetic: cheaper done than jumped around
    for (InstId i : m_[r].insts) {
      const OpInfo& row = info(m_[i].op);
      if (row.shape == Shape::Yield || row.shape == Shape::Constant) continue;
      quiet = quiet && (row.shape == Shape::Cast ||
                        (row.shape == Shape::Map && !rule(row.op).hand && row.op != Op::DivF));
      ++work;
    }
    if (work == 0 || (quiet && work <= 4)) {
      region(r, mask);
      values[arm] = all_formed(yielded(m_, r), inst.results);
      continue;
    }
    V here = arm == 0 ? cond : cond ^ e_.boolean(true, kLanes);
    Mask part = narrowed(mask, here);
    std::string body = e_.new_label("lanes"), end = e_.new_label("joined"), before = e_.block();
    jump_if(e_.cmp("ne", part.bits, 0), body, end);
    e_.begin_block(body);
    region(r, part);
    std::vector<V> inner = all_formed(yielded(m_, r), inst.results), nothing;
    for (const V& x : inner) nothing.push_back({&e_, "zeroinitializer", x.elem, x.lanes});
    std::string last = e_.block();
    jump(end);
    e_.begin_block(end);
    values[arm] = phis(inner, last, nothing, before);
  }
  std::vector<V> merged;
  for (size_t k = 0; k < values[0].size(); ++k) {
    merged.push_back(e_.select(cond, values[0][k], values[1][k]));
  }
  set_all(inst.results, merged);
}

// ---- for ----------------------------------------------------------------------------------------

V Body::trip_count(const V& lo, const V& hi, const V& step, DType dtype,
                   std::optional<int64_t> known_step) {
  std::string less = is_signed(dtype) ? "slt" : "ult", more = is_signed(dtype) ? "sgt" : "ugt";
  V zero = e_.like(lo, 0);
  // The distance is less than 2^width read as unsigned, whatever the signs are.
  auto turns = [&](const V& distance, const V& stride) {
    return divide(false, distance - 1, stride) + 1;
  };
  if (known_step) {
    if (*known_step == 0) return zero;
    bool up = *known_step > 0;
    V distance = up ? hi - lo : lo - hi;
    V some = e_.cmp(up ? less : more, lo, hi);
    bool one = *known_step == 1 || *known_step == -1;
    return e_.select(some, one ? distance : turns(distance, up ? step : zero - step), zero);
  }
  V up = e_.cmp(more, step, zero);
  V down = is_signed(dtype) ? e_.cmp(less, step, zero) : e_.boolean(false, step.lanes);
  V distance = e_.select(up, hi - lo, lo - hi);
  V some = (up & e_.cmp(less, lo, hi)) | (down & e_.cmp(more, lo, hi));
  V stride = e_.select(up, step, zero - step);
  V safe = e_.select(e_.cmp("eq", stride, zero), e_.like(stride, 1), stride);
  return e_.select(some, turns(distance, safe), zero);
}

V Body::trip_count(const Instruction& loop, bool wide) {
  V x[3];
  for (int k = 0; k < 3; ++k) x[k] = wide ? lanes(loop.operands[k]) : raw(loop.operands[k]);
  return trip_count(x[0], x[1], x[2], m_.type(loop.operands[0]).dtype, known(loop.operands[2]));
}

void Body::loop_for(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = all(m_[body].args);
  std::span<const ValueId> carried = args.subspan(1), inits = all(inst.operands).subspan(3);
  V trips = trip_count(inst, false);
  std::vector<V> start = all_formed(inits, carried);
  start.insert(start.begin(), {trips, raw(inst.operands[0])});
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("for"), latch = e_.new_label("next"), end = e_.new_label("done"),
              before = e_.block();
  jump_if(e_.cmp("eq", trips, 0), end, head);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  set(args[0], now[1]);
  set_all(carried, {now.begin() + 2, now.end()});
  region(body, mask);
  std::vector<V> values = all_formed(yielded(m_, body), carried);
  jump(latch);
  e_.begin_block(latch);
  V left = now[0] - 1;
  values.insert(values.begin(), {left, now[1] + raw(inst.operands[2])});
  keep(next, values);
  jump_if(e_.cmp("ne", left, 0), head, end);
  e_.begin_block(end);
  std::vector<V> results = phis(start, before, next, latch);
  set_all(inst.results, {results.begin() + 2, results.end()});
}

// All lanes that are still active have made the same number of turns.
void Body::loop_for_apart(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = all(m_[body].args);
  std::span<const ValueId> carried = args.subspan(1), inits = all(inst.operands).subspan(3);
  ValueId index = args[0];
  V trips = trip_count(inst, true);
  V step = formed(inst.operands[2], index, 0);
  Mask some = narrowed(mask, e_.cmp("ne", trips, 0));
  std::vector<V> start = all_formed(inits, carried);
  start.insert(start.begin(),
               {e_.integer(trips.elem, 0), formed(inst.operands[0], index, 0), some.v});
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("for"), latch = e_.new_label("next"), end = e_.new_label("done"),
              before = e_.block();
  jump_if(e_.cmp("ne", some.bits, 0), head, end);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  set(index, now[1]);
  std::vector<V> old(now.begin() + 3, now.end());
  set_all(carried, old);
  Mask active = make_mask(now[2]);
  region(body, active);
  std::vector<V> values = all_formed(yielded(m_, body), carried);
  jump(latch);
  e_.begin_block(latch);
  for (size_t k = 0; k < values.size(); ++k) values[k] = e_.select(active.v, values[k], old[k]);
  V turn = now[0] + 1;
  V still = active.v & e_.cmp("ult", turn, trips);
  values.insert(values.begin(), {turn, now[1] + step, still});
  keep(next, values);
  jump_if(e_.any(still), head, end);
  e_.begin_block(end);
  std::vector<V> results = phis(start, before, next, latch);
  set_all(inst.results, {results.begin() + 3, results.end()});
}

// ---- while --------------------------------------------------------------------------------------

void Body::loop_while(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  RegionId test = inst.regions[0], body = inst.regions[1];
  std::span<const ValueId> carried = all(m_[test].args);
  bool apart = diverges(kernel_, forms_, inst);
  std::vector<V> start = all_formed(inst.operands, carried);
  if (apart) start.push_back(mask_vector(mask));
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("while"), inside = e_.new_label("do"),
              latch = e_.new_label("next"), end = e_.new_label("done"), before = e_.block();
  jump(head);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  Mask active = apart ? make_mask(now.back()) : mask;
  if (apart) now.pop_back();
  set_all(carried, now);
  region(test, active);
  ValueId cond = yielded(m_, test)[0];
  Mask going = apart ? narrowed(active, lanes(cond)) : mask;
  jump_if(apart ? e_.cmp("ne", going.bits, 0) : raw(cond), inside, end);
  e_.begin_block(inside);
  set_all(m_[body].args, now);
  region(body, going);
  std::vector<V> values = all_formed(yielded(m_, body), carried);
  jump(latch);
  e_.begin_block(latch);
  if (apart) {
    for (size_t k = 0; k < values.size(); ++k) values[k] = e_.select(going.v, values[k], now[k]);
    values.push_back(going.v);
  }
  keep(next, values);
  jump(head);
  e_.begin_block(end);
  set_all(inst.results, now);
}

}  // namespace enigma::cpu
