// Finds the cache folder by the rules of the system.

#include "support/cache_folder.h"

#include <cstdlib>

namespace enigma {
namespace {

std::filesystem::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::filesystem::path cache_folder(std::string_view part) {
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

}  // namespace enigma
