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

/// The interned name of a function of the prelude that takes this type; InternalError for none.
std::string_view prelude_function(std::string_view name, DType t);

/// A function for a type: its name, and the components of a vector or 1.
using PreludeUse = std::tuple<std::string_view, DType, int>;

/// The functions' text, each once, in the prelude's order and then that of the types. On vectors
/// they go component by component.
std::string prelude_text(const std::set<PreludeUse>& used);

}  // namespace msl
}  // namespace enigma
