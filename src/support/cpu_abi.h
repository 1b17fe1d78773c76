// The contract between emitted CPU kernels and the runtime that launches them.
//
//   void kernel(const uint64_t* args, int64_t group_begin, int64_t group_end, void* scratch)
//
// runs the threadgroups [group_begin, group_end) in linear order, x fastest. `scratch` is the
// worker's own, CpuCode::scratch_bytes long, 64-byte aligned, its contents unspecified.
// `args` is an array of 64-bit words. On a fault the kernel fills the Fault record, if it is the
// first to do so, and returns.
#pragma once

#include <cstdint>

namespace enigma::cpu_abi {

enum Word : uint32_t {
  kGridX,
  kGridY,
  kGridZ,  // threads in the grid
  kGroupsX,
  kGroupsY,
  kGroupsZ,     // threadgroups in the grid, partial ones counted
  kFault,       // Fault*
  kFirstParam,  // two words for each parameter, in order
};
// A buffer's two words: address, number of elements. A scalar's: its bits in the low bytes, unused.
// Behind the parameters the function constants follow by index, a word for each, as scalars.
constexpr uint32_t param_word(uint32_t param) { return kFirstParam + 2 * param; }
constexpr uint32_t constant_word(uint32_t params, uint32_t k) { return param_word(params) + k; }

enum class FaultKind : uint32_t {
  None,
  OutOfBounds,       // memory `param` was accessed at `index`, it has `size` elements
  DivergentBarrier,  // not all threads of the threadgroup took the same way to a barrier
  SplitSimdgroup,    // not all lanes got to a SIMD-group matrix, or not with the same operands
};

/// Written once by the first fault: `claimed` is exchanged to 1 by whoever writes the rest.
/// `kind` is stored last, with release order, and a non-zero kind stops the launch.
struct Fault {
  uint32_t kind;  // FaultKind
  uint32_t claimed;
  uint32_t location;  // index into Artifact::locations
  uint32_t param;     // parameter number, or kThreadgroupMemory + number of the allocation
  int64_t index;
  int64_t size;
  uint32_t thread[3];  // position in grid; of the other kinds the threadgroup's first thread
};
constexpr uint32_t kThreadgroupMemory = 0x100;

}  // namespace enigma::cpu_abi
