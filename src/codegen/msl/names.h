// The one namer: gives every entity of a kernel's text an identifier that Metal accepts.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace enigma::msl {

/// Whether Metal, C++, the standard library of either or our prelude already uses this identifier.
bool is_reserved(std::string_view name);

/// The name itself where Metal accepts it; `half` gives `half_`, `_x` gives `x`, `α` gives `u3b1`.
std::string legal_identifier(std::string_view wanted);

/// Names within nested scopes; no name shadows another. The same order of calls gives the same
/// names.
class Namer {
 public:
  Namer() { open(); }
  void open() { scopes_.emplace_back(); }
  void close();
  /// Claims `wanted`, or the nearest legal name that is free, until its scope closes.
  std::string declare(std::string_view wanted);
  /// The same for a name that is known to be legal, though its prefix is reserved for users.
  std::string declare_legal(std::string_view name);

 private:
  std::vector<std::vector<std::string>> scopes_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, unsigned> next_;  // suffix to try first, per base name
};

}  // namespace enigma::msl
