// Loop invariants: what gives the same in every turn is computed once, before the loop. Nothing of
// it can fault or be seen, so it does no harm when the loop makes no turn. Sums of addresses are
// regrouped for it: of (turn + a) + b, a + b is computed before.

#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

class Hoister {
 public:
  explicit Hoister(Module& m)
      : m_(m), append_(m), depth_of_(m.values.size(), 0), uses_(m.values.size(), 0) {
    count_uses(m.body);
  }

  // `depth` counts the loops around the region. For a loop's own region, `outside` takes what
  // moves.
  void region(RegionId r, uint32_t depth, std::vector<InstId>* outside) {
    for (ValueId a : m_[r].args) depth_of_[a.index] = depth;
    const std::vector<InstId> insts = std::move(m_[r].insts);
    std::vector<InstId> kept;
    kept.reserve(insts.size());
    for (InstId i : insts) {
      const bool loop = m_[i].op == Op::For || m_[i].op == Op::While;
      const auto regions = m_[i].regions;  // by value: instructions are added
      for (RegionId inner : regions) {
        region(inner, loop ? depth + 1 : depth, loop ? &kept : nullptr);
      }
      for (ValueId v : m_[i].results) depth_of_[v.index] = depth;
      kept.push_back(i);
    }
    // What an inner loop let out may move on from here.
    if (outside) {
      std::erase_if(kept, [&](InstId i) {
        if (m_[i].op == Op::AddI) regroup(i, depth, *outside);
        if (!moves_freely(m_[i]) || !is_invariant(m_[i], depth)) return false;
        depth_of_[m_[i].results[0].index] = depth - 1;
        outside->push_back(i);
        return true;
      });
    }
    m_[r].insts = std::move(kept);
  }

 private:
  bool is_invariant(const Instruction& inst, uint32_t depth) const {
    return std::all_of(inst.operands.begin(), inst.operands.end(),
                       [&](ValueId v) { return depth_of_[v.index] < depth; });
  }

  void count_uses(RegionId r) {
    for (InstId i : m_[r].insts) {
      for (ValueId v : m_[i].operands) ++uses_[v.index];
      for (RegionId inner : m_[i].regions) count_uses(inner);
    }
  }

  // Makes (turn + a) + b, of which a and b are invariant, turn + (a + b), which takes one addition
  // less where nothing else wants turn + a, and never one more in the loop. Unsigned numbers only,
  // whose sums wrap without a cast in MSL.
  void regroup(InstId i, uint32_t depth, std::vector<InstId>& outside) {
    const Type type = m_.type(m_[i].results[0]);
    if (!type.is_scalar() || !is_unsigned(type.dtype) || info(type.dtype).bits < 32) return;
    for (size_t k : {0, 1}) {
      const ValueId inner = m_[i].operands[k], b = m_[i].operands[1 - k];
      const Instruction* sum = m_.def(inner);
      if (depth_of_[b.index] >= depth || !sum || sum->op != Op::AddI) continue;
      for (size_t j : {0, 1}) {
        const ValueId turn = sum->operands[j], a = sum->operands[1 - j];
        if (depth_of_[turn.index] < depth || depth_of_[a.index] >= depth) continue;
        // Constants beside a sum that others share are better left to the access.
        if (uses_[inner.index] > 1 && (m_.constant(a) || m_.constant(b))) return;
        append_.where = m_.locs[i.index];
        const ValueId before = append_.emit(outside, Op::AddI, {a, b}, type);
        depth_of_.push_back(depth - 1);
        uses_.push_back(1);
        --uses_[inner.index];
        m_[i].operands = {turn, before};
        return;
      }
    }
  }

  Module& m_;
  Appender append_;
  std::vector<uint32_t> depth_of_;  // parallel to values: loops around the definition
  std::vector<uint32_t> uses_;      // parallel to values
};

}  // namespace

void hoist_invariants(Module& m) { Hoister(m).region(m.body, 0, nullptr); }

}  // namespace enigma
