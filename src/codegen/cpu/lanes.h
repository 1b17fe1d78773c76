// How a value differs between the 32 lanes of a SIMD-group, for one shape of threadgroup.
#pragma once

#include <cstdint>
#include <vector>

#include "enigma/artifact.h"
#include "enigma/limits.h"
#include "ir/verify.h"

namespace enigma::cpu {

constexpr int kLanes = kSimdWidth;

/// The threadgroups that a body of code runs: all threads present, or a part of them at the edge of
/// the grid (then the actual sizes are known only at run time, and lanes are masked).
struct GroupShape {
  Dim3 threads;
  bool whole = true;

  bool one_dimensional() const { return threads.y == 1 && threads.z == 1; }
  /// SIMD-groups, a partial one counted.
  uint32_t simdgroups() const { return static_cast<uint32_t>((threads.total() + 31) / kLanes); }
};

/// Uniform: one value for the active lanes. Linear: lane k holds base + k * stride, modulo the
/// type's width. Vector: anything.
struct LaneForm {
  enum Kind : uint8_t { Unknown, Uniform, Linear, Vector } kind = Unknown;
  int64_t stride = 0;  ///< Linear only, never 0 there
  friend bool operator==(const LaneForm&, const LaneForm&) = default;
};

/// How many numbers, or vectors of 32, a value is; none for a SIMD-group matrix, which has a home.
inline int parts_of(Type t) { return t.is_simd_matrix() ? 0 : t.elements(); }

/// The form of the position in the threadgroup along a dimension.
LaneForm position_form(const GroupShape& shape, int dim);

/// Forms of all values, by a fixpoint over carried values. More precise than Uniformity where the
/// shape helps; carried values of a loop that diverges are Vectors, so that each lane keeps its
/// own.
std::vector<LaneForm> analyse_lanes(const Verified& kernel, const GroupShape& shape);

/// Whether the loop's bounds differ between the lanes (a loop with a barrier in it never diverges:
/// that is checked when it runs).
bool diverges(const Verified& kernel, const std::vector<LaneForm>& forms, const Instruction& loop);

}  // namespace enigma::cpu
