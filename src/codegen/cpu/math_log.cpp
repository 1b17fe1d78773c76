// Logarithms, inverse hyperbolic functions and pow.
#include <cmath>
#include <numbers>

#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

/// The result of a logarithm of u where u is positive and finite; -inf at 0, NaN below.
V log_edges(const V& u, const V& result) {
  Expr& e = *u.e;
  V top = e.select(e.cmp("olt", u, INFINITY), result, e.like(u, INFINITY));
  V bottom = e.select(e.cmp("oeq", u, 0), e.like(u, -INFINITY), e.like(u, NAN));
  return e.select(e.cmp("ogt", u, 0), top, bottom);
}

V log_sum(const V& k, const V& f) {
  Expr& e = *k.e;
  V low = e.fma(k, e.like(k, -1.90465421e-09), log_tail(f));
  return e.fma(k, e.like(k, 6.93147182e-01), f + low);
}

/// Small arguments of an odd function f with f(x) = x - x^3/6 or so are their own result.
V tiny_is_itself(const V& x, const V& result) {
  Expr& e = *x.e;
  return e.select(e.cmp("olt", absolute(x), 0x1p-13), x, with_sign(result, x));
}

}  // namespace

// Within 0.9 ulp, denormal arguments too.
template <>
V hand<Op::Log>(Expr&, const MapArgs& a) {
  auto [k, f] = log_split(a.x[0]);
  return log_edges(a.x[0], log_sum(k, f));
}

// Within 1.8 ulp, exact for powers of two.
template <>
V hand<Op::Log2>(Expr& e, const MapArgs& a) {
  auto [k, f] = log_split(a.x[0]);
  return log_edges(a.x[0], e.fma(f + log_tail(f), e.like(f, std::numbers::log2e), k));
}

// Within 2.1 ulp.
template <>
V hand<Op::Log10>(Expr& e, const MapArgs& a) {
  auto [k, f] = log_split(a.x[0]);
  V log = f + log_tail(f);
  V low = e.fma(k, e.like(k, -1.43209888e-08), log * std::numbers::log10e);
  return log_edges(a.x[0], e.fma(k, e.like(k, 3.01030010e-01), low));
}

// Within 1.5 ulp.
template <>
V hand<Op::Log1p>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V u = x + 1;
  // What the sum lost, exactly; it belongs to f, scaled as u was.
  V rounded = u - 1;
  V lost = (x - rounded) + (1 - (u - rounded));
  auto [k, f] = log_split(u);
  V capped = e.select(e.cmp("olt", k, 126), k, e.like(k, 126));
  V exponent = e.bitcast(capped + 0x1.8p23, Elem::I32) - 0x4B400000;
  V scale = scale_exponent(e.like(x, 1), -exponent);
  return with_sign(log_edges(u, log_sum(k, e.fma(lost, scale, f))), x);
}

// log(x + sqrt(x^2 + 1)) in f64, where nothing overflows: within 0.51 ulp.
template <>
V hand<Op::Asinh>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = widen(absolute(x));
  V result = narrow(log_f64(size + square_root(e.fma(size, size, e.like(size, 1)))));
  result = e.select(e.cmp("olt", absolute(x), INFINITY), result, x);
  return tiny_is_itself(x, result);
}

// log(x + sqrt(x^2 - 1)) in f64, as asinh.
template <>
V hand<Op::Acosh>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = widen(x);
  // x^2 - 1 is rounded once, and exact near 1 where that matters: x has 24 bits.
  V result = narrow(log_f64(size + square_root(e.fma(size, size, e.like(size, -1)))));
  result = e.select(e.cmp("olt", x, INFINITY), result, x);
  return e.select(e.cmp("oge", x, 1), result, e.like(x, NAN));
}

// log((1 + x) / (1 - x)) / 2 in f64, as asinh.
template <>
V hand<Op::Atanh>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = widen(absolute(x));
  V result = narrow(log_f64((size + 1) / (1 - size)) * 0.5);
  V edge = e.select(e.cmp("oeq", absolute(x), 1), e.like(x, INFINITY), e.like(x, NAN));
  return tiny_is_itself(x, e.select(e.cmp("olt", absolute(x), 1), result, edge));
}

// 2^(y log2|x|) in f64: the product has an error of 2^-44 of at most 150, and converting the result
// to f32 rounds, overflows and underflows as it should: within 0.51 ulp. Then the cases of C99's
// annex F.
template <>
V hand<Op::PowF>(Expr& e, const MapArgs& a) {
  const V &x = a.x[0], &y = a.x[1];
  V size = absolute(x);
  V finite = log2_f64(widen(size));
  V zero = e.like(finite, 0);
  V log = e.select(e.cmp("ogt", size, 0), finite, e.like(finite, -INFINITY));
  log = e.select(e.cmp("olt", size, INFINITY), log, widen(size));
  // 1 to an infinite power is 1, where 0 * infinity would say NaN.
  V unit = e.cmp("oeq", size, 1) & e.cmp("ord", y, y);
  V product = e.select(unit, zero, widen(y) * log);
  V result = narrow(exp2_f64(clip(product, -1000, 1000)));

  V half = y * 0.5;
  V whole_y = e.intrinsic("trunc", {y});
  V odd = e.cmp("oeq", whole_y, y) & e.cmp("une", e.intrinsic("trunc", {half}), half);
  result = e.select(odd, with_sign(result, x), result);
  V below_zero = e.cmp("olt", x, 0) & e.cmp("ogt", x, -INFINITY);
  result = e.select(below_zero & e.cmp("une", whole_y, y), e.like(x, NAN), result);
  return e.select(e.cmp("oeq", y, 0) | e.cmp("oeq", x, 1), e.like(x, 1), result);
}

}  // namespace enigma::cpu
