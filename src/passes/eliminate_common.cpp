// Common subexpressions: a value that an instruction before, or around, has already computed.

#include <algorithm>
#include <unordered_set>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

// Instructions that give the same: sets of them are kept by number, which costs no copies.
struct Same {
  const Module* m;

  static bool commutes(const Instruction& a) {
    return info(a.op).has(flag::COMMUTES) && a.operands.size() == 2;
  }
  size_t operator()(InstId id) const {
    const Instruction& inst = (*m)[id];
    const Type type = m->type(inst.results[0]);
    uint64_t h = static_cast<uint64_t>(inst.op);
    auto mix = [&h](uint64_t x) { h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
    mix(inst.attr);
    mix(uint64_t{type.rows} << 16 | uint64_t{type.cols} << 8 | static_cast<uint64_t>(type.dtype));
    if (commutes(inst)) {
      auto [low, high] = std::minmax(inst.operands[0].index, inst.operands[1].index);
      mix(low), mix(high);
    } else {
      for (ValueId v : inst.operands) mix(v.index);
    }
    return static_cast<size_t>(h);
  }
  bool operator()(InstId x, InstId y) const {
    const Instruction &a = (*m)[x], &b = (*m)[y];
    if (a.op != b.op || a.attr != b.attr || m->type(a.results[0]) != m->type(b.results[0])) {
      return false;
    }
    return a.operands == b.operands ||
           (commutes(a) && b.operands.size() == 2 && a.operands[0] == b.operands[1] &&
            a.operands[1] == b.operands[0]);
  }
};

class Common {
 public:
  explicit Common(Module& m) : m_(m), rewrites_(m), known_(16, Same{&m}, Same{&m}) {}

  void region(RegionId r) {
    std::vector<InstId> added;  // what is known in this region only
    std::erase_if(m_[r].insts, [&](InstId i) {
      Instruction& inst = m_[i];
      rewrites_.apply(inst);
      for (RegionId inner : inst.regions) region(inner);
      if (!moves_freely(inst)) return false;
      auto [it, is_new] = known_.insert(i);
      if (is_new) {
        added.push_back(i);
        return false;
      }
      rewrites_.replace(inst.results[0], m_[*it].results[0]);
      return true;
    });
    for (InstId i : added) known_.erase(i);
  }

 private:
  Module& m_;
  Rewrites rewrites_;
  std::unordered_set<InstId, Same, Same> known_;
};

}  // namespace

void eliminate_common(Module& m) { Common(m).region(m.body); }

}  // namespace enigma
