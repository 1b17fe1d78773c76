// Finds the cache folder by the rules of the system; a file appears under its name when it is
// whole.

#include "support/cache_folder.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <system_error>
#include <vector>

#include "support/text.h"

namespace enigma {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDraft = ".draft";

fs::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

fs::path cache_folder(std::string_view part) {
  if (auto own = variable("ENIGMA_CACHE_DIR"); !own.empty()) return own / part;
#if !defined(__APPLE__)
  if (auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "enigma" / part;
  const char* caches = ".cache";
#else
  const char* caches = "Library/Caches";
#endif
  auto home = variable("HOME");
  return home.empty() ? home : home / caches / "enigma" / part;
}

void replace_file(const fs::path& path, const std::function<bool(const fs::path& draft)>& write) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  // At random, since processes in several containers, with the same numbers, may share a folder.
  std::random_device random;
  fs::path draft = path;
  draft += concat('.', random(), '.', random(), kDraft);
  if (write(draft)) fs::rename(draft, path, error);
  fs::remove(draft, error);  // there when either has failed
}

void trim_folder(const fs::path& folder, std::string_view suffix, uint64_t most) {
  struct File {
    fs::file_time_type time;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<File> files;
  uint64_t total = 0;
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // another process may be doing the same
    auto time = it->last_write_time(gone);
    uint64_t bytes = gone ? 0 : it->file_size(gone);
    if (gone) continue;
    if (it->path().extension() == kDraft && time < yesterday) fs::remove(it->path(), gone);
    if (it->path().extension() != suffix) continue;
    files.push_back({time, bytes, it->path()});
    total += bytes;
  }
  if (total <= most) return;
  std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.time < b.time; });
  for (const File& file : files) {
    if (total <= most / 2) return;
    total -= file.bytes;
    fs::remove(file.path, error);
  }
}

}  // namespace enigma
