// Operations across the lanes of a SIMD-group.
#include <algorithm>
#include <limits>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

// The vector.reduce intrinsic, its start value where it takes one, and what an absent lane adds.
struct Reduction {
  const char* name;
  bool starts;      // takes a start value; then the lanes may be joined in any order
  double identity;  // but for the signed extremes, which reduce() knows
};

Reduction reduction(Op op, DType t) {
  bool s = is_signed(t);
  switch (op) {
    case Op::SimdSumF:
      return {"fadd", true, -0.0};
    case Op::SimdProductF:
      return {"fmul", true, 1};
    case Op::SimdSumI:
      return {"add", false, 0};
    case Op::SimdProductI:
      return {"mul", false, 1};
    case Op::SimdMinF:
      return {"minnum", false, std::numeric_limits<double>::quiet_NaN()};
    case Op::SimdMaxF:
      return {"maxnum", false, std::numeric_limits<double>::quiet_NaN()};
    case Op::SimdMinI:
      return {s ? "smin" : "umin", false, -1};
    case Op::SimdMaxI:
      return {s ? "smax" : "umax", false, 0};
    case Op::SimdAnd:
      return {"and", false, -1};
    case Op::SimdOr:
      return {"or", false, 0};
    case Op::SimdXor:
      return {"xor", false, 0};
    default:
      throw InternalError(concat("no reduction ", info(op).mnemonic));
  }
}

}  // namespace

V Body::reduce(Op op, V x, DType dtype, const Mask& mask) {
  Reduction r = reduction(op, dtype);
  V absent;
  if (is_float(dtype)) {
    absent = e_.f32(r.identity, kLanes);
  } else if (op == Op::SimdMinI && is_signed(dtype)) {
    absent = e_.integer(x.elem, INT64_MAX >> (64 - info(dtype).bits), kLanes);
  } else if (op == Op::SimdMaxI && is_signed(dtype)) {
    absent = e_.integer(x.elem, INT64_MIN >> (64 - info(dtype).bits), kLanes);
  } else {
    absent = e_.integer(x.elem, static_cast<int64_t>(r.identity), kLanes);
  }
  if (!mask.all()) x = e_.select(mask.v, x, absent);
  // By halves: LLVM would take the lanes of these one after the other.
  if (op == Op::SimdMinF || op == Op::SimdMaxF) {
    for (int n = kLanes / 2; n > 0; n /= 2)
      x = e_.intrinsic(r.name, {e_.half(x, 0), e_.half(x, 1)});
    return x;
  }
  std::string type = llvm_type(x.elem, 1);
  std::string suffix = concat("v", kLanes, is_float(x.elem) ? "f32" : type);
  V start = r.starts ? e_.f32(r.identity) : V{};
  return e_.emit(x.elem, 1,
                 concat("call ", r.starts ? "reassoc " : "", type, " @llvm.vector.reduce.", r.name,
                        ".", suffix, "(", r.starts ? start.typed() + ", " : "", x.typed(), ")"));
}

// Lane k of the result is lane from[k] of x.
V Body::permute(const V& x, const V& from) {
  bool bit = x.elem == Elem::I1;
  V stored = bit ? e_.convert("zext", x, Elem::I8) : x;
  V buf = buffer(0);
  e_.stmt(concat("store ", stored.typed(), ", ", buf.typed(), ", align 64"));
  std::string one = llvm_type(stored.elem, 1), all = stored.type();
  V pointers = e_.emit(Elem::Ptr, kLanes,
                       concat("getelementptr ", one, ", ", buf.typed(), ", ", from.typed()));
  std::string suffix = concat("v", kLanes, is_float(stored.elem) ? "f32" : one);
  V y = e_.emit(
      stored.elem, kLanes,
      concat("call ", all, " @llvm.masked.gather.", suffix, ".v32p0(", pointers.typed(), ", i32 ",
             std::max(1, bits(stored.elem) / 8), ", <32 x i1> splat (i1 true), ", all, " poison)"));
  return bit ? e_.convert("trunc", y, Elem::I1) : y;
}

void Body::lane_op(const Instruction& inst, const Mask& mask) {
  ValueId operand = inst.operands[0], result = inst.results[0];
  DType dtype = m_.type(operand).dtype;
  if (inst.operands.size() == 1) {
    for (int c = 0; c < components(result); ++c) {
      V x = reduce(inst.op, lanes(operand, c), dtype, mask);
      set(result, is_float(dtype) ? round_to(dtype, x) : x, c);
    }
    return;
  }
  ValueId which = inst.operands[1];
  std::optional<int64_t> amount = known(which);
  V last = e_.i32(kLanes - 1);
  auto source = [&](int64_t k, int64_t n) -> int64_t {
    switch (inst.op) {
      case Op::SimdShuffleUp:
        return n <= k ? k - n : k;
      case Op::SimdShuffleDown:
        return n < kLanes - k ? k + n : k;
      case Op::SimdShuffleXor:
        return (k ^ n) & (kLanes - 1);
      default:
        return n & (kLanes - 1);
    }
  };
  for (int c = 0; c < components(result); ++c) {
    if (uniform(operand)) {
      set(result, raw(operand, c), c);
      continue;
    }
    V x = lanes(operand, c);
    if (inst.op == Op::SimdBroadcast) {
      V lane =
          uniform(which) ? raw(which) : lane_of(lanes(which), mask.all() ? e_.i32(0) : mask.first);
      set(result, lane_of(x, lane & last), c);
    } else if (amount) {
      Text order;
      for (int k = 0; k < kLanes; ++k) order.add(k ? ", " : "", "i32 ", source(k, *amount));
      set(result,
          e_.emit(x.elem, kLanes,
                  concat("shufflevector ", x.typed(), ", ", x.type(), " poison, <32 x i32> <",
                         order.str(), ">")),
          c);
    } else {
      V self = e_.iota(Elem::I32, kLanes), n = lanes(which), from;
      switch (inst.op) {
        case Op::SimdShuffleUp:
          from = e_.select(e_.cmp("ule", n, self), self - n, self);
          break;
        case Op::SimdShuffleDown:
          from = e_.select(e_.cmp("ule", n, e_.i32(kLanes - 1, kLanes) - self), self + n, self);
          break;
        case Op::SimdShuffleXor:
          from = self ^ n;
          break;
        default:
          from = n;
          break;
      }
      set(result, permute(x, from & last), c);
    }
  }
}

}  // namespace enigma::cpu
