// Where a kernel's SIMD-group matrices are: each has a home of 64 floats, or stays
// in the memory that it was loaded from.
#pragma once

#include <vector>

#include "enigma/ir.h"

namespace enigma::cpu {

constexpr int kMatrixSide = 8;

// Homes are interleaved, so that a row of neighbours is in one piece: so many go together, rows of
// one are so many floats apart, and so many bytes are for all of them.
constexpr uint32_t kNeighbours = 4;
constexpr int kHomePitch = kNeighbours * kMatrixSide;
constexpr uint32_t kHomesBytes = kNeighbours * kMatrixSide * kMatrixSide * 4;

/// Of the home with a number among others: how many bytes further it begins than the first one.
constexpr uint32_t home_offset(uint32_t number) {
  return number / kNeighbours * kHomesBytes + number % kNeighbours * kMatrixSide * 4;
}

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
