// Conversions: every pair of dtypes, registers to memory and back, each rounded once.
#include "codegen/cpu/expr.h"
#include "enigma/error.h"

namespace enigma::cpu {
namespace {

/// The bits of the nearest half as i16. fptrunc and fpext are one instruction each on every CPU
/// that we compile for (F16C, AVX-512, NEON), keep denormals and round to even.
V half_bits(const V& x) {
  Expr& e = *x.e;
  std::string half = x.lanes == 1 ? "half" : concat("<", x.lanes, " x half>");
  V narrow = e.emit(Elem::I16, x.lanes, concat("fptrunc ", x.typed(), " to ", half));
  return e.emit(Elem::I16, x.lanes,
                concat("bitcast ", half, " ", narrow.text, " to ", narrow.type()));
}

V from_half_bits(const V& x) {
  Expr& e = *x.e;
  std::string half = x.lanes == 1 ? "half" : concat("<", x.lanes, " x half>");
  V narrow = e.emit(Elem::I16, x.lanes, concat("bitcast ", x.typed(), " to ", half));
  return e.emit(Elem::F32, x.lanes,
                concat("fpext ", half, " ", narrow.text, " to ", llvm_type(Elem::F32, x.lanes)));
}

/// x rounded to bfloat, whose bits are the upper half of f32's: adding just less than half a unit,
/// or half a unit where the last kept bit is odd, carries into the kept bits as rounding asks.
V round_to_bfloat(const V& x) {
  Expr& e = *x.e;
  V bits = e.bitcast(x, Elem::I32);
  V odd = shr(bits, 16) & e.like(bits, 1);
  V rounded = bits + odd + 0x7FFF;
  V quiet = bits | e.like(bits, 0x400000);  // a NaN must not carry into infinity
  V kept = e.select(e.cmp("uno", x, x), quiet, rounded) & e.like(bits, -0x10000);
  return e.bitcast(kept, Elem::F32);
}

/// An integer of 32 or 64 bits as f32 with the last bit set where it is not exact ("round to odd"):
/// then rounding to half or bfloat gives what rounding the integer itself would.
V to_float_odd(const V& x, bool is_signed) {
  Expr& e = *x.e;
  V magnitude = is_signed ? e.intrinsic("abs", {x, e.boolean(false)}) : x;
  V nearest = e.convert("uitofp", magnitude, Elem::F32);
  V back = e.intrinsic("fptoui.sat", x.elem, {nearest});
  V above = e.convert("zext", e.cmp("ugt", back, magnitude), Elem::I32);
  V inexact = e.convert("zext", e.cmp("ne", back, magnitude), Elem::I32);
  V odd = e.bitcast((e.bitcast(nearest, Elem::I32) - above) | inexact, Elem::F32);
  return is_signed ? e.select(e.cmp("slt", x, 0), -odd, odd) : odd;
}

V from_integer(const V& x, DType from, DType to) {
  Expr& e = *x.e;
  if (to != DType::F32 && bits(x.elem) > 16) return to_float_odd(x, is_signed(from));
  return e.convert(is_signed(from) ? "sitofp" : "uitofp", x, Elem::F32);
}

}  // namespace

V round_to(DType t, const V& x) {
  if (t == DType::F16) return from_half_bits(half_bits(x));
  if (t == DType::BF16) return round_to_bfloat(x);
  return x;
}

V to_storage(DType t, const V& x) {
  Expr& e = *x.e;
  if (t == DType::F16) return half_bits(x);
  if (t == DType::BF16) return e.convert("trunc", shr(e.bitcast(x, Elem::I32), 16), Elem::I16);
  if (t == DType::B1) return e.convert("zext", x, Elem::I8);
  return x;
}

V from_storage(DType t, const V& x) {
  Expr& e = *x.e;
  if (t == DType::F16) return from_half_bits(x);
  if (t == DType::BF16) return e.bitcast(e.convert("zext", x, Elem::I32) << 16, Elem::F32);
  if (t == DType::B1) return e.cmp("ne", x, 0);
  return x;
}

V cast(const V& x, DType from, DType to) {
  Expr& e = *x.e;
  if (from == to) return x;
  if (to == DType::B1) return e.cmp(is_float(from) ? "une" : "ne", x, 0);
  Elem elem = elem_of(to);
  if (from == DType::B1) {
    if (is_float(to)) return e.select(x, e.f32(1, x.lanes), e.f32(0, x.lanes));
    return e.convert("zext", x, elem);
  }
  if (is_float(from)) {
    if (is_float(to)) return round_to(to, x);
    return e.intrinsic(is_signed(to) ? "fptosi.sat" : "fptoui.sat", elem, {x});
  }
  if (is_float(to)) return round_to(to, from_integer(x, from, to));
  if (bits(elem) == bits(x.elem)) return x;
  if (bits(elem) < bits(x.elem)) return e.convert("trunc", x, elem);
  return e.convert(is_signed(from) ? "sext" : "zext", x, elem);
}

V as_type(const V& x, DType from, DType to) {
  if (info(from).bits != info(to).bits) {
    throw InternalError(concat("as_type of ", info(from).mnemonic, " to ", info(to).mnemonic));
  }
  V stored = to_storage(from, x);
  return from_storage(to,
                      x.e->bitcast(stored, to == DType::F32 ? Elem::F32 : int_elem(info(to).bits)));
}

}  // namespace enigma::cpu
