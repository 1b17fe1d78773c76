// The product of two tiles in memory, added to a third: by the whole threadgroup, or by each
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "enigma/builder.h"

namespace enigma {

/// A matrix in device or threadgroup memory, row after row: element (i, j) is number
/// offset + i * pitch + j.
struct Tile {
  ValueId memory;
  Operand offset = 0;
  int64_t pitch = 0;  ///< elements from one row to the next
};

/// c += a @ b, with m x k elements of a, k x n of b, m x n of c.
struct Gemm {
  Tile a, b;
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false;       ///< a holds k x m elements
  bool transpose_b = false;       ///< b holds n x k elements
  DType accumulate = DType::F32;  ///< the type that products are added in
};

/// The whole threadgroup shares the work; all its threads must get here together, and a barrier
/// stands between this and what other threads write to the tiles before, or read of c afterwards.
///
/// Where Metal has SIMD-group matrices of these types they do the multiples of 8 of m, n and k, and
/// the threads, one element at a time, the rest. Then every threadgroup has to have a multiple of
/// 32 threads. A c of floats of another type than is accumulated takes threadgroup memory besides,
/// of at most 32 matrices, and without that much left goes by elements. `simd_matrices` is false
/// where they are not to be used; where it is true, Error says why they cannot be.
void gemm(Builder& b, const Gemm& g, const Tile& c,
          std::optional<bool> simd_matrices = std::nullopt);

/// Each thread by itself: gives the m x n sums, row after row, that begin as `sums` and have their
/// type.
std::vector<ValueId> gemm(Builder& b, const Gemm& g, std::span<const ValueId> sums);

}  // namespace enigma
