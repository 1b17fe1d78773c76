// Where compiled kernels are kept between processes, and how files there come and go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace enigma {

/// The folder of `part` inside $ENIGMA_CACHE_DIR, or else inside the user's own cache folder; empty
/// when neither is known. It need not exist.
std::filesystem::path cache_folder(std::string_view part);

/// Replaces a file, for other processes at once or not at all, by the draft that `write` fills; its
/// folder is made. Whatever fails, the file stays as it was.
void replace_file(const std::filesystem::path& path,
                  const std::function<bool(const std::filesystem::path& draft)>& write);

/// When the folder's files with this suffix have more than `most` bytes, removes the oldest until
/// half of that is left. Drafts that a crash has left go as well.
void trim_folder(const std::filesystem::path& folder, std::string_view suffix, uint64_t most);

}  // namespace enigma
