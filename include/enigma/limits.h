// What Metal allows a kernel, on every GPU that Enigma runs on, and what Enigma does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace enigma {

inline constexpr size_t kMaxParams = 31;                 ///< buffer indices of a kernel
inline constexpr uint32_t kMaxFunctionConstant = 65535;  ///< the greatest index
inline constexpr uint32_t kThreadgroupBytes = 32 * 1024;
inline constexpr uint32_t kMaxVectorBytes = 16;  ///< of a vector access: how buffers are aligned
/// Of a size that only a run knows, so that the coordinates of a tile at the end of a tensor are
/// right in 32 bits.
inline constexpr int64_t kMaxSize = INT32_MAX;
inline constexpr uint32_t kMaxThreadsPerThreadgroup = 1024;
inline constexpr uint32_t kSimdWidth = 32;
inline constexpr uint32_t kQuadWidth = 4;

}  // namespace enigma
