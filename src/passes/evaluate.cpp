// Constant arithmetic: integers modulo 2^width, floats in double and rounded once, which is exact
// for + - * / and sqrt of every type that is at most half as precise as double.

#include "passes/evaluate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "ir/literal.h"
#include "support/floats.h"

namespace enigma {
namespace {

using Bits = std::optional<uint64_t>;

uint64_t power(uint64_t base, uint64_t exponent) {
  uint64_t out = 1;
  for (; exponent; exponent >>= 1, base *= base) {
    if (exponent & 1) out *= base;
  }
  return out;
}

uint64_t high_half(bool is_signed_type, int width, uint64_t a, uint64_t b) {
  if (is_signed_type) {
    __extension__ const __int128 product =
        static_cast<__int128>(static_cast<int64_t>(a)) * static_cast<int64_t>(b);
    return static_cast<uint64_t>(product >> width);
  }
  __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product >> width);
}

// `a` and `b` hold the values extended to 64 bits by the type's sign.
Bits integer(Op op, DType t, uint64_t a, uint64_t b) {
  const int width = info(t).bits;
  const bool is_negative_a = is_signed(t) && static_cast<int64_t>(a) < 0;
  const bool is_negative_b = is_signed(t) && static_cast<int64_t>(b) < 0;
  const auto count = static_cast<unsigned>(b & static_cast<uint64_t>(width - 1));
  auto less = [&](uint64_t x, uint64_t y) {
    return is_signed(t) ? static_cast<int64_t>(x) < static_cast<int64_t>(y) : x < y;
  };
  const uint64_t ua = mask_to(t, a), ub = mask_to(t, b);
  switch (op) {
    case Op::AddI:
      return a + b;
    case Op::SubI:
      return a - b;
    case Op::MulI:
      return a * b;
    case Op::NegI:
      return 0 - a;
    case Op::AbsI:
      return is_negative_a ? 0 - a : a;
    case Op::AndI:
      return a & b;
    case Op::OrI:
      return a | b;
    case Op::XorI:
      return a ^ b;
    case Op::NotI:
      return ~a;
    case Op::Shl:
      return a << count;
    case Op::Shr:
      return is_signed(t) ? static_cast<uint64_t>(static_cast<int64_t>(a) >> count) : a >> count;
    case Op::MinI:
      return less(b, a) ? b : a;
    case Op::MaxI:
      return less(a, b) ? b : a;
    case Op::MulHi:
      return high_half(is_signed(t), width, a, b);
    case Op::PopCount:
      return static_cast<uint64_t>(std::popcount(ua));
    case Op::Clz:
      return static_cast<uint64_t>(std::countl_zero(ua) - (64 - width));
    case Op::Ctz:
      return static_cast<uint64_t>(std::min(std::countr_zero(ua), width));
    case Op::CmpEqI:
      return a == b;
    case Op::CmpNeI:
      return a != b;
    case Op::CmpLtI:
      return less(a, b);
    case Op::CmpLeI:
      return !less(b, a);
    case Op::CmpGtI:
      return less(b, a);
    case Op::CmpGeI:
      return !less(a, b);
    case Op::CmpUlt:
      return ua < ub;
    case Op::CmpUle:
      return ua <= ub;
    case Op::CmpUgt:
      return ua > ub;
    case Op::CmpUge:
      return ua >= ub;
    case Op::PowI:
      if (is_negative_b) {
        // 1 / x^n truncates to 0 unless x is 1 or -1; 0 has no inverse.
        if (a == 0) return std::nullopt;
        if (a == 1) return 1;
        return is_negative_a && a + 1 == 0 ? (b & 1 ? a : 1) : 0;
      }
      return power(a, b);
    case Op::DivI:
    case Op::FloorDivI:
    case Op::FloorModI: {
      if (b == 0) return std::nullopt;
      // Magnitudes, so that the minimum over -1 wraps.
      const uint64_t ma = is_negative_a ? 0 - a : a, mb = is_negative_b ? 0 - b : b;
      const uint64_t quotient = ma / mb, rest = ma % mb;
      const bool negative = is_negative_a != is_negative_b;
      const uint64_t truncated = negative ? 0 - quotient : quotient;
      if (op == Op::DivI) return truncated;
      const bool below = negative && rest != 0;
      if (op == Op::FloorDivI) return truncated - (below ? 1 : 0);
      const uint64_t signed_rest = is_negative_a ? 0 - rest : rest;
      return below ? signed_rest + b : signed_rest;
    }
    default:
      return std::nullopt;
  }
}

Bits boolean(Op op, uint64_t a, uint64_t b) {
  switch (op) {
    case Op::AndB:
      return a & b;
    case Op::OrB:
      return a | b;
    case Op::XorB:
    case Op::CmpNeB:
      return a ^ b;
    case Op::CmpEqB:
      return a == b;
    case Op::NotB:
      return a ^ 1;
    default:
      return std::nullopt;
  }
}

Bits comparison(Op op, double a, double b) {
  switch (op) {
    case Op::CmpEqF:
      return a == b;
    case Op::CmpNeF:
      return a != b;
    case Op::CmpLtF:
      return a < b;
    case Op::CmpLeF:
      return a <= b;
    case Op::CmpGtF:
      return a > b;
    case Op::CmpGeF:
      return a >= b;
    case Op::IsNan:
      return std::isnan(a);
    case Op::IsInf:
      return std::isinf(a);
    case Op::IsFinite:
      return std::isfinite(a);
    case Op::SignBit:
      return std::signbit(a);
    default:
      return std::nullopt;
  }
}

std::optional<double> real(Op op, double a, double b) {
  switch (op) {
    case Op::AddF:
      return a + b;
    case Op::SubF:
      return a - b;
    case Op::MulF:
      return a * b;
    case Op::DivF:
      return a / b;
    case Op::Sqrt:
      return std::sqrt(a);
    case Op::Ceil:
      return std::ceil(a);
    case Op::Floor:
      return std::floor(a);
    case Op::Round:
      return std::round(a);
    case Op::Rint:
      return std::nearbyint(a);
    case Op::Trunc:
      return std::trunc(a);
    case Op::MinF:
    case Op::MaxF:
      if (a == 0 && b == 0) return std::nullopt;  // of two zeros either may come out
      return op == Op::MinF ? std::fmin(a, b) : std::fmax(a, b);
    default:
      return std::nullopt;
  }
}

Bits floating(Op op, DType t, std::span<const uint64_t> x) {
  const uint64_t sign = uint64_t{1} << (info(t).bits - 1);
  switch (op) {  // operations on bits: a NaN keeps its own
    case Op::NegF:
      return x[0] ^ sign;
    case Op::AbsF:
      return x[0] & ~sign;
    case Op::Copysign:
      return (x[0] & ~sign) | (x[1] & sign);
    default:
      break;
  }
  const double a = bits_to_double(t, x[0]);
  const double b = x.size() > 1 ? bits_to_double(t, x[1]) : 0;
  if (Bits bits = comparison(op, a, b)) return bits;
  if (op == Op::Fma && t == DType::F32) {  // narrower ones would be rounded twice
    const auto c = static_cast<float>(bits_to_double(t, x[2]));
    return float_to_bits(t, std::fma(static_cast<float>(a), static_cast<float>(b), c));
  }
  if (auto y = real(op, a, b)) {
    // Hosts differ in the sign of a new NaN.
    return float_to_bits(t, std::isnan(*y) ? std::numeric_limits<double>::quiet_NaN() : *y);
  }
  return std::nullopt;
}

uint64_t extend(DType t, uint64_t bits) { return static_cast<uint64_t>(to_integer(t, bits)); }

}  // namespace

std::optional<uint64_t> evaluate(Op op, DType t, std::span<const uint64_t> x) {
  if (op == Op::Select) return x[2] ? x[1] : x[0];
  if (is_float(t)) return floating(op, t, x);
  const uint64_t a = extend(t, x[0]), b = x.size() > 1 ? extend(t, x[1]) : 0;
  if (t == DType::B1) return boolean(op, a, b);
  if (op == Op::ClampI) {
    const uint64_t c = extend(t, x[2]);
    if (integer(Op::CmpGtI, t, b, c) == uint64_t{1}) return std::nullopt;
    return mask_to(t, *integer(Op::MinI, t, *integer(Op::MaxI, t, a, b), c));
  }
  Bits bits = integer(op, t, a, b);
  return bits ? Bits(mask_to(t, *bits)) : bits;
}

uint64_t evaluate_cast(DType from, DType to, uint64_t bits) {
  if (is_float(from)) return literal_bits(to, bits_to_double(from, bits));
  if (is_signed(from)) return literal_bits(to, sign_extend(from, bits));
  return literal_bits(to, bits);
}

}  // namespace enigma
