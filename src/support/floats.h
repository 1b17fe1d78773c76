// Bits of the float types: numbers to bits with one rounding, and back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "enigma/error.h"
#include "enigma/types.h"

namespace enigma {

struct FloatFormat {
  int precision;  ///< bits of the significand, the hidden one counted
  int exponent_bits;
  constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};

constexpr FloatFormat float_format(DType t) {
  switch (t) {
    case DType::F32:
      return {24, 8};
    case DType::F16:
      return {11, 5};
    case DType::BF16:
      return {8, 8};
    default:
      throw InternalError("float_format of a type that is no float");
  }
}

/// The nearest value of the type, ties to even; infinity beyond the range, a quiet NaN for NaN.
inline uint64_t float_to_bits(DType t, double x) {
  const FloatFormat f = float_format(t);
  const int fraction_bits = f.precision - 1;
  const uint64_t sign = uint64_t{std::signbit(x)} << (fraction_bits + f.exponent_bits);
  const uint64_t infinity = ((uint64_t{1} << f.exponent_bits) - 1) << fraction_bits;
  if (std::isnan(x)) return sign | infinity | uint64_t{1} << (fraction_bits - 1);
  if (std::isinf(x)) return sign | infinity;
  if (x == 0) return sign;
  int exponent = 0;
  std::frexp(x, &exponent);        // |x| = m * 2^exponent, m in [0.5, 1)
  const int least = 2 - f.bias();  // frexp's exponent of the least normal value
  const int quantum = std::max(exponent, least) - f.precision;
  // A whole number of quanta, at most 2^precision: a carry into the exponent comes out by itself.
  const auto significand =
      static_cast<uint64_t>(std::nearbyint(std::ldexp(std::fabs(x), -quantum)));
  const uint64_t biased = static_cast<uint64_t>(std::max(exponent, least) - least);
  const uint64_t bits = (biased << fraction_bits) + significand;
  return sign | std::min(bits, infinity);
}

/// The value of the bits; exact.
inline double bits_to_double(DType t, uint64_t bits) {
  const FloatFormat f = float_format(t);
  const int fraction_bits = f.precision - 1;
  const uint64_t fraction = bits & ((uint64_t{1} << fraction_bits) - 1);
  const int biased =
      static_cast<int>(bits >> fraction_bits & ((uint64_t{1} << f.exponent_bits) - 1));
  const bool negative = bits >> (fraction_bits + f.exponent_bits) & 1;
  double magnitude;
  if (biased == (1 << f.exponent_bits) - 1) {
    magnitude = fraction ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
  } else if (biased == 0) {
    magnitude = std::ldexp(static_cast<double>(fraction), 1 - f.bias() - fraction_bits);
  } else {
    magnitude = std::ldexp(static_cast<double>(fraction | uint64_t{1} << fraction_bits),
                           biased - f.bias() - fraction_bits);
  }
  return std::copysign(magnitude, negative ? -1.0 : 1.0);
}

/// The bits of an integer in a type's width, the rest zero: the form of a constant's attribute.
constexpr uint64_t mask_to(DType t, uint64_t bits) {
  const int width = t == DType::B1 ? 1 : info(t).bits;
  return width == 64 ? bits : bits & ((uint64_t{1} << width) - 1);
}

/// The bits of a signed type as a number.
constexpr int64_t sign_extend(DType t, uint64_t bits) {
  const int unused = 64 - info(t).bits;
  return static_cast<int64_t>(bits << unused) >> unused;
}

/// The bits of an integer type, or of a bool, as a number; a u64 above INT64_MAX wraps.
constexpr int64_t to_integer(DType t, uint64_t bits) {
  return is_signed(t) ? sign_extend(t, bits) : static_cast<int64_t>(bits);
}

}  // namespace enigma
