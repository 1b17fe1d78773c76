// What Metal allows a kernel, on every GPU that Enigma runs on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace enigma {

inline constexpr size_t kMaxParams = 31;                 ///< buffer indices of a kernel
inline constexpr uint32_t kMaxFunctionConstant = 65535;  ///< the greatest index
inline constexpr uint32_t kThreadgroupBytes = 32 * 1024;
inline constexpr int kMaxVectorBytes = 16;  ///< of a vector access: how buffers are aligned
inline constexpr uint32_t kMaxThreadsPerThreadgroup = 1024;
inline constexpr uint32_t kSimdWidth = 32;
inline constexpr uint32_t kQuadWidth = 4;

}  // namespace enigma
