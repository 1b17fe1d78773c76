// The words and marks of the IR's text form, and errors that name where they were expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "enigma/error.h"
#include "enigma/types.h"
#include "support/text.h"

namespace enigma {

/// Reads a text piece by piece; white space between pieces is skipped. Words are parts of the text.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  /// Error at the start of the piece read last.
  template <class... Ts>
  [[noreturn]] void fail(const Ts&... pieces) const {
    fail_at(start_, concat(pieces...));
  }

  bool at(std::string_view mark);      ///< whether the mark comes next
  bool accept(std::string_view mark);  ///< reads it if it does
  void expect(std::string_view mark);
  bool accept_word(std::string_view word);  ///< the same for a whole word
  void expect_word(std::string_view word);
  void expect_end();

  std::string_view name(const char* what);         ///< letters, digits, _, UTF-8
  std::string_view word(const char* what);         ///< the same, and not empty
  std::string_view dotted_word(const char* what);  ///< words joined by dots
  std::string_view literal(const char* what);      ///< a number as it is written, true or false
  std::string_view quoted(const char* what);       ///< what stands in quotes, as it is written
  std::string unescaped(std::string_view quoted) const;
  uint64_t number(const char* what);

 private:
  void skip();
  bool mark_here(std::string_view mark) const;
  std::string_view take(const char* what, bool (*is_part)(char));
  [[noreturn]] void fail_at(size_t at, const std::string& message) const;
  /// What stands at the position, for messages.
  std::string found() const;

  std::string_view text_;
  size_t at_ = 0;
  size_t start_ = 0;
};

/// The bits of a number of the text form, as a constant's attribute; nothing where it is no number
/// of this type.
std::optional<uint64_t> number_bits(DType t, std::string_view text);

}  // namespace enigma
