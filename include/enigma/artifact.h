// A compiled kernel: all that a runtime needs to run it, and nothing of the IR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enigma/error.h"
#include "enigma/types.h"

namespace enigma {

/// Threads, or threadgroups, along x, y and z.
struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  constexpr uint64_t total() const { return uint64_t{x} * y * z; }
  friend constexpr bool operator==(Dim3, Dim3) = default;
};
/// "(64, 1, 1)"
inline std::string str(Dim3 d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

struct ParamInfo {
  std::string name;
  uint32_t index;  ///< MSL buffer index
  DType dtype;
  bool is_scalar;
  bool read;
  bool written;
  uint64_t elements = 0;  ///< the least number that a buffer must have
  uint32_t multiple = 0;  ///< of a size, from 1 to kMaxSize: what divides it. 0: any number
};

/// A function constant: a number that is given when the kernel is prepared.
struct ConstantInfo {
  uint32_t index;
  DType dtype;
  std::string name;  ///< the Python name; "" when it has none
};

/// For what a CPU kernel is specialised: the threads of a whole threadgroup, and whether the grid
/// has smaller threadgroups at its edges.
struct CpuVariant {
  Dim3 threads;
  bool edges = false;
  bool streams = false;  ///< the outputs are larger than the caches
  int vectors = 4;       ///< how many values of 32 floats the vector registers hold
  bool scalef = false;   ///< AVX-512's x * 2^n is there
  friend constexpr bool operator==(const CpuVariant&, const CpuVariant&) = default;
};

/// LLVM IR of one variant, for a CpuCompiler. How the function is called is between the emitter and
/// the CPU device (src/support/cpu_abi.h), and may change.
struct CpuCode {
  std::string llvm_ir;
  std::string symbol;
  size_t scratch_bytes = 0;  ///< per worker, 64-byte aligned
};

struct Warning {
  std::string message;
  Location where;
};

/// A sum of products that bounds an index: what a launch can check before anything runs.
struct IndexTerm {
  /// Factors of a term: positions of the thread in the grid, sizes of the grid, scalar parameters,
  /// and after all parameters the function constants.
  enum Symbol : uint32_t { kPositionX, kPositionY, kPositionZ, kGridX, kGridY, kGridZ, kScalar };
  int64_t coefficient;
  std::vector<uint32_t> factors;  ///< Symbol, or kScalar + number of the parameter; sorted
  friend bool operator==(const IndexTerm&, const IndexTerm&) = default;
};

/// An access that every thread makes: memory of `param` is touched at the sum of the terms, which
/// rises or falls with each position separately, so that its extremes over a grid are exact.
struct IndexBound {
  uint32_t param;
  uint32_t location;  ///< index into Artifact::locations
  std::vector<IndexTerm> terms;
};

struct Artifact {
  std::string kernel_name;  ///< the Python name
  std::string msl_name;     ///< the function's name in the MSL text
  std::string msl;
  uint32_t msl_version = 310;  ///< the language version that it needs: 310 is MSL 3.1
  std::string ir;              ///< text form, after the passes
  std::vector<ParamInfo> params;
  std::vector<ConstantInfo> constants;  ///< by index
  size_t threadgroup_bytes = 0;
  std::vector<std::string> threadgroup_names;  ///< of the allocations, "" where there is none
  bool fast_math = false;
  std::vector<Warning> warnings;
  std::vector<Location> locations;  ///< what a fault's location number means
  std::vector<IndexBound> bounds;   ///< accesses whose extremes a launch checks
  /// The same kernel with AIR's own asynchronous copies, for devices where they work; null where it
  /// has none, or none that is safe. Two spellings of AIR's names: see DeviceCapabilities.
  std::shared_ptr<const Artifact> air, escaped_air;
  /// Where the kernel works on SIMD-group matrices, which needs SIMD-groups of 32 threads: an index
  /// into `locations`.
  std::optional<uint32_t> simd_matrices;
  /// Emits a variant for the CPU device, from `ir`, which is all that is kept of the kernel until
  /// one is wanted; deterministic, callable from any thread.
  std::function<CpuCode(const std::string& ir, const CpuVariant& variant)> cpu;
};

}  // namespace enigma
