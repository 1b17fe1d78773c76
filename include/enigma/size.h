// Sizes that only a run knows: sums, products and quotients of named numbers. They are what the
// shapes and strides of a tensor, and the grid of a launch, may be made of.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace enigma {

/// The name of a number that each run gives: from 1 to kMaxSize, and a multiple of `multiple`. In
/// a kernel it is the scalar parameter of that name, a u32.
struct Symbol {
  std::string name;
  int64_t multiple = 1;
  bool operator==(const Symbol&) const = default;
};

/// A number that is known, or a term of symbols. Immutable and cheap to copy.
class Size {
 public:
  template <std::integral I>
  Size(I n) : known_(static_cast<int64_t>(n)) {}
  Size(Symbol s);

  bool is_known() const { return !term_; }
  /// Of a known one.
  int64_t known() const { return known_; }
  /// The symbol, where it is one by itself; else null.
  const Symbol* symbol() const;
  /// All symbols in it, each once, in order.
  std::vector<Symbol> symbols() const;
  /// A number that divides it, whatever the run; at least 1.
  int64_t multiple() const;
  /// What it is not below, whatever the run; INT64_MIN where nothing is known.
  int64_t least() const;
  /// Its value, given those of the symbols. Error where it does not fit into 64 bits, and for a
  /// symbol's that is below 1 or above kMaxSize.
  int64_t at(const std::function<int64_t(const Symbol&)>& value) const;

  friend Size operator+(const Size& a, const Size& b);
  friend Size operator*(const Size& a, const Size& b);
  /// a / n, rounded down or up; n is at least 1. Error where the sign of `a` may change.
  friend Size floor_div(const Size& a, int64_t n);
  friend Size ceil_div(const Size& a, int64_t n);
  /// The same term; factors may stand in any order.
  bool operator==(const Size& o) const;

  enum class Op { Symbol, Add, Mul, FloorDiv, CeilDiv };
  struct Term;
  /// How a size that is not known is made; the divisor of a quotient is its right side.
  const Term& term() const { return *term_; }

 private:
  explicit Size(Term t);
  static Size divided(Op op, const Size& a, int64_t n);
  int64_t known_ = 0;
  std::shared_ptr<const Term> term_;
};

struct Size::Term {
  Op op;
  Symbol symbol;
  Size left = 0, right = 0;
  bool operator==(const Term&) const = default;
};

/// "256*ceil_div(M, 16) - 1": as an expression of Python.
std::string str(const Size& s);

}  // namespace enigma
