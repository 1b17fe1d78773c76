// IR to Metal Shading Language, as a person would write it.
#pragma once

#include <string>

#include "ir/verify.h"

namespace enigma {

struct MslCode {
  std::string text;
  std::string function;  ///< the kernel's name in the text: the Python name unless MSL reserves it
};

/// Deterministic: the same module gives the same bytes.
MslCode emit_msl(const Verified& kernel);

}  // namespace enigma
