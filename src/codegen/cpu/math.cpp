// Pieces shared by the hand-written lowerings. Coefficients are our own minimax fits (weighted
// least squares, iterated, in higher precision), rounded one by one and refitted.
#include "codegen/cpu/math.h"

#include <cmath>
#include <numbers>

namespace enigma::cpu {

V poly(const V& x, std::initializer_list<double> c) {
  Expr& e = *x.e;
  const double* last = c.end() - 1;
  V sum = e.like(x, *last);
  while (last != c.begin()) sum = e.fma(sum, x, e.like(x, *--last));
  return sum;
}

Whole nearest(const V& x, double scale) {
  Expr& e = *x.e;
  // Added to 1.5 * 2^23, a number loses its fraction, and the sum's low bits are the integer.
  double magic = x.elem == Elem::F32 ? 0x1.8p23 : 0x1.8p52;
  Elem integer = x.elem == Elem::F32 ? Elem::I32 : Elem::I64;
  V sum = scale == 1 ? x + magic : e.fma(x, e.like(x, scale), e.like(x, magic));
  V low = e.bitcast(sum, integer);
  return {sum - magic, low - e.bitcast(e.like(x, magic), integer), low};
}

V scale_exponent(const V& x, const V& n) {
  Expr& e = *x.e;
  return e.bitcast(e.bitcast(x, n.elem) + (n << (n.elem == Elem::I32 ? 23 : 52)), x.elem);
}

V times_power(const V& x, const Whole& n) {
  return x.e->has_scalef() ? x.e->scalef(x, n.real) : scale_exponent(x, n.low);
}

V clip(const V& x, double lo, double hi) {
  Expr& e = *x.e;
  V low = e.like(x, lo), high = e.like(x, hi);
  V raised = e.select(e.cmp("ogt", low, x), low, x);
  return e.select(e.cmp("olt", high, raised), high, raised);
}

V absolute(const V& x) { return x.e->intrinsic("fabs", {x}); }
V square_root(const V& x) { return x.e->intrinsic("sqrt", {x}); }
V with_sign(const V& magnitude, const V& sign) {
  return magnitude.e->intrinsic("copysign", {magnitude, sign});
}
V is_nan(const V& x) { return x.e->cmp("uno", x, x); }
V is_infinite(const V& x) { return x.e->cmp("oeq", absolute(x), INFINITY); }

V exp2_core(const V& x) {
  Expr& e = *x.e;
  Whole n = e.has_scalef() ? Whole{e.intrinsic("rint", {x}), {}, {}} : nearest(x, 1);
  V r = x - n.real;
  // (2^r - 1) / r on [-1/2, 1/2], to 2^-28.3 of 2^r
  V q = poly(r, {6.93147182e-01, 2.40226477e-01, 5.55035956e-02, 9.61850584e-03, 1.33910251e-03,
                 1.53267814e-04});
  return times_power(e.fma(r, q, e.like(r, 1)), n);
}

LogParts log_split(const V& x) {
  Expr& e = *x.e;
  V denormal = e.cmp("olt", x, 0x1p-126);
  V bits = e.bitcast(e.select(denormal, x * 0x1p23, x), Elem::I32);
  const int64_t root_half = 0x3F3504F3;  // the bits of sqrt(1/2)
  V above = bits - static_cast<double>(root_half);
  V m = e.bitcast((above & e.like(bits, 0x7FFFFF)) + static_cast<double>(root_half), Elem::F32);
  V k = e.convert("sitofp", ashr(above, 23), Elem::F32);
  return {e.select(denormal, k - 23, k), m - 1};
}

V log_tail(const V& f) {
  // log(1 + f) = f - f^2/2 + f^3 p(f) on [sqrt(1/2) - 1, sqrt(2) - 1], to 2^-30.3 of itself
  V p = poly(f, {3.33333135e-01, -2.50000089e-01, 2.00020716e-01, -1.66679889e-01, 1.42203584e-01,
                 -1.24062337e-01, 1.18835486e-01, -1.16700992e-01, 6.74927160e-02});
  return f * f * f.e->fma(f, p, f.e->like(f, -0.5));
}

namespace {

struct LogF64 {
  V k, log_m;
};

/// x = 2^k m, and log(m) = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.1716: an odd polynomial.
LogF64 log_parts_f64(const V& x) {
  Expr& e = *x.e;
  const int64_t root_half = 0x3FE6A09E667F3BCD;  // the bits of sqrt(1/2)
  V base = e.i64(root_half, x.lanes);
  V above = e.bitcast(x, Elem::I64) - base;
  V mantissa = e.i64((int64_t{1} << 52) - 1, x.lanes);
  V m = e.bitcast((above & mantissa) + base, Elem::F64);
  // k becomes a float by arithmetic on the bits: not every CPU converts vectors of 64-bit integers.
  V magic = e.f64(0x1.8p52, x.lanes);
  V k = e.bitcast(ashr(above, 52) + e.bitcast(magic, Elem::I64), Elem::F64) - magic;
  V s = (m - 1) / (m + 1);
  V p = poly(s * s, {6.6666666675809017e-01, 3.9999995619017553e-01, 2.8572109465866602e-01,
                     2.2176175458828154e-01, 1.9584347806170718e-01});
  return {k, s * e.fma(s * s, p, e.like(s, 2))};
}

}  // namespace

V log_f64(const V& x) {
  LogF64 log = log_parts_f64(x);
  return x.e->fma(log.k, x.e->like(x, std::numbers::ln2), log.log_m);
}

V log2_f64(const V& x) {
  LogF64 log = log_parts_f64(x);
  return x.e->fma(log.log_m, x.e->like(x, std::numbers::log2e), log.k);
}

V exp2_f64(const V& x) {
  Expr& e = *x.e;
  Whole n = nearest(x, 1);
  V r = x - n.real;
  V q = poly(r, {6.9314718070685755e-01, 2.4022651070998324e-01, 5.5504103599673865e-02,
                 9.6180374061680986e-03, 1.3333938083779490e-03, 1.5467008457210459e-04,
                 1.5195926328121786e-05});
  return scale_exponent(e.fma(r, q, e.like(r, 1)), n.low);
}

V widen(const V& x) { return x.e->convert("fpext", x, Elem::F64); }
V narrow(const V& x) { return x.e->convert("fptrunc", x, Elem::F32); }

V remainder(const V& x, const V& y) {
  Expr& e = *x.e;
  V a = absolute(x), b = absolute(y);
  // Lanes whose answer is x itself or NaN must not keep the loop going: they compute 0 mod 1.
  V work = e.cmp("oge", a, b) & e.cmp("olt", a, INFINITY) & e.cmp("ogt", b, 0);
  V dividend = widen(e.select(work, a, e.like(a, 0)));
  V divisor = widen(e.select(work, b, e.like(b, 1)));
  V exponent_bits = e.i64(0x7FF, x.lanes);
  V zero = e.i64(0, x.lanes);
  // Long division with digits of 27 bits. Both have 24 significant bits, so that a digit times the
  // shifted divisor is exact in f64, and the quotient cannot round up to a digit that is too large.
  V rest = e.loop({dividend}, [&](const std::vector<V>& carried, std::vector<V>& next) {
    const V& r = carried[0];
    V gap = (shr(e.bitcast(r, Elem::I64), 52) - shr(e.bitcast(divisor, Elem::I64), 52)) - 26;
    V shift = e.select(e.cmp("sgt", gap, zero), gap, zero) & exponent_bits;
    V shifted = scale_exponent(divisor, shift);
    V digit = e.intrinsic("trunc", {r / shifted});
    next = {e.fma(-digit, shifted, r)};
    return e.any(e.cmp("oge", next[0], divisor));
  })[0];
  V keep = e.cmp("olt", a, b);  // also a finite x with an infinite y
  V result = e.select(work, narrow(rest), e.select(keep, a, e.like(a, NAN)));
  return with_sign(result, x);
}

}  // namespace enigma::cpu
