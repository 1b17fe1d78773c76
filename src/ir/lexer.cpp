// Words, marks and numbers of the text form.

#include "ir/lexer.h"

#include <algorithm>
#include <charconv>

#include "ir/spelling.h"
#include "support/floats.h"

namespace enigma {
namespace {

bool is_dotted(char c) { return is_name_char(c) || c == '.'; }
bool is_name(char c) { return is_name_char(c); }
bool is_literal(char c) { return is_name_char(c) || c == '.' || c == '+' || c == '-'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

void Lexer::skip() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
    ++at_;
  }
  start_ = at_;
}

void Lexer::fail_at(size_t at, const std::string& message) const {
  const std::string_view before = text_.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  throw Error(concat("line ", line, ", column ", at - line_start + 1, ": ", message),
              Location{"<ir>", static_cast<uint32_t>(line)});
}

std::string Lexer::found() const {
  if (at_ >= text_.size()) return "the end of the text";
  size_t end = at_ + 1;
  if (is_name_char(text_[at_])) {
    while (end < text_.size() && is_dotted(text_[end])) ++end;
  }
  return concat("\"", text_.substr(at_, std::min<size_t>(end - at_, 40)), "\"");
}

bool Lexer::mark_here(std::string_view mark) const {
  return at_ < text_.size() && text_[at_] == mark[0] && text_.substr(at_).starts_with(mark);
}

bool Lexer::at(std::string_view mark) {
  skip();
  return mark_here(mark);
}

bool Lexer::accept(std::string_view mark) {
  if (!at(mark)) return false;
  at_ += mark.size();
  return true;
}

void Lexer::expect(std::string_view mark) {
  if (!accept(mark)) fail("expected \"", mark, "\", found ", found());
}

bool Lexer::accept_word(std::string_view word) {
  if (!at(word)) return false;
  const size_t end = at_ + word.size();
  if (end < text_.size() && is_name_char(text_[end])) return false;
  at_ = end;
  return true;
}

void Lexer::expect_word(std::string_view word) {
  if (!accept_word(word)) fail("expected \"", word, "\", found ", found());
}

void Lexer::expect_end() {
  skip();
  if (at_ < text_.size()) fail("expected the end of the text, found ", found());
}

std::string_view Lexer::take(const char* what, bool (*is_part)(char)) {
  skip();
  const size_t begin = at_;
  while (at_ < text_.size() && is_part(text_[at_])) ++at_;
  if (at_ == begin) fail("expected ", what, ", found ", found());
  return text_.substr(begin, at_ - begin);
}

std::string_view Lexer::name(const char* what) {
  // A name follows its % or @ at once.
  if (at_ >= text_.size() || !is_name_char(text_[at_])) {
    start_ = at_;
    fail("expected ", what, ", found ", found());
  }
  return take(what, is_name);
}

std::string_view Lexer::word(const char* what) { return take(what, is_name); }
std::string_view Lexer::dotted_word(const char* what) { return take(what, is_dotted); }
std::string_view Lexer::literal(const char* what) { return take(what, is_literal); }

uint64_t Lexer::number(const char* what) {
  const std::string_view digits = take(what, is_digit);
  uint64_t n = 0;
  auto r = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (r.ec != std::errc{}) fail("expected ", what, ", found ", digits);
  return n;
}

std::string_view Lexer::quoted(const char* what) {
  expect("\"");
  const size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != '"') {
    if (text_[at_] == '\n') fail("expected ", what, " that ends on its line");
    at_ += text_[at_] == '\\' ? 2 : 1;
  }
  const std::string_view inside = text_.substr(begin, at_ - begin);
  at_ = std::min(at_, text_.size());
  expect("\"");
  return inside;
}

std::string Lexer::unescaped(std::string_view quoted) const {
  std::string out;
  for (size_t k = 0; k < quoted.size(); ++k) {
    out += quoted[k];
    if (quoted[k] != '\\') continue;
    const std::string_view code = quoted.substr(k + 1, 2);
    if (!code.empty() && (code[0] == '"' || code[0] == '\\')) {
      out.back() = code[0];
      k += 1;
    } else if (code.size() == 2 && hex_digit(code[0]) >= 0 && hex_digit(code[1]) >= 0) {
      out.back() = static_cast<char>(hex_digit(code[0]) * 16 + hex_digit(code[1]));
      k += 2;
    } else {
      fail("expected \\\", \\\\ or two hexadecimal digits after a backslash");
    }
  }
  return out;
}

std::optional<uint64_t> number_bits(DType t, std::string_view text) {
  const char* end = text.data() + text.size();
  auto whole = [&](auto& n, std::string_view digits, int base) {
    auto r = std::from_chars(digits.data(), end, n, base);
    return r.ec == std::errc{} && r.ptr == end;
  };
  if (t == DType::B1) {
    if (text == "true") return 1;
    if (text == "false") return 0;
    return std::nullopt;
  }
  if (is_signed(t)) {
    int64_t n = 0;
    if (!whole(n, text, 10)) return std::nullopt;
    const uint64_t bits = mask_to(t, static_cast<uint64_t>(n));
    return sign_extend(t, bits) == n ? std::optional(bits) : std::nullopt;
  }
  uint64_t n = 0;
  if (is_unsigned(t)) {
    return whole(n, text, 10) && mask_to(t, n) == n ? std::optional(n) : std::nullopt;
  }
  if (text.substr(0, 2) == "0x") {
    return whole(n, text.substr(2), 16) && mask_to(t, n) == n ? std::optional(n) : std::nullopt;
  }
  double x = 0;
  auto r = std::from_chars(text.data(), end, x);
  if (r.ec != std::errc{} || r.ptr != end) return std::nullopt;
  return float_to_bits(t, x);
}

}  // namespace enigma
