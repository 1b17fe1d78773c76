// Loops of a known number of turns that carry the slot of a ring: unrolled until each slot is a
// constant, so that no instruction is left that counts it.

#include <numeric>
#include <optional>
#include <unordered_map>

#include "ir/signature.h"
#include "passes/evaluate.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "support/floats.h"

namespace enigma {
namespace {

// A longer cycle, or a larger body, stays a loop with a carried slot.
constexpr uint64_t kLongestCycle = 8;
constexpr int64_t kFar = int64_t{1} << 40;  // bounds beyond it are left to the loop
constexpr uint64_t kMostInstructions = 2048;

class Unroller {
 public:
  explicit Unroller(Module& m) : m_(m), make_(m) {}

  void run() { region(m_.body); }

 private:
  using Map = std::unordered_map<uint32_t, ValueId>;

  // What is assumed of values, and what was found out of it; empty for those that are not known.
  struct Env {
    std::unordered_map<uint32_t, std::optional<uint64_t>> bits;
    int patience = 256;  // values looked at: a ring is counted by few
  };

  // A carried integer that runs round by itself, whatever else the body does.
  struct Ring {
    size_t position;              // among the carried values
    std::vector<uint64_t> cycle;  // its value in turn 0, 1, ...; then again the first
  };

  void region(RegionId r) {
    std::vector<InstId> out;
    std::vector<InstId> todo(m_[r].insts.rbegin(), m_[r].insts.rend());
    while (!todo.empty()) {
      const InstId i = todo.back();
      todo.pop_back();
      for (ValueId& v : m_[i].operands) v = now(v);
      if (m_[i].op == Op::For) {
        if (auto unrolled = unroll(i)) {
          todo.insert(todo.end(), unrolled->rbegin(), unrolled->rend());
          continue;
        }
      }
      const auto inner = m_[i].regions;
      for (RegionId each : inner) region(each);
      out.push_back(i);
    }
    m_[r].insts = std::move(out);
  }

  ValueId now(ValueId v) const {
    for (auto found = become_.find(v.index); found != become_.end();
         found = become_.find(v.index)) {
      v = found->second;
    }
    return v;
  }

  // ---- what is known of values ----

  // The bits of a value that follows from constants and from what `env` holds; empty for others.
  std::optional<uint64_t> known(ValueId v, Env& env) const {
    v = now(v);
    if (auto found = env.bits.find(v.index); found != env.bits.end()) return found->second;
    if (--env.patience < 0) return std::nullopt;
    return env.bits[v.index] = find(v, env);
  }

  std::optional<uint64_t> find(ValueId v, Env& env) const {
    const Instruction* def = m_.def(v);
    if (!def || !m_.type(v).is_scalar()) return std::nullopt;
    const Shape shape = info(def->op).shape;
    if (shape == Shape::Constant) return def->attr;
    if (def->op == Op::For) return after_loop(*def, m_.values[v.index].index, env);
    if (def->op == Op::If) {
      auto condition = known(def->operands[0], env);
      if (!condition) return std::nullopt;
      const RegionId arm = def->regions[*condition ? 0 : 1];
      return known(m_[m_[arm].insts.back()].operands[m_.values[v.index].index], env);
    }
    if (shape != Shape::Map && def->op != Op::Cast) return std::nullopt;
    std::vector<uint64_t> bits;
    for (ValueId x : def->operands) {
      auto b = m_.type(x).is_scalar() ? known(x, env) : std::nullopt;
      if (!b) return std::nullopt;
      bits.push_back(*b);
    }
    const DType from = m_.type(now(def->operands[0])).dtype;
    if (def->op == Op::Cast) return evaluate_cast(from, m_.type(v).dtype, bits[0]);
    return evaluate(def->op, from, bits);
  }

  // The turns of a loop whose bounds are constants.
  std::optional<uint64_t> turns(const Instruction& loop) const {
    const ValueId ends[] = {now(loop.operands[0]), now(loop.operands[1]), now(loop.operands[2])};
    int64_t at[3];
    for (int k = 0; k < 3; ++k) {
      const auto known = known_integer(m_, ends[k]);
      if (!known || *known > kFar || *known < -kFar) return std::nullopt;
      at[k] = *known;
    }
    const auto [lo, hi, step] = at;
    if (step == 0 || (step > 0 ? lo >= hi : lo <= hi)) return 0;
    const int64_t distance = step > 0 ? hi - lo : lo - hi, by = std::abs(step);
    return static_cast<uint64_t>((distance + by - 1) / by);
  }

  // The cycle that carried value k runs through, which begins where `env` says; empty for a value
  // that depends on others, or comes back too late.
  std::optional<Ring> ring(const Instruction& loop, size_t k, Env& env) const {
    const RegionId body = loop.regions[0];
    const ValueId arg = m_[body].args[1 + k];
    if (!m_.type(arg).is_scalar() || !is_integer(m_.type(arg).dtype)) return std::nullopt;
    const ValueId next = m_[m_[body].insts.back()].operands[k];
    if (now(next) == arg) return std::nullopt;
    auto first = known(loop.operands[3 + k], env);
    if (!first) return std::nullopt;
    Ring found{k, {*first}};
    while (found.cycle.size() <= kLongestCycle) {
      Env inside = env;
      inside.bits[arg.index] = found.cycle.back();
      auto bits = known(next, inside);
      if (!bits) return std::nullopt;
      if (*bits == *first) return found;
      found.cycle.push_back(*bits);
    }
    return std::nullopt;
  }

  std::optional<uint64_t> after_loop(const Instruction& loop, size_t k, Env& env) const {
    auto count = turns(loop);
    auto found = count ? ring(loop, k, env) : std::nullopt;
    if (!found) return std::nullopt;
    return found->cycle[*count % found->cycle.size()];
  }

  // ---- unrolling ----

  size_t size(RegionId r) const {
    size_t n = 0;
    for (InstId i : m_[r].insts) {
      ++n;
      for (RegionId inner : m_[i].regions) n += size(inner);
    }
    return n;
  }

  // What takes the place of a loop; empty where it stays.
  std::optional<std::vector<InstId>> unroll(InstId i) {
    const Instruction loop = m_[i];
    const RegionId body = loop.regions[0];
    auto count = turns(loop);
    if (!count || *count == 0) return std::nullopt;
    std::vector<Ring> rings;
    uint64_t period = 1;
    for (size_t k = 0; k < loop.results.size(); ++k) {
      Env nothing;
      auto found = ring(loop, k, nothing);
      if (!found) continue;
      const uint64_t both = std::lcm(period, found->cycle.size());
      if (both > kLongestCycle) continue;
      period = both;
      rings.push_back(std::move(*found));
    }
    if (rings.empty()) return std::nullopt;
    const uint64_t rounds = *count / period < 2 ? 0 : *count / period;
    const uint64_t rest = *count - rounds * period;
    if (period > 1 && size(body) * (rest + (rounds ? period : 0)) > kMostInstructions) {
      return std::nullopt;
    }

    if (period == 1) return fixed(i, rings);

    make_.where = m_.locs[i.index];
    std::vector<InstId> out;
    ValueIds carried(loop.operands.begin() + 3, loop.operands.end());
    const Type type = m_.type(m_[body].args[0]);
    const uint64_t lo = m_.def(now(loop.operands[0]))->attr;
    const uint64_t step = m_.def(now(loop.operands[2]))->attr;
    auto index = [&](uint64_t turn) { return mask_to(type.dtype, lo + turn * step); };
    auto fix = [&](ValueIds& values, uint64_t turn, std::vector<InstId>& insts) {
      for (const Ring& r : rings) {
        const uint64_t bits = r.cycle[turn % r.cycle.size()];
        values[r.position] = make_.constant(insts, m_.type(values[r.position]), bits);
      }
    };
    if (rounds) {
      const uint64_t by = mask_to(type.dtype, step * period);
      if (sign_extend(type.dtype, by) !=
          sign_extend(type.dtype, step) * static_cast<int64_t>(period)) {
        return std::nullopt;  // a step over a round has no place in the index's type
      }
      // The end is the loop's own where nothing is left over: it cannot overflow.
      ValueIds operands{loop.operands[0], loop.operands[1], make_.constant(out, type, by)};
      if (rest) operands[1] = make_.constant(out, type, index(rounds * period));
      operands.append(carried.begin(), carried.end());
      carried = round(i, std::move(operands), period, step, fix, out);
    }
    for (uint64_t turn = *count - rest; turn < *count; ++turn) {
      fix(carried, turn, out);
      carried = copy_body(body, make_.constant(out, type, index(turn)), carried, out);
    }
    fix(carried, *count, out);
    for (size_t k = 0; k < carried.size(); ++k) become_[loop.results[k].index] = carried[k];
    return out;
  }

  // Carried values that are the same in every turn.
  std::optional<std::vector<InstId>> fixed(InstId i, const std::vector<Ring>& rings) {
    bool changed = false;
    std::vector<InstId> out;
    for (const Ring& r : rings) {
      const ValueId arg = m_[m_[i].regions[0]].args[1 + r.position];
      const ValueId result = m_[i].results[r.position];
      if (become_.contains(arg.index)) continue;
      const ValueId init = m_[i].operands[3 + r.position];
      become_[arg.index] = become_[result.index] = init;
      InstId end = m_[m_[i].regions[0]].insts.back();
      m_[end].operands[r.position] = init;
      changed = true;
    }
    if (!changed) return std::nullopt;
    out.push_back(i);
    return out;
  }

  // The loop over whole rounds of the ring, with a copy of the body for each turn of a round.
  template <class Fix>
  ValueIds round(InstId i, ValueIds operands, uint64_t period, uint64_t step, const Fix& fix,
                 std::vector<InstId>& out) {
    const RegionId body = m_[i].regions[0];
    const InstId loop = make_.inst(Op::For, std::move(operands));
    const RegionId r = make_.region(loop);
    ValueIds args;
    for (ValueId v : std::vector(m_[body].args)) args.push_back(argument(r, v));
    std::vector<InstId> insts;
    ValueIds carried(args.begin() + 1, args.end());
    const Type type = m_.type(args[0]);
    for (uint64_t turn = 0; turn < period; ++turn) {
      fix(carried, turn, insts);
      ValueId at = args[0];
      if (turn) {
        const ValueId by = make_.constant(insts, type, mask_to(type.dtype, turn * step));
        insts.push_back(make_.inst(Op::AddI, {args[0], by}));
        at = make_.result(insts.back(), type, m_.value_names[args[0].index]);
      }
      carried = copy_body(body, at, carried, insts);
    }
    fix(carried, period, insts);
    insts.push_back(make_.inst(Op::Yield, carried));
    m_[r].insts = std::move(insts);
    ValueIds results;
    const auto old = m_[i].results;  // by value: instructions are added
    for (ValueId v : old) {
      results.push_back(make_.result(loop, m_.type(v), m_.value_names[v.index]));
    }
    out.push_back(loop);
    return results;
  }

  // One turn, appended to `out`; gives what it hands to the next.
  ValueIds copy_body(RegionId body, ValueId index, const ValueIds& carried,
                     std::vector<InstId>& out) {
    Map map;
    const auto& args = m_[body].args;
    map[args[0].index] = index;
    for (size_t k = 0; k < carried.size(); ++k) map[args[1 + k].index] = carried[k];
    copy_insts(body, map, out);
    const InstId end = out.back();
    out.pop_back();
    return m_[end].operands;
  }

  void copy_insts(RegionId from, Map& map, std::vector<InstId>& out) {
    for (InstId i : std::vector(m_[from].insts)) {
      const Instruction old = m_[i];
      ValueIds operands;
      for (ValueId v : old.operands) operands.push_back(mapped(v, map));
      const Loc outer = make_.where;
      make_.where = m_.locs[i.index];
      const InstId made = make_.inst(old.op, std::move(operands), old.attr);
      for (ValueId v : old.results) {
        map[v.index] = make_.result(made, m_.type(v), m_.value_names[v.index]);
      }
      for (RegionId r : old.regions) {
        const RegionId inner = make_.region(made);
        for (ValueId v : std::vector(m_[r].args)) map[v.index] = argument(inner, v);
        std::vector<InstId> insts;
        copy_insts(r, map, insts);
        m_[inner].insts = std::move(insts);
      }
      make_.where = outer;
      out.push_back(made);
    }
  }

  ValueId argument(RegionId r, ValueId like) {
    return make_.argument(r, m_.type(like), m_.value_names[like.index]);
  }

  ValueId mapped(ValueId v, const Map& map) const {
    v = now(v);
    auto found = map.find(v.index);
    return found == map.end() ? v : found->second;
  }

  Module& m_;
  Map become_;  // results of loops that are gone, and what stands for them
  Appender make_;
};

}  // namespace

void unroll_rings(Module& m) { Unroller(m).run(); }

}  // namespace enigma
