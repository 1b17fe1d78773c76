// Hand-written lowerings of float rows that round, compare, classify, mix or divide.
#include <cmath>

#include "codegen/cpu/math.h"
#include "enigma/error.h"

namespace enigma::cpu {
namespace {

struct FloatFormat {
  double smallest_normal, below_one;
};

FloatFormat format_of(DType t) {
  switch (t) {
    case DType::F32:
      return {0x1p-126, 1 - 0x1p-24};
    case DType::F16:
      return {0x1p-14, 1 - 0x1p-11};
    case DType::BF16:
      return {0x1p-126, 1 - 0x1p-8};
    default:
      throw InternalError(concat("a float format for ", info(t).mnemonic));
  }
}

/// Raised to 0 first, so that NaN gives that.
V saturate(const V& x) {
  Expr& e = *x.e;
  V raised = e.select(e.cmp("ogt", x, 0), x, e.like(x, 0));
  return e.select(e.cmp("ogt", raised, 1), e.like(x, 1), raised);
}

struct FloorDivision {
  V quotient, modulo;
};

/// As Python and numpy define them, in the order of operations in which they round: the exact
/// remainder decides, and the quotient follows from it.
FloorDivision floor_divide(const V& a, const V& b) {
  Expr& e = *a.e;
  V rest = remainder(a, b);
  V is_zero = e.cmp("oeq", rest, 0);
  V differs =
      e.cmp("slt", e.bitcast(rest, Elem::I32) ^ e.bitcast(b, Elem::I32), 0) & e.cmp("une", rest, 0);
  V modulo = e.select(differs, rest + b, e.select(is_zero, with_sign(rest, b), rest));

  V quotient = (a - rest) / b;
  quotient = e.select(differs, quotient - 1, quotient);
  V below = e.intrinsic("floor", {quotient});
  V near = e.select(e.cmp("ogt", quotient - below, 0.5), below + 1, below);
  V exact = a / b;
  V result = e.select(e.cmp("oeq", quotient, 0), with_sign(e.like(a, 0), exact), near);
  return {e.select(e.cmp("oeq", b, 0), exact, result), modulo};
}

}  // namespace

template <>
V hand<Op::FloorDivF>(Expr&, const MapArgs& a) {
  return floor_divide(a.x[0], a.x[1]).quotient;
}

template <>
V hand<Op::FloorModF>(Expr&, const MapArgs& a) {
  return floor_divide(a.x[0], a.x[1]).modulo;
}

template <>
V hand<Op::Fmod>(Expr&, const MapArgs& a) {
  return remainder(a.x[0], a.x[1]);
}

// One Newton step on 1 / sqrt(x), its residual 1 - x y^2 in two exact parts: within 0.6 ulp.
template <>
V hand<Op::Rsqrt>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V y = 1 / square_root(x);
  V root = x * y;
  V lost = e.fma(x, y, -root);
  V residual = e.fma(-root, y, e.like(x, 1)) - lost * y;
  V better = e.fma(y * 0.5, residual, y);
  return e.select(is_nan(residual), y, better);  // 0 and infinity
}

template <>
V hand<Op::Fract>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V fraction = x - e.intrinsic("floor", {x});
  V top = e.like(x, format_of(a.dtype).below_one);
  return e.select(e.cmp("olt", top, fraction), top, fraction);
}

// In f64 neither square overflows, and both are exact.
template <>
V hand<Op::Hypot>(Expr& e, const MapArgs& a) {
  V x = widen(a.x[0]), y = widen(a.x[1]);
  V length = narrow(square_root(e.fma(x, x, y * y)));
  V infinite = is_infinite(a.x[0]) | is_infinite(a.x[1]);  // even beside a NaN
  return e.select(infinite, e.like(length, INFINITY), length);
}

// For half the product is exact in f32. The sum is not, and would be rounded twice: it is rounded
// to odd, which means that its last bit is set where it is not exact.
template <>
V hand<Op::Fma>(Expr& e, const MapArgs& a) {
  if (a.dtype != DType::F16) return e.fma(a.x[0], a.x[1], a.x[2]);
  V product = a.x[0] * a.x[1], z = a.x[2];
  V sum = product + z;
  V back = sum - product;
  V lost = (product - (sum - back)) + (z - back);
  V bits = e.bitcast(sum, Elem::I32);
  V away = shr(bits ^ e.bitcast(lost, Elem::I32), 31);
  V odd = e.bitcast((bits - away) | e.like(bits, 1), Elem::F32);
  V inexact = e.cmp("one", lost, 0);  // not for infinities, whose loss is NaN
  return e.select(inexact, odd, sum);
}

template <>
V hand<Op::Smoothstep>(Expr& e, const MapArgs& a) {
  V t = saturate((a.x[2] - a.x[0]) / (a.x[1] - a.x[0]));
  return t * t * e.fma(t, e.like(t, -2), e.like(t, 3));
}

template <>
V hand<Op::IsNormal>(Expr& e, const MapArgs& a) {
  V size = absolute(a.x[0]);
  return e.cmp("oge", size, format_of(a.dtype).smallest_normal) & e.cmp("olt", size, INFINITY);
}

}  // namespace enigma::cpu
