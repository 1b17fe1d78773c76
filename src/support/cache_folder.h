// Where compiled kernels are kept between processes.
#pragma once

#include <filesystem>
#include <string_view>

namespace enigma {

/// The folder of `part` inside $ENIGMA_CACHE_DIR, or else inside the user's own cache folder; empty
/// when neither is known. It need not exist.
std::filesystem::path cache_folder(std::string_view part);

}  // namespace enigma
