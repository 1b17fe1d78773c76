// Loop invariants: what gives the same in every turn is computed once, before the loop. Nothing of
// it can fault or be seen, so it does no harm when the loop makes no turn.

#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

class Hoister {
 public:
  explicit Hoister(Module& m) : m_(m), depth_of_(m.values.size(), 0) {}

  // `depth` counts the loops around the region. For a loop's own region, `outside` takes what
  // moves.
  void region(RegionId r, uint32_t depth, std::vector<InstId>* outside) {
    for (ValueId a : m_[r].args) depth_of_[a.index] = depth;
    const std::vector<InstId> insts = std::move(m_[r].insts);
    std::vector<InstId> kept;
    kept.reserve(insts.size());
    for (InstId i : insts) {
      const bool loop = m_[i].op == Op::For || m_[i].op == Op::While;
      for (RegionId inner : m_[i].regions) {
        region(inner, loop ? depth + 1 : depth, loop ? &kept : nullptr);
      }
      for (ValueId v : m_[i].results) depth_of_[v.index] = depth;
      kept.push_back(i);
    }
    // What an inner loop let out may move on from here.
    if (outside) {
      std::erase_if(kept, [&](InstId i) {
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

  Module& m_;
  std::vector<uint32_t> depth_of_;  // parallel to values: loops around the definition
};

}  // namespace

void hoist_invariants(Module& m) { Hoister(m).region(m.body, 0, nullptr); }

}  // namespace enigma
