// Which elements of its buffers a kernel touches for certain, as formulas in the grid's size.
#pragma once

#include <vector>

#include "enigma/artifact.h"
#include "enigma/ir.h"

namespace enigma {

/// The loads and stores that every thread makes (they stand under no condition and in no loop) at
/// an index that is a sum of products of positions in the grid, grid sizes, scalars and constants.
/// `location` of each bound is the instruction's number in the LocationTable (ir/locations.h).
std::vector<IndexBound> index_bounds(const Module& m);

}  // namespace enigma
