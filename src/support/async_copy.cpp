// Spells AIR's functions in one of two ways.

#include "support/async_copy.h"

namespace enigma {

std::string async_copy_declarations(bool escaped) {
  std::string text(kAsyncCopyMsl);
  if (!escaped) return text;
  constexpr std::string_view kLabel = "__asm(\"";
  for (size_t at = text.find(kLabel); at != text.npos; at = text.find(kLabel, at)) {
    at += kLabel.size();
    text.insert(at, "\\01");
  }
  return text;
}

}  // namespace enigma
