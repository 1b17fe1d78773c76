// Numbers as MSL text: exact, the same in every locale, negative ones safe beside any operator.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "codegen/msl/fragment.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma::msl {
namespace {

std::string shortest(float x) {
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
  std::string s(buffer, end);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s;
}

struct Number {
  bool negative, nan, infinite;
  double magnitude, ulp;  // the distance to the nearest other number of the type
};

Number decode(DType t, uint64_t bits) {
  const double x = bits_to_double(t, bits), magnitude = std::fabs(x);
  Number n{std::signbit(x), std::isnan(x), std::isinf(x), magnitude, 0};
  if (n.nan || n.infinite) return n;
  const FloatFormat f = float_format(t);
  const int least = 2 - f.bias();  // frexp's exponent of the least normal number
  int exponent = least;
  const bool is_power = magnitude != 0 && std::frexp(magnitude, &exponent) == 0.5;
  // Below a power of two the numbers are twice as dense.
  const bool denser = is_power && exponent > least;
  n.ulp = std::ldexp(1, std::max(exponent, least) - f.precision - denser);
  return n;
}

// The fewest digits that stay clearly within half a unit of the value, so that they round to it
// even when the compiler rounds to float on the way.
std::string few_digits(const Number& n) {
  char buffer[32];
  if (n.magnitude < 1e6 && n.magnitude == std::floor(n.magnitude)) {
    return concat(static_cast<int64_t>(n.magnitude), ".0");
  }
  for (int digits = 1; digits <= 9; ++digits) {
    auto end = std::to_chars(buffer, buffer + sizeof buffer, n.magnitude,
                             std::chars_format::general, digits)
                   .ptr;
    double back = 0;
    std::from_chars(buffer, end, back);
    if (std::fabs(back - n.magnitude) > 0.49 * n.ulp) continue;
    std::string s(buffer, end);
    if (s.find_first_of(".e") == std::string::npos) s += ".0";
    return s;
  }
  return shortest(static_cast<float>(n.magnitude));
}

Frag signed_frag(bool negative, std::string magnitude) {
  Frag f;
  f.text = negative ? "-" + std::move(magnitude) : std::move(magnitude);
  f.prec = negative ? Prec::Unary : Prec::Primary;
  f.atom = true;
  return f;
}

Frag bit_pattern(DType t, uint64_t bits) {
  char hex[20];
  auto end = std::to_chars(hex, hex + sizeof hex, bits, 16).ptr;
  std::string_view digits(hex, static_cast<size_t>(end - hex));
  Frag f;
  f.atom = true;
  f.text = t == DType::F32
               ? concat("as_type<float>(0x", digits, "u)")
               : concat("as_type<", name_of(t), ">(", name_of(unsigned_of(t)), "(0x", digits, "))");
  return f;
}

Frag integer(int64_t x, int width) {
  std::string_view suffix = width == 64 ? "l" : "";
  int64_t lowest = width == 64 ? INT64_MIN : INT32_MIN;
  if (x == lowest) {  // the number without its sign does not fit
    Frag f;
    f.text = concat("(", x + 1, suffix, " - 1", suffix, ")");
    f.atom = true;
    return f;
  }
  return signed_frag(x < 0, concat(x < 0 ? -x : x, suffix));
}

}  // namespace

Frag float_literal(DType t, uint64_t bits) {
  bits &= info(t).bits == 32 ? 0xffffffffu : 0xffffu;
  Number n = decode(t, bits);
  if (n.nan)
    return bit_pattern(DType::F32, t == DType::F32    ? bits
                                   : t == DType::BF16 ? bits << 16
                                                      : (bits & 0x8000u) << 16 | 0x7f800000u |
                                                            (bits & 0x3ffu) << 13);
  if (n.infinite) return signed_frag(n.negative, "INFINITY");
  return signed_frag(n.negative, shortest(static_cast<float>(n.magnitude)) + "f");
}

Frag literal(DType t, uint64_t bits, Form form) {
  const DTypeInfo& row = info(t);
  if (row.bits < 64) bits &= (uint64_t{1} << row.bits) - 1;
  Frag f;
  f.atom = true;
  f.form = form;
  switch (row.kind) {
    case DTypeKind::Bool:
      f.text = bits ? "true" : "false";
      return f;
    case DTypeKind::Float: {
      if (t == DType::F32) return float_literal(t, bits);
      Number n = decode(t, bits);
      if (n.nan) return bit_pattern(t, bits);
      if (t == DType::F16 && !n.infinite) return signed_frag(n.negative, few_digits(n) + "h");
      std::string magnitude = n.infinite ? "INFINITY" : few_digits(n) + "f";
      f.text = concat(row.msl, "(", n.negative ? "-" : "", magnitude, ")");
      return f;
    }
    case DTypeKind::Unsigned:
    case DTypeKind::Signed:
      break;
  }
  if (form == Form::Unsigned || (row.kind == DTypeKind::Unsigned && row.bits >= 32)) {
    f.text = concat(bits, row.bits == 64 ? "ul" : "u");
    return f;
  }
  Frag number = integer(to_integer(row.dtype, bits), row.bits == 64 ? 64 : 32);
  if (form == Form::Exact && row.bits < 32) {
    f.text = concat(row.msl, "(", number.text, ")");
    return f;
  }
  number.form = form;
  return number;
}

Frag literal(Type t, uint64_t bits, Form form) {
  Frag f = literal(t.dtype, bits, t.is_scalar() || form == Form::Unsigned ? form : Form::Exact);
  if (t.is_scalar()) return f;
  const DType shown = f.form == Form::Unsigned ? unsigned_of(t.dtype) : t.dtype;
  f.text = concat(type_name(t.with(shown)), "(", f.text, ")");
  f.prec = Prec::Primary;
  return f;
}

std::string type_name(Type t) {
  if (t.is_simd_matrix()) return concat("simdgroup_", name_of(t.dtype), "8x8");
  if (t.is_vector()) return concat(name_of(t.dtype), int{t.rows});
  if (t.is_matrix()) return concat(name_of(t.dtype), int{t.cols}, "x", int{t.rows});
  return std::string(name_of(t.dtype));
}

std::string as_operand(const Frag& f, Prec parent, bool right) {
  auto is_binary = [](Prec p) { return p > Prec::Ternary && p < Prec::Unary; };
  bool wrap = f.prec < parent || (right && f.prec == parent);
  if (f.text.front() == '-' && (right || parent == Prec::Unary)) wrap = true;  // a - -b, --b
  if (is_binary(f.prec) && f.prec != parent) {
    // C++ needs none here, but readers and compilers' warnings ask for them.
    bool bits = parent == Prec::BitAnd || parent == Prec::BitXor || parent == Prec::BitOr ||
                parent == Prec::Shift;
    wrap |= bits || (parent == Prec::Or && f.prec == Prec::And);
  }
  bool compares = parent == Prec::Equality || parent == Prec::Relational;
  if (compares && (f.prec == Prec::Equality || f.prec == Prec::Relational)) wrap = true;
  return wrap ? concat("(", f.text, ")") : f.text;
}

}  // namespace enigma::msl
