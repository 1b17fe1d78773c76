// Where a kernel's SIMD-group matrices are: each has a home of 64 floats, row after row, or stays
// in the memory that it was loaded from.
#pragma once

#include <vector>

#include "enigma/ir.h"

namespace enigma::cpu {

constexpr int kMatrixSide = 8, kMatrixBytes = 256;

struct Homes {
  /// By value: the matrix whose home it shares; itself where it has one of its own. A sum lives in
  /// the home of what it is added to, and a carried matrix in that of the one before, where nothing
  /// else takes those.
  std::vector<ValueId> of;
  /// By value: factors of products that come before anything is written, so that they are read from
  /// where they lie.
  std::vector<bool> in_place;
};

/// Stores, atomic operations and the like.
bool writes_memory(Op op);

/// Whether memory may have changed afterwards: here or, behind a barrier, elsewhere.
bool may_write(const Instruction& inst);

Homes find_homes(const Module& m);

}  // namespace enigma::cpu
