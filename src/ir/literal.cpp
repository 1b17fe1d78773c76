// Literals to types and bits.

#include "ir/literal.h"

#include <cmath>

#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

// Sign and magnitude of an integer literal, bools as 0 and 1.
struct Whole {
  bool negative;
  uint64_t magnitude;
  uint64_t bits() const { return negative ? 0 - magnitude : magnitude; }
};

Whole whole(const Literal& x) {
  if (const bool* b = std::get_if<bool>(&x)) return {false, *b ? uint64_t{1} : 0};
  if (const uint64_t* u = std::get_if<uint64_t>(&x)) return {false, *u};
  int64_t i = std::get<int64_t>(x);
  return {i < 0, i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i)};
}

bool holds_whole(DType t, Whole w) {
  if (t == DType::B1) return !w.negative && w.magnitude <= 1;
  const int bits = info(t).bits;
  const uint64_t half = uint64_t{1} << (bits - 1);
  if (is_signed(t)) return w.negative ? w.magnitude <= half : w.magnitude < half;
  return !w.negative && (w.magnitude >> 1) < half;
}

// Truncated and saturated, NaN as 0: the meaning of casts.
uint64_t truncated(DType t, double x) {
  if (std::isnan(x)) return 0;
  x = std::trunc(x);
  const int bits = info(t).bits;
  if (is_unsigned(t)) {
    if (x <= 0) return 0;
    return x >= std::ldexp(1.0, bits) ? mask_to(t, UINT64_MAX) : static_cast<uint64_t>(x);
  }
  const double limit = std::ldexp(1.0, bits - 1);
  if (x >= limit) return (uint64_t{1} << (bits - 1)) - 1;
  if (x < -limit) return uint64_t{1} << (bits - 1);
  return mask_to(t, static_cast<uint64_t>(static_cast<int64_t>(x)));
}

}  // namespace

DType natural_type(const Literal& x) {
  if (std::holds_alternative<bool>(x)) return DType::B1;
  if (std::holds_alternative<double>(x)) return DType::F32;
  for (DType t : {DType::I32, DType::U32, DType::I64}) {
    if (holds_whole(t, whole(x))) return t;
  }
  return DType::U64;
}

bool is_negative(const Literal& x) {
  if (const double* d = std::get_if<double>(&x)) return *d < 0;
  return whole(x).negative;
}

bool fits(DType t, const Literal& x) {
  if (const double* d = std::get_if<double>(&x)) {
    if (is_float(t)) {
      return !std::isfinite(*d) || std::isfinite(bits_to_double(t, float_to_bits(t, *d)));
    }
    if (t == DType::B1) return true;
    const double whole_part = std::trunc(*d);
    const int bits = info(t).bits - (is_signed(t) ? 1 : 0);
    return whole_part < std::ldexp(1.0, bits) &&
           whole_part >= (is_signed(t) ? -std::ldexp(1.0, bits) : 0.0);  // false for NaN
  }
  if (is_float(t)) return std::isfinite(bits_to_double(t, literal_bits(t, x)));
  return holds_whole(t, whole(x));
}

bool fits_width(DType t, const Literal& x) {
  if (std::holds_alternative<double>(x) || !is_integer(t)) return fits(t, x);
  return holds_whole(signed_of(t), whole(x)) || holds_whole(unsigned_of(t), whole(x));
}

uint64_t literal_bits(DType t, const Literal& x) {
  if (const double* d = std::get_if<double>(&x)) {
    if (is_float(t)) return float_to_bits(t, *d);
    if (t == DType::B1) return *d != 0 ? 1 : 0;
    return truncated(t, *d);
  }
  const Whole w = whole(x);
  if (t == DType::B1) return w.magnitude != 0 ? 1 : 0;
  if (!is_float(t)) return mask_to(t, w.bits());
  // Above 2^53 the low bits only decide ties: keep them as one sticky bit, so that it rounds once.
  uint64_t magnitude = w.magnitude;
  if (magnitude >> 53) magnitude = (magnitude >> 12 | ((magnitude & 0xFFF) ? 1 : 0)) << 12;
  const auto number = static_cast<double>(magnitude);
  return float_to_bits(t, w.negative ? -number : number);
}

std::string to_string(const Literal& x) {
  if (const bool* b = std::get_if<bool>(&x)) return *b ? "True" : "False";
  if (const double* d = std::get_if<double>(&x)) {
    if (std::isnan(*d)) return "nan";
    if (std::isinf(*d)) return *d < 0 ? "-inf" : "inf";
    char buffer[32];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, *d).ptr;
    std::string text(buffer, end);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  const Whole w = whole(x);
  return concat(w.negative ? "-" : "", w.magnitude);
}

const char* python_type(const Literal& x) {
  if (std::holds_alternative<bool>(x)) return "bool";
  return std::holds_alternative<double>(x) ? "float" : "int";
}

}  // namespace enigma
