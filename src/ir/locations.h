// Numbers for source locations: what a fault record of the CPU device holds instead of a file name.
#pragma once

#include <cstdint>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

/// The distinct locations of a module, numbered in the order of the first instruction that has
/// each. Passes never renumber instructions, so the numbers hold for a module's whole life.
class LocationTable {
 public:
  explicit LocationTable(const Module& m);
  /// The number of an instruction's location.
  uint32_t operator[](InstId i) const { return index_[i.index]; }
  /// What the numbers mean: Artifact::locations.
  const std::vector<Location>& list() const { return list_; }

 private:
  std::vector<uint32_t> index_;  // parallel to Module::insts
  std::vector<Location> list_;
};

}  // namespace enigma
