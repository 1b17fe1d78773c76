// The table of distinct locations of a module.

#include "ir/locations.h"

#include <unordered_map>

namespace enigma {

LocationTable::LocationTable(const Module& m) : index_(m.insts.size()) {
  std::unordered_map<uint64_t, uint32_t> numbers;
  for (uint32_t i = 0; i < m.insts.size(); ++i) {
    Loc loc = m.locs[i];
    auto [it, is_new] = numbers.try_emplace(loc.line ? uint64_t{loc.file} << 32 | loc.line : 0,
                                            static_cast<uint32_t>(list_.size()));
    if (is_new) list_.push_back(m.location(InstId{i}));
    index_[i] = it->second;
  }
}

}  // namespace enigma
