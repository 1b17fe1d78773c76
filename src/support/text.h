// A text writer: append pieces, indent lines, print numbers the same in every locale.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace enigma {

class Text {
 public:
  /// Appends strings, characters and integers.
  template <class... Ts>
  Text& add(const Ts&... pieces) {
    (put(pieces), ...);
    return *this;
  }
  /// One whole line at the current indentation.
  template <class... Ts>
  Text& line(const Ts&... pieces) {
    out_.append(static_cast<size_t>(indent_) * width_, ' ');
    (put(pieces), ...);
    out_.push_back('\n');
    return *this;
  }
  void indent() { ++indent_; }
  void dedent() { --indent_; }
  std::string& str() { return out_; }
  const std::string& str() const { return out_; }

  explicit Text(int width = 4) : width_(width) {}

 private:
  void put(std::string_view s) { out_.append(s); }
  void put(char c) { out_.push_back(c); }
  template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
  void put(I i) {
    char buffer[24];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, i).ptr;
    out_.append(buffer, end);
  }

  std::string out_;
  int indent_ = 0;
  int width_;
};

/// The pieces in one string.
template <class... Ts>
std::string concat(const Ts&... pieces) {
  Text t;
  t.add(pieces...);
  return std::move(t.str());
}

}  // namespace enigma
