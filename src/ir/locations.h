// Numbers for source locations: what a fault record of the CPU device holds instead of a file name.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

/// The distinct locations of a module, numbered in the order of the first instruction that has
/// each, so that they are the same for the module that is read from its text. Yields, of which the
/// text leaves some out, have no number.
class LocationTable {
 public:
  explicit LocationTable(const Module& m);
  /// The number of an instruction's location.
  uint32_t operator[](InstId i) const { return index_[i.index]; }
  /// What the numbers mean: Artifact::locations.
  const std::vector<Location>& list() const { return list_; }

 private:
  void visit(const Module& m, RegionId r);

  std::vector<uint32_t> index_;  // parallel to Module::insts
  std::unordered_map<uint64_t, uint32_t> numbers_;
  std::vector<Location> list_;
};

}  // namespace enigma
