// AIR's own functions for asynchronous copies, as an MSL text declares them.
#pragma once

#include <string>
#include <string_view>

namespace enigma {

/// The text of async_copy.metal, which the build embeds.
extern const std::string_view kAsyncCopyMsl;

/// The declarations. With `escaped` AIR's names stand behind "\01", which LLVM takes for "this is
/// the symbol itself": it may pass a front end that refuses the bare names.
std::string async_copy_declarations(bool escaped);

}  // namespace enigma
