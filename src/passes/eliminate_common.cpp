// Common subexpressions: a value that an instruction before, or around, has already computed.

#include <algorithm>
#include <unordered_map>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

struct Key {
  Op op;
  Type type;
  uint64_t attr;
  std::vector<ValueId> operands;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  size_t operator()(const Key& k) const {
    uint64_t h = static_cast<uint64_t>(k.op);
    auto mix = [&h](uint64_t x) { h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
    mix(k.attr);
    mix(uint64_t{k.type.rows} << 16 | uint64_t{k.type.cols} << 8 |
        static_cast<uint64_t>(k.type.dtype));
    for (ValueId v : k.operands) mix(v.index);
    return static_cast<size_t>(h);
  }
};

class Common {
 public:
  explicit Common(Module& m) : m_(m), rewrites_(m) {}

  void region(RegionId r) {
    std::vector<Key> added;  // what is known in this region only
    std::erase_if(m_[r].insts, [&](InstId i) {
      Instruction& inst = m_[i];
      rewrites_.apply(inst);
      for (RegionId inner : inst.regions) region(inner);
      if (!moves_freely(inst)) return false;
      Key key{inst.op, m_.type(inst.results[0]), inst.attr, inst.operands};
      if (info(inst.op).has(flag::COMMUTES)) std::sort(key.operands.begin(), key.operands.end());
      auto [it, is_new] = known_.try_emplace(key, inst.results[0]);
      if (is_new) {
        added.push_back(std::move(key));
        return false;
      }
      rewrites_.replace(inst.results[0], it->second);
      return true;
    });
    for (const Key& key : added) known_.erase(key);
  }

 private:
  Module& m_;
  Rewrites rewrites_;
  std::unordered_map<Key, ValueId, KeyHash> known_;
};

}  // namespace

void eliminate_common(Module& m) { Common(m).region(m.body); }

}  // namespace enigma
