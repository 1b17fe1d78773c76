// Expressions of other rows, as the cpu column of ops.def may hold them, read innermost first.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace enigma::cpu {

struct InfixOperator {
  std::string_view symbol;
  int precedence;
};
constexpr InfixOperator kInfixOperators[] = {{"<<", 4}, {">>", 4}, {"|", 1}, {"^", 2}, {"&", 3},
                                             {"+", 5},  {"-", 5},  {"*", 6}, {"/", 6}};

/// Reads an expression and has its values made: make.number("0.5"), make.operand(0) for $0, and
/// make.apply("fmin", values) for a call or an operator of the row with that Python name.
///
/// Checked while compiling, by a Make that knows the table; what cannot be read throws.
template <class Make>
class ExpressionReader {
 public:
  using Value = typename Make::Value;

  constexpr ExpressionReader(std::string_view text, Make& make) : rest_(text), make_(make) {}

  constexpr Value read() {
    Value value = operators(0);
    if (!rest_.empty()) throw "an expression goes on after its end";
    return value;
  }

 private:
  constexpr void skip_spaces() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  constexpr bool take(std::string_view symbol) {
    skip_spaces();
    if (!rest_.starts_with(symbol)) return false;
    rest_.remove_prefix(symbol.size());
    return true;
  }
  constexpr void expect(std::string_view symbol) {
    if (!take(symbol)) throw "an expression lacks a bracket";
  }
  template <class Is>
  constexpr std::string_view take_while(Is is) {
    size_t n = 0;
    while (n < rest_.size() && is(n)) ++n;
    std::string_view word = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return word;
  }

  constexpr Value operators(int least) {
    Value left = prefix();
    for (;;) {
      const InfixOperator* found = nullptr;
      skip_spaces();
      for (const InfixOperator& o : kInfixOperators) {
        if (!found && o.precedence >= least && rest_.starts_with(o.symbol)) found = &o;
      }
      if (!found) return left;
      rest_.remove_prefix(found->symbol.size());
      std::array<Value, 2> both = {left, operators(found->precedence + 1)};
      left = make_.apply(found->symbol, both);
    }
  }

  constexpr Value prefix() {
    skip_spaces();
    if (rest_.size() > 1 && rest_[0] == '-' && !is_digit(rest_[1])) {
      rest_.remove_prefix(1);
      std::array<Value, 1> one = {prefix()};
      return make_.apply("neg", one);
    }
    return primary();
  }

  constexpr Value primary() {
    if (take("(")) {
      Value value = operators(0);
      expect(")");
      return value;
    }
    if (take("$")) {
      std::string_view digit = take_while([&](size_t n) { return n < 1 && is_digit(rest_[n]); });
      if (digit.empty()) throw "an expression lacks the number of an operand";
      return make_.operand(static_cast<size_t>(digit[0] - '0'));
    }
    std::string_view number = take_while([&](size_t n) {
      char c = rest_[n], before = n ? rest_[n - 1] : ' ';
      bool sign = c == '-' && (n == 0 || before == 'e');
      return is_digit(c) || sign || (n && (c == '.' || c == 'e'));
    });
    if (!number.empty()) return make_.number(number);
    std::string_view name = take_while([&](size_t n) {
      char c = rest_[n];
      return (c >= 'a' && c <= 'z') || c == '_' || (n > 0 && is_digit(c));
    });
    if (name == "inf") return make_.number(name);
    if (name.empty()) throw "an expression lacks a value";
    return call(name);
  }

  constexpr Value call(std::string_view name) {
    std::array<Value, 4> values{};
    size_t count = 0;
    expect("(");
    do {
      if (count == values.size()) throw "an expression calls with too many operands";
      values[count++] = operators(0);
    } while (take(","));
    expect(")");
    return make_.apply(name, std::span<const Value>(values.data(), count));
  }

  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
  Make& make_;
};

}  // namespace enigma::cpu
