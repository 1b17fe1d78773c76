// The table of distinct locations of a module.

#include "ir/locations.h"

namespace enigma {

LocationTable::LocationTable(const Module& m) : index_(m.insts.size()) { visit(m, m.body); }

void LocationTable::visit(const Module& m, RegionId r) {
  for (InstId i : m[r].insts) {
    if (info(m[i].op).shape == Shape::Yield) continue;
    const Loc loc = m.locs[i.index];
    auto [it, is_new] = numbers_.try_emplace(loc.line ? uint64_t{loc.file} << 32 | loc.line : 0,
                                             static_cast<uint32_t>(list_.size()));
    if (is_new) list_.push_back(m.location(i));
    index_[i.index] = it->second;
    for (RegionId inner : m[i].regions) visit(m, inner);
  }
}

}  // namespace enigma
