// Hand-written lowerings of integer and boolean rows: nothing traps, counts stay in range.
#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

V extend(const V& x, bool is_signed, Elem to) {
  return x.e->convert(is_signed ? "sext" : "zext", x, to);
}

struct Division {
  V quotient, remainder;
};

/// Truncating division that never traps: by zero both results are 0, as the MSL's are, and the
/// minimum by -1 gives itself and 0.
Division divide_truncating(const MapArgs& args) {
  const V &a = args.x[0], &given = args.x[1];
  Expr& e = *a.e;
  bool is_signed = enigma::is_signed(args.dtype);
  V bad = e.cmp("eq", given, 0);
  if (is_signed) {
    V lowest = e.integer(a.elem, INT64_MIN >> (64 - bits(a.elem)), a.lanes);
    bad = bad | (e.cmp("eq", a, lowest) & e.cmp("eq", given, -1));
  }
  V b = e.select(bad, e.like(given, 1), given);
  V quotient;
  if (a.lanes == 1 || bits(a.elem) == 64 || given.text[0] != '%') {
    quotient = divide(is_signed, a, b);  // also for constants: LLVM multiplies by their inverse
  } else {
    // CPUs divide vectors of floats only. With twice the bits and more the rounded quotient never
    // reaches the next integer: that is 1/b away, and the rounding error is below 2^-width / b.
    Elem wide = bits(a.elem) == 32 ? Elem::F64 : Elem::F32;
    auto to_float = [&](const V& x) { return e.convert(is_signed ? "sitofp" : "uitofp", x, wide); };
    quotient = e.convert(is_signed ? "fptosi" : "fptoui", to_float(a) / to_float(b), a.elem);
    // LLVM makes a minimum of a conversion and 0 a saturation to 0 bits, and aborts; not through a
    // freeze.
    quotient = e.emit(quotient.elem, quotient.lanes, concat("freeze ", quotient.typed()));
  }
  V remainder = a - quotient * b;
  return {e.select(e.cmp("eq", given, 0), e.like(quotient, 0), quotient), remainder};
}

/// Where Python's division differs: a remainder whose sign is not the divisor's.
V floor_differs(const MapArgs& args, const V& remainder) {
  Expr& e = *remainder.e;
  return e.cmp("ne", remainder, 0) & e.cmp("slt", remainder ^ args.x[1], 0);
}

/// Where bits are taken from, or put, within the width; shifts by these numbers are in range. An
/// empty field has zeros for them.
struct Field {
  V empty;
  V offset, above;  ///< bits below the field, and above it
  V others;         ///< both together
};

Field field(const MapArgs& args, const V& offset, const V& bits) {
  Expr& e = *offset.e;
  const DType t = unsigned_of(args.dtype);
  V width = e.like(offset, info(t).bits);
  V start = e.intrinsic("umin", {offset, width});
  V count = e.intrinsic("umin", {bits, width - start});
  V empty = e.cmp("eq", count, 0);
  auto shift = [&](const V& x) { return cast(e.select(empty, e.like(x, 0), x), DType::U32, t); };
  return {empty, shift(start), shift(width - start - count), shift(width - count)};
}

/// The upper 64 bits of a product, by halves of 32 bits; no sum overflows. A negative operand
/// counts as itself + 2^64.
V high_product(const V& x, const V& y, bool is_signed) {
  Expr& e = *x.e;
  V low_half = e.like(x, 0xFFFFFFFF);
  V x0 = x & low_half, x1 = shr(x, 32), y0 = y & low_half, y1 = shr(y, 32);
  V middle = x1 * y0 + shr(x0 * y0, 32);
  V cross = x0 * y1 + (middle & low_half);
  V high = x1 * y1 + shr(middle, 32) + shr(cross, 32);
  if (!is_signed) return high;
  return high - (ashr(x, 63) & y) - (ashr(y, 63) & x);
}

V count_in_range(const V& count) { return count & count.e->like(count, bits(count.elem) - 1); }

}  // namespace

template <>
V hand<Op::DivI>(Expr&, const MapArgs& a) {
  return divide_truncating(a).quotient;
}

template <>
V hand<Op::FloorDivI>(Expr& e, const MapArgs& a) {
  Division d = divide_truncating(a);
  if (!is_signed(a.dtype)) return d.quotient;
  V less = e.convert("sext", floor_differs(a, d.remainder), d.quotient.elem);
  return d.quotient + less;
}

template <>
V hand<Op::FloorModI>(Expr& e, const MapArgs& a) {
  Division d = divide_truncating(a);
  if (!is_signed(a.dtype)) return d.remainder;
  V more = e.select(floor_differs(a, d.remainder), a.x[1], e.like(a.x[1], 0));
  return d.remainder + more;
}

// Right to left through the exponent's bits, until no lane has any left.
template <>
V hand<Op::PowI>(Expr& e, const MapArgs& a) {
  const V &base = a.x[0], &exponent = a.x[1];
  V one = e.like(base, 1);
  bool has_sign = is_signed(a.dtype);
  V negative = e.cmp("slt", exponent, 0);
  V odd = e.cmp("ne", exponent & one, 0);
  V count = has_sign ? e.select(negative, e.like(base, 0), exponent) : exponent;
  auto body = [&](const std::vector<V>& carried, std::vector<V>& next) {
    const V &result = carried[0], &square = carried[1], &left = carried[2];
    V taken = e.cmp("ne", left & one, 0);
    next = {e.select(taken, result * square, result), square * square, shr(left, 1)};
    return e.any(e.cmp("ne", next[2], 0));
  };
  V power = e.loop({one, base, count}, body)[0];
  if (!has_sign) return power;
  // base to a negative power is 1 / base^n, truncated: 1 for 1, +-1 for -1, else 0.
  V minus_one = e.select(odd, e.like(base, -1), one);
  V inverse = e.select(e.cmp("eq", base, -1), minus_one, e.like(base, 0));
  inverse = e.select(e.cmp("eq", base, 1), one, inverse);
  return e.select(negative, inverse, power);
}

template <>
V hand<Op::Shl>(Expr&, const MapArgs& a) {
  return shl(a.x[0], count_in_range(a.x[1]));
}

template <>
V hand<Op::Shr>(Expr&, const MapArgs& a) {
  V count = count_in_range(a.x[1]);
  return is_signed(a.dtype) ? ashr(a.x[0], count) : shr(a.x[0], count);
}

template <>
V hand<Op::AbsI>(Expr& e, const MapArgs& a) {
  return is_signed(a.dtype) ? e.intrinsic("abs", {a.x[0], e.boolean(false)}) : a.x[0];
}

template <>
V hand<Op::MulHi>(Expr& e, const MapArgs& a) {
  const V &x = a.x[0], &y = a.x[1];
  bool s = is_signed(a.dtype);
  int width = bits(x.elem);
  if (width == 64) return high_product(x, y, s);
  Elem wide = int_elem(2 * width);
  return e.convert("trunc", shr(extend(x, s, wide) * extend(y, s, wide), width), x.elem);
}

// In twice the width, where nothing overflows.
template <>
V hand<Op::MadSat>(Expr& e, const MapArgs& a) {
  const V &x = a.x[0], &y = a.x[1], &z = a.x[2];
  bool s = is_signed(a.dtype);
  int width = bits(x.elem);
  V least = e.integer(x.elem, s ? INT64_MIN >> (64 - width) : 0, x.lanes);
  V greatest = e.integer(x.elem, s ? INT64_MAX >> (64 - width) : -1, x.lanes);
  if (width < 64) {
    Elem wide = int_elem(2 * width);
    auto widened = [&](const V& v) { return extend(v, s, wide); };
    V sum = widened(x) * widened(y) + widened(z);
    sum = e.intrinsic(s ? "smin" : "umin", {sum, widened(greatest)});
    if (s) sum = e.intrinsic("smax", {sum, widened(least)});
    return e.convert("trunc", sum, x.elem);
  }
  V low = x * y, sum = low + z;
  V high = high_product(x, y, s) + e.convert("zext", e.cmp("ult", sum, low), x.elem);
  if (!s) return e.select(e.cmp("eq", high, 0), sum, greatest);
  high = high + ashr(z, 63);
  V end = e.select(e.cmp("slt", high, 0), least, greatest);
  return e.select(e.cmp("eq", high, ashr(sum, 63)), sum, end);
}

template <>
V hand<Op::Rotate>(Expr& e, const MapArgs& a) {
  return e.intrinsic("fshl", {a.x[0], a.x[0], cast(a.x[1], DType::U32, unsigned_of(a.dtype))});
}

template <>
V hand<Op::ExtractBits>(Expr& e, const MapArgs& a) {
  Field f = field(a, a.x[1], a.x[2]);
  V at_top = shl(a.x[0], f.above);
  V bits = is_signed(a.dtype) ? ashr(at_top, f.others) : shr(at_top, f.others);
  return e.select(f.empty, e.like(bits, 0), bits);
}

template <>
V hand<Op::InsertBits>(Expr& e, const MapArgs& a) {
  Field f = field(a, a.x[2], a.x[3]);
  V ones = e.like(a.x[0], -1);
  V mask = e.select(f.empty, e.like(ones, 0), shl(shr(ones, f.others), f.offset));
  return (a.x[0] & (mask ^ ones)) | (shl(a.x[1], f.offset) & mask);
}

template <>
V hand<Op::DequantizeInt8>(Expr&, const MapArgs& a) {
  return (cast(a.x[0], a.dtype, DType::F32) - a.x[2]) * a.x[1];
}

}  // namespace enigma::cpu
