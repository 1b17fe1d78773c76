// Control flow that decides nothing: constant conditions, loops without a turn, carried values that
// never change, and ifs that only choose between values.

#include <algorithm>
#include <optional>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "support/floats.h"

namespace enigma {
namespace {

class Simplifier {
 public:
  explicit Simplifier(Module& m) : m_(m), rewrites_(m) {}

  void run() {
    region(m_.body);
    // Arguments that turned out not to change were read before that was known.
    rewrites_.apply(m_.body);
  }

 private:
  void region(RegionId r) {
    std::vector<InstId> out;
    into(r, out);
    m_[r].insts = std::move(out);
  }

  void into(RegionId r, std::vector<InstId>& out) {
    const std::vector<InstId> insts = std::move(m_[r].insts);
    for (InstId i : insts) {
      rewrites_.apply(m_[i]);
      switch (m_[i].op) {
        case Op::If:
          if_(i, out);
          break;
        case Op::For:
          for_(i, out);
          break;
        case Op::While:
          while_(i, out);
          break;
        default:
          out.push_back(i);
      }
    }
  }

  ValueIds yielded(RegionId r) {
    ValueIds values = m_[m_[r].insts.back()].operands;
    for (ValueId& v : values) v = rewrites_(v);
    return values;
  }

  void if_(InstId i, std::vector<InstId>& out) {
    const auto arms = m_[i].regions;
    const auto results = m_[i].results;
    if (auto condition = m_.constant(m_[i].operands[0])) {
      into(arms[*condition ? 0 : 1], out);
      const auto values = m_[out.back()].operands;
      out.pop_back();
      for (size_t k = 0; k < results.size(); ++k) rewrites_.replace(results[k], values[k]);
      return;
    }
    for (RegionId arm : arms) region(arm);
    const ValueIds then = yielded(arms[0]), otherwise = yielded(arms[1]);
    const bool only_chooses = holds_constants(arms[0]) && holds_constants(arms[1]);
    if (only_chooses && !results.empty()) {
      for (RegionId arm : arms) {
        auto& insts = m_[arm].insts;
        out.insert(out.end(), insts.begin(), insts.end() - 1);
        insts.erase(insts.begin(), insts.end() - 1);
      }
    }
    std::vector<bool> keep(results.size(), true);
    bool any_gone = false;
    for (size_t k = 0; k < results.size(); ++k) {
      if (then[k] == otherwise[k]) {
        rewrites_.replace(results[k], then[k]);
      } else if (only_chooses && m_.type(results[k]).is_scalar()) {
        select(i, results[k], then[k], otherwise[k], out);
      } else {
        continue;
      }
      keep[k] = false;
      any_gone = true;
    }
    if (any_gone) keep_results(m_, i, keep);
    out.push_back(i);
  }

  bool holds_constants(RegionId arm) const {
    const auto& insts = m_[arm].insts;
    return std::all_of(insts.begin(), insts.end() - 1,
                       [&](InstId i) { return m_[i].op == Op::Constant; });
  }

  // The result of an if becomes the result of a select that takes its place.
  void select(InstId i, ValueId v, ValueId then, ValueId otherwise, std::vector<InstId>& out) {
    InstId id{static_cast<uint32_t>(m_.insts.size())};
    m_.insts.push_back({Op::Select, 0, {otherwise, then, m_[i].operands[0]}, {v}, {}});
    m_.locs.push_back(m_.locs[i.index]);
    m_.values[v.index].def = id;
    m_.values[v.index].index = 0;
    out.push_back(id);
  }

  // Whether a loop with these bounds makes no turn.
  bool is_empty(const Instruction& loop) const {
    auto lo = m_.constant(loop.operands[0]), hi = m_.constant(loop.operands[1]),
         step = m_.constant(loop.operands[2]);
    if (loop.operands[0] == loop.operands[1] || (step && *step == 0)) return true;
    if (!lo || !hi || !step) return false;
    const DType t = m_.type(loop.operands[0]).dtype;
    if (is_unsigned(t)) return *lo >= *hi;
    const int64_t from = sign_extend(t, *lo), to = sign_extend(t, *hi);
    return sign_extend(t, *step) > 0 ? from >= to : from <= to;
  }

  void for_(InstId i, std::vector<InstId>& out) {
    const auto results = m_[i].results;
    const ValueIds inits(m_[i].operands.begin() + 3, m_[i].operands.end());
    if (is_empty(m_[i])) {
      for (size_t k = 0; k < results.size(); ++k) rewrites_.replace(results[k], inits[k]);
      return;
    }
    const RegionId body = m_[i].regions[0];
    region(body);
    const std::vector<ValueId> args(m_[body].args.begin() + 1, m_[body].args.end());
    drop_unchanged(i, inits, args, args, yielded(body));
    out.push_back(i);
  }

  void while_(InstId i, std::vector<InstId>& out) {
    const auto inits = m_[i].operands;
    const auto regions = m_[i].regions;
    for (RegionId r : regions) region(r);
    drop_unchanged(i, inits, m_[regions[0]].args, m_[regions[1]].args, yielded(regions[1]));
    out.push_back(i);
  }

  // Carried values that the next turn gets as they came. `args` by value: keep_results edits them.
  void drop_unchanged(InstId i, const ValueIds& inits, std::vector<ValueId> first,
                      std::vector<ValueId> second, const ValueIds& next) {
    const auto results = m_[i].results;
    std::vector<bool> keep(results.size(), true);
    bool any_gone = false;
    for (size_t k = 0; k < results.size(); ++k) {
      const ValueId init = rewrites_(inits[k]);
      if (next[k] != first[k] && next[k] != second[k] && next[k] != init) continue;
      for (ValueId v : {first[k], second[k], results[k]}) rewrites_.replace(v, init);
      keep[k] = false;
      any_gone = true;
    }
    if (any_gone) keep_results(m_, i, keep);
  }

  Module& m_;
  Rewrites rewrites_;
};

}  // namespace

void simplify_regions(Module& m) { Simplifier(m).run(); }

}  // namespace enigma
