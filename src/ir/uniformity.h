// Which values are the same for all threads of a SIMD-group, a threadgroup, the grid.
#pragma once

#include <cstdint>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

enum class Level : uint8_t {
  Grid,     ///< one value for the whole launch
  Group,    ///< one value per threadgroup
  Simd,     ///< one value per SIMD-group
  Varying,  ///< may differ from lane to lane
};

/// Levels of all values, by a fixpoint over carried values. A value that is computed under
/// divergent control flow and leaves it (a result of a varying `if`, of a loop with a varying trip
/// count) is Varying, whatever it is computed from.
struct Uniformity {
  std::vector<Level> levels;  ///< parallel to Module::values
  /// Per instruction: the least uniform condition that decides whether a thread gets here.
  std::vector<Level> control;
  /// Per instruction: it is, or contains, a threadgroup barrier.
  std::vector<bool> has_barrier;

  Level operator[](ValueId v) const { return levels[v.index]; }
};

Uniformity analyse_uniformity(const Module& m);

}  // namespace enigma
