// Functions that Metal's library lacks, from prelude.metal, for the types that a kernel uses.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "enigma/types.h"

namespace enigma {

/// The text of prelude.metal, which the build embeds.
extern const std::string_view kMslPrelude;

namespace msl {

/// InternalError unless the prelude has a function of this name that takes this type.
void check_prelude(std::string_view name, DType t);

/// A function for a type: its name, and the components of a vector or 1.
using PreludeUse = std::tuple<std::string, DType, int>;

/// The functions' text, each once, in the prelude's order and then that of the types. On vectors
/// they go component by component. `device` is the qualifier of device memory that they write.
std::string prelude_text(const std::set<PreludeUse>& used, std::string_view device = "device");

}  // namespace msl
}  // namespace enigma
