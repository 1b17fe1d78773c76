// Trigonometric functions and their inverses: pure f32, right for every argument.
#include <cmath>
#include <numbers>

#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

constexpr double kHalfPi = std::numbers::pi / 2;

/// x = n pi/2 + r with |r| <= pi/4; n modulo 4.
struct Quadrant {
  V r, n;
};

/// 32 zero bits, then the bits of 2/pi, as 32-bit words; entry i holds the words i and i + 1.
constexpr uint64_t kTwoOverPi[] = {0x00000000A2F9836E, 0xA2F9836E4E441529, 0x4E441529FC2757D1,
                                   0xFC2757D1F534DDC0, 0xF534DDC0DB629599, 0xDB6295993C439041,
                                   0x3C439041FE5163AB};

/// For finite x from 2^16 on (Payne and Hanek): x is a 24-bit integer times 2^k. Of 2/pi only the
/// 96 bits matter that, times that integer, land below 4 and above 2^-70. In integers the product
/// is exact modulo 4: its top two bits are n, and 62 bits remain for r.
Quadrant reduce_large(const V& x) {
  Expr& e = *x.e;
  int lanes = x.lanes;
  V bits = e.bitcast(x, Elem::I32);
  V mantissa =
      e.convert("zext", (bits & e.like(bits, 0x7FFFFF)) | e.like(bits, 0x800000), Elem::I64);
  V position = shr(bits, 23) + (30 - 150);  // the first bit of 2/pi that matters
  V word = shr(position, 5);
  V high = e.i64(static_cast<int64_t>(kTwoOverPi[0]), lanes);
  V low = e.i64(static_cast<int64_t>(kTwoOverPi[2]), lanes);
  for (int i = 1; i < 5; ++i) {
    V here = e.cmp("sge", word, i);
    high = e.select(here, e.i64(static_cast<int64_t>(kTwoOverPi[i]), lanes), high);
    low = e.select(here, e.i64(static_cast<int64_t>(kTwoOverPi[i + 2]), lanes), low);
  }
  V shift = e.convert("zext", position & e.like(bits, 31), Elem::I64);
  V carried = shr(shr(low, 1), 63 - shift);
  V first = shl(high, shift) | carried;  // 64 bits, weights from 2 down
  V second = shr(shl(low, shift), 32);   // the next 32
  V product = mantissa * first + shr(mantissa * second, 32);
  V n = e.convert("trunc", shr(product + e.i64(int64_t{1} << 61, lanes), 62), Elem::I32);
  V r = narrow(e.convert("sitofp", product << 2, Elem::F64) * (kHalfPi * 0x1p-64));
  return {e.select(e.cmp("olt", x, INFINITY), r, e.like(r, NAN)), n};
}

/// For x >= 0.
Quadrant reduce(const V& x) {
  Expr& e = *x.e;
  // Cody and Waite: pi/2 in three floats. The first fma is exact while n < 2^22, the second loses
  // half a unit, the third stands for what is below.
  Whole n = nearest(x, 2 / std::numbers::pi);
  V r = e.fma(n.real, e.like(x, -1.57079637e+00), x);
  r = e.fma(n.real, e.like(x, 4.37113883e-08), r);
  r = e.fma(n.real, e.like(x, 1.71512451e-15), r);
  std::vector<V> any_size = e.when(e.any(e.cmp("ogt", x, 1e5)), {r, n.integer}, [&] {
    V large = e.cmp("ogt", x, 1e5);
    Quadrant q = reduce_large(x);
    return std::vector<V>{e.select(large, q.r, r), e.select(large, q.n, n.integer)};
  });
  return {any_size[0], any_size[1]};
}

/// On |r| <= pi/4, to 2^-27.9 and 2^-33 of themselves.
V sin_near_zero(const V& r) {
  V square = r * r;
  V p = poly(square, {-1.66666552e-01, 8.33218824e-03, -1.95180997e-04});
  return r.e->fma(square * r, p, r);
}
V cos_near_zero(const V& r) {
  V square = r * r;
  V p = poly(square, {4.16666456e-02, -1.38873106e-03, 2.44325529e-05});
  return r.e->fma(square * square, p, r.e->fma(square, r.e->like(r, -0.5), r.e->like(r, 1)));
}

/// sin(n pi/2 + r), with the sign bits that `sign` has flipped.
V sine(const Quadrant& q, const V& sign) {
  Expr& e = *q.r.e;
  V odd = e.cmp("ne", q.n & e.like(q.n, 1), 0);
  V size = e.select(odd, cos_near_zero(q.r), sin_near_zero(q.r));
  V flip = ((q.n & e.like(q.n, 2)) << 30) ^ sign;
  return e.bitcast(e.bitcast(size, Elem::I32) ^ flip, Elem::F32);
}

V sign_bit(const V& x) { return x.e->bitcast(x, Elem::I32) & x.e->i32(INT32_MIN, x.lanes); }

/// asin on |x| <= 1/2, to 2^-27.6 of itself.
V asin_small(const V& x) {
  V square = x * x;
  V p = poly(square,
             {1.66667521e-01, 7.49530941e-02, 4.54691499e-02, 2.41847783e-02, 4.21583056e-02});
  return x.e->fma(square * x, p, x);
}

/// atan on [0, 1], to 2^-28.5 of itself.
V atan_unit(const V& x) {
  V square = x * x;
  V p = poly(square,
             {-3.33332986e-01, 1.99985296e-01, -1.42640159e-01, 1.09508805e-01, -8.39930549e-02,
              5.78813404e-02, -3.10968701e-02, 1.08685661e-02, -1.78277574e-03});
  return x.e->fma(square * x, p, x);
}

}  // namespace

// Within 1.6 ulp for every argument.
template <>
V hand<Op::Sin>(Expr&, const MapArgs& a) {
  return sine(reduce(absolute(a.x[0])), sign_bit(a.x[0]));
}

// Within 1.6 ulp for every argument.
template <>
V hand<Op::Cos>(Expr& e, const MapArgs& a) {
  Quadrant q = reduce(absolute(a.x[0]));
  return sine({q.r, q.n + 1}, e.like(q.n, 0));
}

// Within 3.8 ulp for every argument.
template <>
V hand<Op::Tan>(Expr& e, const MapArgs& a) {
  Quadrant q = reduce(absolute(a.x[0]));
  V s = sin_near_zero(q.r), c = cos_near_zero(q.r);
  V odd = e.cmp("ne", q.n & e.like(q.n, 1), 0);
  V ratio = e.select(odd, -c, s) / e.select(odd, s, c);
  return e.bitcast(e.bitcast(ratio, Elem::I32) ^ sign_bit(a.x[0]), Elem::F32);
}

// Within 2.4 ulp.
template <>
V hand<Op::Asin>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = absolute(x);
  V small = e.cmp("ole", size, 0.5);
  // asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2))
  V half = asin_small(e.select(small, size, square_root((1 - size) * 0.5)));
  return with_sign(e.select(small, half, e.fma(half, e.like(x, -2), e.like(x, kHalfPi))), x);
}

// Within 1.3 ulp.
template <>
V hand<Op::Acos>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = absolute(x);
  V small = e.cmp("ole", size, 0.5);
  V half = asin_small(e.select(small, x, square_root((1 - size) * 0.5)));
  V inner = (kHalfPi - half) + (-4.37113883e-08);
  V outer = half + half;
  outer = e.select(e.cmp("olt", x, 0), std::numbers::pi - outer, outer);
  return e.select(small, inner, outer);
}

// Within 1.8 ulp.
template <>
V hand<Op::Atan>(Expr& e, const MapArgs& a) {
  const V& x = a.x[0];
  V size = absolute(x);
  V large = e.cmp("ogt", size, 1);
  V p = atan_unit(e.select(large, 1 / size, size));
  return with_sign(e.select(large, kHalfPi - p, p), x);
}

// Within 1.9 ulp.
template <>
V hand<Op::Atan2>(Expr& e, const MapArgs& a) {
  const V &y = a.x[0], &x = a.x[1];
  V height = absolute(y), width = absolute(x);
  V steep = e.cmp("ogt", height, width);
  V longer = e.select(steep, height, width), shorter = e.select(steep, width, height);
  // Equal sides are 45 degrees, infinite ones too; at the origin it is the axis that counts.
  V quotient = e.select(e.cmp("oeq", longer, shorter), e.like(x, 1), shorter / longer);
  quotient = e.select(e.cmp("oeq", longer, 0), longer, quotient);
  V p = atan_unit(quotient);
  p = e.select(steep, kHalfPi - p, p);
  V behind = e.cmp("slt", e.bitcast(x, Elem::I32), 0);
  V angle = with_sign(e.select(behind, std::numbers::pi - p, p), y);
  return e.select(e.cmp("uno", x, y), x + y, angle);
}

}  // namespace enigma::cpu
