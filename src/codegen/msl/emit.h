// IR to Metal Shading Language, as a person would write it.
#pragma once

#include <cstdint>
#include <string>

#include "ir/verify.h"

namespace enigma {

struct MslCode {
  std::string text;
  std::string function;  ///< the kernel's name in the text: the Python name unless MSL reserves it
  uint32_t version = 310;  ///< the language version that it needs, as __METAL_VERSION__ counts
};

/// Deterministic: the same module gives the same bytes. Unless fast_math, products and sums are
/// kept from being contracted, so that every device rounds alike. Asynchronous copies become AIR's
/// own, whose names are `escaped` on request (support/async_copy.h).
MslCode emit_msl(const Verified& kernel, bool fast_math = false, bool escaped = false);

}  // namespace enigma
