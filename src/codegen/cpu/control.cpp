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

std::span<const ValueId> all(std::span<const ValueId> v) { return v; }

}  // namespace

void Body::region(RegionId r, const Mask& mask) {
  size_t checks = checks_.size();
  ++written_;
  for (InstId i : m_[r].insts) instruction(i, mask);
  multiply_pending();
  ++written_;
  forget_checks(checks);
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
      hand_on(yielded(m_, inst.regions[arm]), inst.results);
    }
    from[arm] = e_.block();
    jump(end);
  }
  e_.begin_block(end);
  if (!inst.results.empty()) set_all(inst.results, phis(values[0], from[0], values[1], from[1]));
}

// Lanes that part under a condition often do not: bounds tests hold for all but the last
// SIMD-group. Where all 32 lanes are active and what they do is worth it, the code is written
// twice, without masks for the case that they go together.
void Body::branch_apart(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  V cond = lanes(inst.operands[0]);
  if (!mask.all() || !worth_two_copies(inst)) {
    return set_all(inst.results, branch_masked(inst, cond, mask));
  }
  ++copies_;
  V all_go = holds_for_all(inst.operands[0]);
  std::string together = e_.new_label("together"), apart = e_.new_label("apart"),
              end = e_.new_label("endif");
  jump_if(all_go, together, apart);
  e_.begin_block(together);
  region(inst.regions[0], mask);
  std::vector<V> a = all_formed(yielded(m_, inst.regions[0]), inst.results);
  hand_on(yielded(m_, inst.regions[0]), inst.results);
  std::string from_a = e_.block();
  jump(end);
  e_.begin_block(apart);
  std::vector<V> b = branch_masked(inst, cond, mask);
  std::string from_b = e_.block();
  jump(end);
  e_.begin_block(end);
  set_all(inst.results, phis(a, from_a, b, from_b));
  --copies_;
}

std::vector<V> Body::branch_masked(const Instruction& inst, const V& cond, const Mask& mask) {
  std::vector<V> values[2];
  for (size_t arm = 0; arm < inst.regions.size(); ++arm) {
    RegionId r = inst.regions[arm];
    if (is_cheap(r)) {
      region(r, mask);
      values[arm] = all_formed(yielded(m_, r), inst.results);
      continue;
    }
    Mask part = narrowed(mask, arm == 0 ? cond : cond ^ e_.boolean(true, kLanes));
    std::string body = e_.new_label("lanes"), end = e_.new_label("joined"), before = e_.block();
    jump_if(e_.cmp("ne", part.bits, 0), body, end);
    e_.begin_block(body);
    region(r, part);
    std::vector<V> inner = all_formed(yielded(m_, r), inst.results), nothing;
    hand_on(yielded(m_, r), inst.results);
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
  return merged;
}

// Nothing but a little arithmetic: cheaper done than jumped around.
bool Body::is_cheap(RegionId r) const {
  int work = 0;
  for (InstId i : m_[r].insts) {
    const OpInfo& row = info(m_[i].op);
    for (ValueId v : m_[i].operands) {
      if (m_.type(v).is_simd_matrix()) return false;
    }
    if (row.shape == Shape::Yield || row.shape == Shape::Constant) continue;
    if (row.shape == Shape::Make || row.shape == Shape::Extract) continue;  // names, no code
    bool arithmetic = row.shape == Shape::Cast ||
                      (row.shape == Shape::Map && is_instruction(row.op) && row.op != Op::DivF);
    if (!arithmetic || ++work > 4) return false;
  }
  return true;
}

// Copies of copies are few, and only of what is small.
bool Body::worth_two_copies(const Instruction& inst) const {
  constexpr int kCopies = 2, kLargest = 300;
  if (copies_ >= kCopies) return false;
  int size = 0;
  bool gains = inst.op != Op::If;
  auto count = [&](auto&& self, RegionId r) -> void {
    for (InstId i : m_[r].insts) {
      if (++size > kLargest) return;
      const Instruction& inner = m_[i];
      Shape shape = info(inner.op).shape;
      gains |= shape == Shape::Load || shape == Shape::Store || shape == Shape::Region;
      for (RegionId nested : inner.regions) self(self, nested);
    }
  };
  for (RegionId r : inst.regions) count(count, r);
  return gains && size <= kLargest;
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
  return trip_count(x[0], x[1], x[2], m_.type(loop.operands[0]).dtype,
                    known_integer(m_, loop.operands[2]));
}

// The index before the first turn: of each SIMD-group in step, or of the first of them where they
// follow at a known distance.
std::vector<V> Body::first_index(const Instruction& inst) {
  ValueId index = m_[inst.regions[0]].args[0];
  if (all_ && stride(inst.operands[0])) return {formed(inst.operands[0], index, 0)};
  return all_formed(all(inst.operands).first(1), std::span(&index, 1));
}

// Takes it, for the turn to come, from the beginning of `now`; how many it was.
size_t Body::set_index(const Instruction& inst, const std::vector<V>& now) {
  ValueId index = m_[inst.regions[0]].args[0];
  std::optional<int64_t> distance = all_ ? stride(inst.operands[0]) : std::nullopt;
  size_t taken = 0;
  if (!distance || group_uniform(index)) {
    for_copies(index, [&] { set(index, now[taken++]); });
    return taken;
  }
  each([&] {
    auto further = static_cast<double>(*distance * static_cast<int64_t>(one_));
    set(index, one_ == 0 ? now[0] : now[0] + further);
  });
  values_[index.index].stride = distance;
  return 1;
}

// Turns that all lanes make together: `state` holds the index and the carried values, and comes
// back as they are after the last turn.
void Body::turns(const Instruction& inst, const V& count, std::vector<V>& state, const Turn& turn) {
  std::vector<V> start = state;
  start.push_back(count);
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("for"), latch = e_.new_label("next"), end = e_.new_label("done"),
              before = e_.block();
  jump_if(e_.cmp("eq", count, 0), end, head);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  V step = raw(inst.operands[2]);
  if (overlap_ && overlap_->within == &inst) copy_ahead(count - now.back());
  size_t indices = set_index(inst, now);
  std::vector<V> values = turn({now.begin() + static_cast<ptrdiff_t>(indices), now.end() - 1});
  jump(latch);
  e_.begin_block(latch);
  V left = now.back() - 1;
  std::vector<V> moved;
  for (size_t k = 0; k < indices; ++k) moved.push_back(now[k] + step);
  values.insert(values.begin(), moved.begin(), moved.end());
  values.push_back(left);
  keep(next, values);
  jump_if(e_.cmp("ne", left, 0), head, end);
  e_.begin_block(end);
  state = phis(start, before, next, latch);
  state.pop_back();
}

// A turn that runs all that the loop contains.
Body::Turn Body::whole_body(const Instruction& loop, const Mask& mask) {
  return [this, body = loop.regions[0], mask](const std::vector<V>& carried) {
    std::span<const ValueId> args = all(m_[body].args).subspan(1);
    set_all(args, carried);
    region(body, mask);
    std::vector<V> values = all_formed(yielded(m_, body), args);
    hand_on(yielded(m_, body), args);
    return values;
  };
}

void Body::loop_for(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  std::span<const ValueId> args = all(m_[inst.regions[0]].args);
  std::vector<V> state = all_formed(all(inst.operands).subspan(3), args.subspan(1));
  hand_on(all(inst.operands).subspan(3), args.subspan(1));
  std::vector<V> first = first_index(inst);
  state.insert(state.begin(), first.begin(), first.end());
  turns(inst, trip_count(inst, false), state, whole_body(inst, mask));
  set_all(inst.results, {state.begin() + static_cast<ptrdiff_t>(first.size()), state.end()});
}

// All lanes that are still active have made the same number of turns. Those that every lane makes
// come first, without masks, where all 32 lanes begin.
void Body::loop_for_apart(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = all(m_[body].args);
  V trips = trip_count(inst, true);
  V turn = e_.integer(trips.elem, 0);
  std::vector<V> start = all_formed(all(inst.operands).subspan(3), args.subspan(1));
  start.insert(start.begin(), formed(inst.operands[0], args[0], 0));
  hand_on(all(inst.operands).subspan(3), args.subspan(1));
  bool two_copies = mask.all() && worth_two_copies(inst);
  if (two_copies) {
    ++copies_;
    turn = e_.least(trips);
    turns(inst, turn, start, whole_body(inst, mask));
  }
  std::vector<V> results = turns_apart(inst, trips, turn, std::move(start), mask);
  set_all(inst.results, {results.begin() + 1, results.end()});
  if (two_copies) --copies_;
}

// The turns after the first `turn` ones, of the lanes that make more: index and carried values.
std::vector<V> Body::turns_apart(const Instruction& inst, const V& trips, const V& turn,
                                 std::vector<V> start, const Mask& mask) {
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = all(m_[body].args);
  V step = formed(inst.operands[2], args[0], 0);
  Mask some = narrowed(mask, e_.cmp("ult", turn, trips));
  size_t last = start.size();
  start.insert(start.end(), {turn, some.v});
  std::vector<V> next = promise(start);
  std::string head = e_.new_label("for"), latch = e_.new_label("next"), end = e_.new_label("done"),
              before = e_.block();
  jump_if(e_.cmp("ne", some.bits, 0), head, end);
  e_.begin_block(head);
  std::vector<V> now = phis(start, before, next, latch);
  set_all(args, now);
  Mask active = make_mask(now[last + 1]);
  region(body, active);
  std::vector<V> values = all_formed(yielded(m_, body), args.subspan(1));
  hand_on(yielded(m_, body), args.subspan(1));
  jump(latch);
  e_.begin_block(latch);
  for (size_t k = 0; k < values.size(); ++k) {
    values[k] = e_.select(active.v, values[k], now[k + 1]);
  }
  V following = now[last] + 1;
  V still = active.v & e_.cmp("ult", following, trips);
  values.insert(values.begin(), now[0] + step);
  values.insert(values.end(), {following, still});
  keep(next, values);
  jump_if(e_.any(still), head, end);
  e_.begin_block(end);
  std::vector<V> results = phis(start, before, next, latch);
  results.resize(last);
  return results;
}

// ---- while --------------------------------------------------------------------------------------

void Body::loop_while(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  RegionId test = inst.regions[0], body = inst.regions[1];
  std::span<const ValueId> carried = all(m_[test].args);
  bool apart = diverges(kernel_, forms_, inst);
  std::vector<V> start = all_formed(inst.operands, carried);
  hand_on(inst.operands, carried);
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
  hand_on(yielded(m_, body), carried);
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
