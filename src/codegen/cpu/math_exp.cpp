// Exponentials, hyperbolic functions and erf: pure f32, no tables, no calls.
#include <cmath>
#include <numbers>

#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

constexpr double kLn2Hi = 6.93147182e-01, kLn2Lo = -1.90465421e-09;

/// x = n ln 2 + r with |r| <= ln(2) / 2.
struct Reduced {
  Whole n;
  V r;
};
Reduced reduce(const V& x) {
  Expr& e = *x.e;
  Whole n = nearest(x, std::numbers::log2e);
  // The first fma is exact: both sides are multiples of the same small power of two.
  V r = e.fma(n.real, e.like(x, -kLn2Hi), x);
  return {n, e.fma(n.real, e.like(x, -kLn2Lo), r)};
}

/// e^r on |r| <= ln(2) / 2, to 2^-28.
V exp_near_zero(const V& r) {
  return poly(
      r, {1, 1, 4.99999940e-01, 1.66665211e-01, 4.16682735e-02, 8.36868491e-03, 1.38201087e-03});
}

/// For times_power: x, or a larger number whose exponential is 0 as well. Polynomials of even
/// degree are positive, too, where the argument is so large that nothing is left of its reduction.
V exp_argument(const V& x, double lo) {
  Expr& e = *x.e;
  return e.has_scalef() ? e.select(e.cmp("olt", x, lo), e.like(x, lo), x) : x;
}

/// Outside [lo, hi] the result is 0, infinity or NaN; times_power may know that.
V exp_edges(const V& x, const V& result, double lo, double hi) {
  Expr& e = *x.e;
  if (e.has_scalef()) return result;
  V bits = e.bitcast(result, Elem::I32);
  V flushed = e.bitcast(e.select(e.cmp("olt", x, lo), e.like(bits, 0), bits), Elem::F32);
  return e.select(e.cmp("ugt", x, hi), x + INFINITY, flushed);
}

/// e^x - 1 = 2^n (e^r - 1) + (2^n - 1), at half size so that 2^n does not overflow before it must.
V expm1_core(const V& x) {
  Expr& e = *x.e;
  auto [n, r] = reduce(x);
  // (e^r - 1 - r) / r^2, to 2^-31 of e^r - 1
  V q = poly(r, {5.00000000e-01, 1.66666657e-01, 4.16664928e-02, 8.33354425e-03, 1.39323424e-03,
                 1.97633824e-04});
  V near = e.fma(r * r, q, r);
  V half_scale = scale_exponent(e.like(x, 0.5), n.low);
  V half = e.fma(half_scale, near, half_scale - 0.5);
  return half + half;
}

/// e^|x| / 4 for |x| up to 90.
V quarter_exp(const V& x) {
  auto [n, r] = reduce(x);
  return exp_near_zero(r) * scale_exponent(r.e->like(r, 1), n.low - 2);  // a NaN stays one
}

}  // namespace

// Within 0.9 ulp; results below the smallest normal number are 0 where there is no scalef.
template <>
V hand<Op::Exp>(Expr&, const MapArgs& a) {
  V x = exp_argument(a.x[0], -105);
  auto [n, r] = reduce(x);
  return exp_edges(x, times_power(exp_near_zero(r), n), -87.3365402, 88.7228317);
}

// Within 0.8 ulp; small results as those of exp.
template <>
V hand<Op::Exp2>(Expr&, const MapArgs& a) {
  const V& x = a.x[0];
  return exp_edges(x, exp2_core(x), -126, 127.999992);
}

// Within 1.0 ulp; small results as those of exp.
template <>
V hand<Op::Exp10>(Expr& e, const MapArgs& a) {
  V x = exp_argument(a.x[0], -46);
  Whole n = nearest(x, 3.32192809488736235);
  V r = e.fma(n.real, e.like(x, -3.01030010e-01), x);
  r = e.fma(n.real, e.like(x, 1.43209888e-08), r);
  // (10^r - 1) / r on |r| <= log10(2) / 2, to 2^-28.5 of 10^r
  V q = poly(r, {2.30258512e+00, 2.65094876e+00, 2.03465605e+00, 1.17129517e+00, 5.41826427e-01,
                 2.06166476e-01});
  V result = times_power(e.fma(r, q, e.like(r, 1)), n);
  return exp_edges(x, result, -37.9297791, 38.5318375);
}

// Within 1.5 ulp.
template <>
V hand<Op::Expm1>(Expr&, const MapArgs& a) {
  const V& x = a.x[0];
  return with_sign(expm1_core(clip(x, -20, 89)), x);
}

// Within 1.7 ulp.
template <>
V hand<Op::Sinh>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = absolute(x);
  V square = x * x;
  // (sinh(x) - x) / x^3 on |x| <= 1, to 2^-31.6 of sinh(x)
  V p = poly(square, {1.66666672e-01, 8.33331048e-03, 1.98428956e-04, 2.78221319e-06});
  V small = e.fma(square * x, p, x);
  V h = quarter_exp(clip(size, 0, 90));
  V half = h - 0.0625 / h;
  return e.select(e.cmp("olt", size, 1), small, with_sign(half + half, x));
}

// Within 1.5 ulp.
template <>
V hand<Op::Cosh>(Expr&, const MapArgs& a) {
  V h = quarter_exp(clip(absolute(a.x[0]), 0, 90));
  V half = h + 0.0625 / h;
  return half + half;
}

// (e^2x - 1) / (e^2x + 1), within 2.5 ulp.
template <>
V hand<Op::Tanh>(Expr&, const MapArgs& a) {
  const V& x = a.x[0];
  V size = clip(absolute(x), 0, 10);
  V t = expm1_core(size + size);
  return with_sign(t / (t + 2), x);
}

// Within 1.2 ulp.
template <>
V hand<Op::Erf>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = clip(absolute(x), 0, 4);
  // Near zero: erf(x) / x - 1 on |x| <= 0.95, to 2^-30 of erf(x) / x.
  V p = poly(size * size, {1.28379166e-01, -3.76126289e-01, 1.12836257e-01, -2.68557407e-02,
                           5.19246049e-03, -8.05080403e-04, 8.00277485e-05});
  V small = e.fma(size, p, size);
  // Beyond: log2(1 - erf(x)) on [0.9, 4], to 2^-29 of erf(x).
  V q = poly(size, {-2.56072526e-04, -1.62699866e+00, -9.19083059e-01, -1.50094047e-01,
                    3.21389623e-02, -4.40828595e-03, 2.84470181e-04});
  V large = 1 - exp2_core(q);
  return with_sign(e.select(e.cmp("ult", size, 0.93), small, large), x);  // NaN: small
}

}  // namespace enigma::cpu
