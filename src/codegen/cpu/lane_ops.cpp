// Operations across the lanes of a SIMD-group or of its quads.
#include "ir/lane_op.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

// What a lane that takes no part adds.
V identity(LaneOp::Kind kind, DType t, const V& x) {
  Expr& e = *x.e;
  const int unused = 64 - std::max(8, bits(x.elem));
  const bool s = is_signed(t);
  switch (kind) {
    case LaneOp::Product:
      return e.like(x, 1);
    case LaneOp::Min:
      if (is_float(t)) return e.like(x, std::numeric_limits<double>::quiet_NaN());
      return e.integer(x.elem, s ? INT64_MAX >> unused : -1, x.lanes);
    case LaneOp::Max:
      if (is_float(t)) return e.like(x, std::numeric_limits<double>::quiet_NaN());
      return e.integer(x.elem, s ? INT64_MIN >> unused : 0, x.lanes);
    case LaneOp::And:
      return e.like(x, -1);
    default:
      return e.like(x, 0);
  }
}

V join(LaneOp::Kind kind, DType t, const V& a, const V& b) {
  Expr& e = *a.e;
  const bool f = is_float(t), s = is_signed(t);
  switch (kind) {
    case LaneOp::Sum:
      return a + b;
    case LaneOp::Product:
      return a * b;
    case LaneOp::Min:
      return e.intrinsic(f ? "minnum" : s ? "smin" : "umin", {a, b});
    case LaneOp::Max:
      return e.intrinsic(f ? "maxnum" : s ? "smax" : "umax", {a, b});
    case LaneOp::And:
      return a & b;
    case LaneOp::Or:
      return a | b;
    case LaneOp::Xor:
      return a ^ b;
    default:
      throw InternalError("a lane operation that joins nothing");
  }
}

const char* reduction(LaneOp::Kind kind, DType t) {
  const bool f = is_float(t), s = is_signed(t);
  switch (kind) {
    case LaneOp::Sum:
      return f ? "fadd" : "add";
    case LaneOp::Product:
      return f ? "fmul" : "mul";
    case LaneOp::Min:
      return s ? "smin" : "umin";
    case LaneOp::Max:
      return s ? "smax" : "umax";
    case LaneOp::And:
      return "and";
    case LaneOp::Or:
      return "or";
    default:
      return "xor";
  }
}

// Lane k of the result is lane from(k) of x, or of `other` from 32 on.
template <class From>
V shuffled(const V& x, const V& other, From from) {
  Text order;
  for (int k = 0; k < kLanes; ++k) order.add(k ? ", " : "", "i32 ", from(k));
  return x.e->emit(
      x.elem, kLanes,
      concat("shufflevector ", x.typed(), ", ", other.typed(), ", <32 x i32> <", order.str(), ">"));
}

// In every lane what its quad's lanes make together.
V join_quads(LaneOp::Kind kind, DType t, V x) {
  for (int d : {1, 2}) x = join(kind, t, x, shuffled(x, x, [d](int k) { return k ^ d; }));
  return x;
}

// Each lane joins what lies 1, 2, 4, ... lanes below, so that log2(width) steps do for all.
V scan(const LaneOp& op, DType t, V x) {
  const V nothing = identity(op.kind, t, x);
  auto from_below = [&](const V& y, int distance) {
    return shuffled(y, nothing,
                    [&](int k) { return k % op.width >= distance ? k - distance : 32; });
  };
  for (int d = 1; d < op.width; d *= 2) x = join(op.kind, t, from_below(x, d), x);
  return op.form == LaneOp::Exclusive ? from_below(x, 1) : x;
}

// The lane that lane k reads by a number or distance n.
int64_t source(const LaneOp& op, int64_t k, int64_t n) {
  const int64_t last = op.width - 1, within = k & last, first = k - within;
  switch (op.kind) {
    case LaneOp::ShuffleUp:
      return n <= within ? k - n : k;
    case LaneOp::ShuffleDown:
      return n <= last - within ? k + n : k;
    case LaneOp::ShuffleXor:
      return first + ((within ^ n) & last);
    default:
      return first + (n & last);
  }
}

V source(const LaneOp& op, const V& n) {
  Expr& e = *n.e;
  const V k = e.iota(Elem::I32, kLanes), last = e.i32(op.width - 1, kLanes);
  const V within = k & last, first = k - within;
  switch (op.kind) {
    case LaneOp::ShuffleUp:
      return e.select(e.cmp("ule", n, within), k - n, k);
    case LaneOp::ShuffleDown:
      return e.select(e.cmp("ule", n, last - within), k + n, k);
    case LaneOp::ShuffleXor:
      return first | ((within ^ n) & last);
    default:
      return first | (n & last);
  }
}

}  // namespace

// The same for all active lanes.
V Body::reduce(Op op, V x, DType dtype, const Mask& mask) {
  const LaneOp::Kind kind = enigma::lane_op(op).kind;
  // Of sums -0 is the identity, which 0 is not for -0.
  const bool is_sum = is_float(dtype) && kind == LaneOp::Sum;
  const V start = is_sum ? e_.f32(-0.0) : identity(kind, dtype, V{&e_, "", x.elem, 1});
  if (!mask.all()) x = e_.select(mask.v, x, e_.splat(start, kLanes));
  // By halves: LLVM would take the lanes of these one after the other.
  if (is_float(dtype) && (kind == LaneOp::Min || kind == LaneOp::Max)) {
    while (x.lanes > 1) x = join(kind, dtype, e_.half(x, 0), e_.half(x, 1));
    return x;
  }
  const bool starts = is_float(dtype) && (is_sum || kind == LaneOp::Product);
  std::string type = llvm_type(x.elem, 1);
  std::string suffix = concat("v", kLanes, is_float(x.elem) ? "f32" : type);
  return e_.emit(x.elem, 1,
                 concat("call ", starts ? "reassoc " : "", type, " @llvm.vector.reduce.",
                        reduction(kind, dtype), ".", suffix, "(",
                        starts ? start.typed() + ", " : "", x.typed(), ")"));
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

// In every lane the number that the first active one of its quad has.
V Body::first_of_quads(const V& n, const Mask& mask) {
  if (mask.all()) return shuffled(n, n, [](int k) { return k & ~3; });
  V self = e_.iota(Elem::I32, kLanes);
  V active = e_.select(mask.v, self, e_.i32(kLanes - 1, kLanes));
  return permute(n, join_quads(LaneOp::Min, DType::U32, active));
}

V Body::moved(const Instruction& inst, const LaneOp& op, const V& x, const Mask& mask) {
  ValueId which = inst.operands[1];
  const bool broadcast = op.kind == LaneOp::Broadcast;
  if (broadcast && op.width == kLanes) {
    V lane =
        uniform(which) ? raw(which) : lane_of(lanes(which), mask.all() ? e_.i32(0) : mask.first);
    return lane_of(x, lane & e_.i32(kLanes - 1));
  }
  if (std::optional<int64_t> n = known_integer(m_, which)) {
    return shuffled(x, x, [&](int k) { return source(op, k, *n); });
  }
  V n = lanes(which);
  if (broadcast && !uniform(which)) n = first_of_quads(n, mask);
  return permute(x, source(op, n));
}

void Body::lane_op(const Instruction& inst, const Mask& mask) {
  ValueId operand = inst.operands[0], result = inst.results[0];
  const DType dtype = m_.type(operand).dtype;
  const LaneOp& op = enigma::lane_op(inst.op);
  for (int c = 0; c < components(result); ++c) {
    if (op.form == LaneOp::Move) {
      set(result, uniform(operand) ? raw(operand, c) : moved(inst, op, lanes(operand, c), mask), c);
      continue;
    }
    V x = lanes(operand, c);
    if (op.form == LaneOp::Reduce && op.width == kLanes) {
      x = reduce(inst.op, x, dtype, mask);
    } else {
      if (!mask.all()) x = e_.select(mask.v, x, identity(op.kind, dtype, x));
      x = op.form == LaneOp::Reduce ? join_quads(op.kind, dtype, x) : scan(op, dtype, x);
    }
    set(result, is_float(dtype) ? round_to(dtype, x) : x, c);
  }
}

}  // namespace enigma::cpu
