// Sizes: terms that are simplified as they are made, and their bounds, values and text.

#include "enigma/size.h"

#include <algorithm>
#include <numeric>

#include "enigma/error.h"
#include "enigma/limits.h"
#include "layout/checked.h"
#include "support/text.h"

namespace enigma {
namespace {

/// The factor in front of a product, and what follows it.
std::pair<int64_t, Size> factored(const Size& s) {
  if (s.is_known()) return {s.known(), 1};
  const Size::Term& t = s.term();
  if (t.op == Size::Op::Mul && t.left.is_known()) return {t.left.known(), t.right};
  return {1, s};
}

/// The factors of a product without a known one.
void add_factors(const Size& s, std::vector<Size>& out) {
  if (s.is_known()) return;
  if (s.term().op != Size::Op::Mul) return out.push_back(s);
  add_factors(s.term().left, out);
  add_factors(s.term().right, out);
}

void collect(const Size& s, std::vector<Symbol>& out) {
  if (s.is_known()) return;
  const Size::Term& t = s.term();
  if (t.op != Size::Op::Symbol) {
    collect(t.left, out);
    collect(t.right, out);
  } else if (std::find(out.begin(), out.end(), t.symbol) == out.end()) {
    out.push_back(t.symbol);
  }
}

}  // namespace

Size::Size(Symbol s) : Size(Term{Op::Symbol, std::move(s)}) {}

Size::Size(Term t) : term_(std::make_shared<const Term>(std::move(t))) {}

const Symbol* Size::symbol() const {
  return term_ && term_->op == Op::Symbol ? &term_->symbol : nullptr;
}

std::vector<Symbol> Size::symbols() const {
  std::vector<Symbol> out;
  collect(*this, out);
  return out;
}

int64_t Size::multiple() const {
  if (!term_) return std::max(int64_t{1}, checked_abs(known_));
  switch (term_->op) {
    case Op::Symbol:
      return term_->symbol.multiple;
    case Op::Add:
      return std::gcd(term_->left.multiple(), term_->right.multiple());
    case Op::Mul:
      return checked_mul(term_->left.multiple(), term_->right.multiple());
    default: {
      const int64_t all = term_->left.multiple(), n = term_->right.known();
      return all % n == 0 ? all / n : 1;
    }
  }
}

int64_t Size::least() const {
  if (!term_) return known_;
  switch (term_->op) {
    case Op::Symbol:
      return term_->symbol.multiple;
    case Op::Add: {
      const int64_t a = term_->left.least(), b = term_->right.least();
      return std::min(a, b) == INT64_MIN ? INT64_MIN : checked_add(a, b);
    }
    case Op::Mul: {
      const int64_t a = term_->left.least(), b = term_->right.least();
      return a >= 0 && b >= 0 ? checked_mul(a, b) : INT64_MIN;
    }
    case Op::FloorDiv:
      return term_->left.least() / term_->right.known();
    default:
      return ceil_quotient(term_->left.least(), term_->right.known());
  }
}

int64_t Size::at(const std::function<int64_t(const Symbol&)>& value) const {
  if (!term_) return known_;
  if (const Symbol* s = symbol()) {
    const int64_t n = value(*s);
    if (n >= 1 && n <= kMaxSize) return n;
    throw Error(concat("the size ", s->name, " is ", n, "; it must be from 1 to ", kMaxSize));
  }
  const int64_t a = term_->left.at(value), b = term_->right.at(value);
  switch (term_->op) {
    case Op::Add:
      return checked_add(a, b);
    case Op::Mul:
      return checked_mul(a, b);
    case Op::FloorDiv:
      return a / b;
    default:
      return ceil_quotient(a, b);
  }
}

Size operator+(const Size& a, const Size& b) {
  if (a.is_known() && b.is_known()) return checked_add(a.known(), b.known());
  if (a.is_known()) return b + a;
  if (b.is_known() && b.known() == 0) return a;
  if (b.is_known() && a.term().op == Size::Op::Add && a.term().right.is_known()) {
    return a.term().left + (a.term().right + b);
  }
  return Size(Size::Term{Size::Op::Add, {}, a, b});
}

Size operator*(const Size& a, const Size& b) {
  const auto [x, rest] = factored(a);
  const auto [y, other] = factored(b);
  const int64_t factor = checked_mul(x, y);
  if (factor == 0) return 0;
  std::vector<Size> factors;
  add_factors(rest, factors);
  add_factors(other, factors);
  if (factors.empty()) return factor;
  std::sort(factors.begin(), factors.end(),
            [](const Size& f, const Size& g) { return str(f) < str(g); });
  auto times = [](const Size& f, const Size& g) {
    return Size(Size::Term{Size::Op::Mul, {}, f, g});
  };
  Size product = factors[0];
  for (size_t k = 1; k < factors.size(); ++k) product = times(product, factors[k]);
  return factor == 1 ? product : times(factor, product);
}

Size Size::divided(Op op, const Size& a, int64_t n) {
  if (n < 1) throw Error(concat("the size ", str(a), " is divided by ", n, "; use 1 or more"));
  const auto [factor, rest] = factored(a);
  const int64_t common = std::gcd(factor, n);
  if (common == n) return (factor / n) * rest;
  if (common > 1) return divided(op, (factor / common) * rest, n / common);
  if (a.least() < 0 && (-1 * a).least() < 0) {
    throw Error(concat("the size ", str(a), ", which is divided, may be negative; divide one that ",
                       "cannot be"));
  }
  const Op other = op == Op::FloorDiv ? Op::CeilDiv : Op::FloorDiv;
  if (a.least() < 0) return -1 * divided(other, -1 * a, n);  // as in -(-M // 16)
  if (a.is_known()) return op == Op::FloorDiv ? a.known() / n : ceil_quotient(a.known(), n);
  return Size(Term{op, {}, a, n});
}

Size floor_div(const Size& a, int64_t n) { return Size::divided(Size::Op::FloorDiv, a, n); }

Size ceil_div(const Size& a, int64_t n) { return Size::divided(Size::Op::CeilDiv, a, n); }

bool Size::operator==(const Size& o) const {
  if (!term_ || !o.term_) return !term_ && !o.term_ && known_ == o.known_;
  return term_ == o.term_ || *term_ == *o.term_;
}

std::string str(const Size& s) {
  if (s.is_known()) return concat(s.known());
  const Size::Term& t = s.term();
  auto factor = [](const Size& f) {
    const bool whole = f.is_known() || f.term().op == Size::Op::Symbol ||
                       f.term().op == Size::Op::Mul || f.term().op == Size::Op::CeilDiv;
    return whole ? str(f) : concat('(', str(f), ')');
  };
  switch (t.op) {
    case Size::Op::Symbol:
      return t.symbol.name;
    case Size::Op::Add:
      if (factored(t.right).first < 0) {
        return concat(str(t.left), " - ", factor(-1 * t.right));
      }
      return concat(str(t.left), " + ", str(t.right));
    case Size::Op::Mul:
      if (t.left == -1) return concat('-', factor(t.right));
      return concat(factor(t.left), '*', factor(t.right));
    case Size::Op::FloorDiv:
      return concat(factor(t.left), "//", str(t.right));
    default:
      return concat("ceil_div(", str(t.left), ", ", str(t.right), ')');
  }
}

}  // namespace enigma
