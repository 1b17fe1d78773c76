// Errors: `Error` is the user's mistake and carries where it was made; `InternalError` is our bug.
// A `Warning` stops nothing.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace enigma {

/// A place in the user's source. `line` is 1-based; 0 means that the place is not known.
struct Location {
  std::string file;
  uint32_t line = 0;
  friend bool operator==(const Location&, const Location&) = default;
};

/// A mistake of the user's: what was expected, what was given, what to write instead.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, Location where = {})
      : std::runtime_error(message), where_(std::move(where)) {}
  const Location& where() const { return where_; }

 private:
  Location where_;
};

/// What was found suspicious, though it may be meant.
struct Warning {
  std::string message;
  Location where;
  friend bool operator==(const Warning&, const Warning&) = default;
};

/// A fault of Enigma itself. Never caught inside the library; the message asks for a report.
class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& what)
      : std::logic_error("internal error of Enigma, please report it: " + what) {}
};

}  // namespace enigma
