// Integer arithmetic of layouts: what does not fit into 64 bits is an Error, never a wrapped
// number.
#pragma once

#include <cstdint>

#include "enigma/error.h"
#include "support/text.h"

namespace enigma {

[[noreturn]] inline void too_large(int64_t a, const char* op, int64_t b) {
  throw Error(concat("layout arithmetic: ", a, " ", op, " ", b,
                     " does not fit into 64 bits; use smaller shapes or strides"));
}

inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t out;
  if (__builtin_mul_overflow(a, b, &out)) too_large(a, "*", b);
  return out;
}

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t out;
  if (__builtin_add_overflow(a, b, &out)) too_large(a, "+", b);
  return out;
}

/// |a|; the one integer without an absolute value is refused.
inline int64_t checked_abs(int64_t a) { return a < 0 ? checked_mul(a, -1) : a; }

inline int64_t sign(int64_t a) { return (a > 0) - (a < 0); }

/// a / b for positive b, rounded up.
inline int64_t ceil_quotient(int64_t a, int64_t b) { return a / b + (a % b > 0); }

}  // namespace enigma
