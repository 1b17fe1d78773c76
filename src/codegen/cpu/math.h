// Pieces shared by the hand-written lowerings: polynomials, rounding, the cores of exp and log.
#pragma once

#include "codegen/cpu/expr.h"

namespace enigma::cpu {

/// c0 + c1 x + c2 x^2 + ..., by Horner's rule with fma.
V poly(const V& x, std::initializer_list<double> c);

/// An integer as a float and as i32 (i64 for f64); `low` has its low 22 bits (51), and others
/// above, which is all that scale_exponent needs.
struct Whole {
  V real, integer, low;
};
/// The integer nearest to x * scale, for results below 2^22 (2^51); anything for NaN and infinity.
Whole nearest(const V& x, double scale);
/// x * 2^n by adding to the exponent; right only while the result is a normal number.
V scale_exponent(const V& x, const V& n);
/// The same, or by one instruction, which takes care of all others: where there is one, no edges
/// of an exponential are to be mended.
V times_power(const V& x, const Whole& n);

/// x held between two numbers; NaN stays NaN.
V clip(const V& x, double lo, double hi);
V absolute(const V& x);
V square_root(const V& x);
/// The magnitude of one with the sign of the other.
V with_sign(const V& magnitude, const V& sign);
V is_nan(const V& x);
/// |x| == infinity
V is_infinite(const V& x);

/// 2^x for x in [-126, 127], f32.
V exp2_core(const V& x);

/// x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) = f + tail.
struct LogParts {
  V k, f;
};
LogParts log_split(const V& x);
V log_tail(const V& f);

/// The natural logarithm of a positive finite normal f64, to 2^-45.
V log_f64(const V& x);
/// Its base-2 logarithm; -1024 or so for zero.
V log2_f64(const V& x);
/// 2^x for x in [-1000, 1000], f64, to 2^-34.
V exp2_f64(const V& x);
V widen(const V& x);   ///< f32 to f64
V narrow(const V& x);  ///< f64 to f32

/// x - trunc(x / y) * y for f32, exact, with x's sign.
V remainder(const V& x, const V& y);

}  // namespace enigma::cpu
