// Index arithmetic: powers of two become shifts and masks, and what bounds prove idle is left out.

#include "tensor/index.h"

#include <algorithm>
#include <bit>

#include "enigma/limits.h"
#include "support/text.h"

namespace enigma {
namespace {

bool is_power(int64_t x) { return x > 0 && (x & (x - 1)) == 0; }

int64_t log2_of(int64_t x) { return std::countr_zero(static_cast<uint64_t>(x)); }

constexpr int64_t kMostPower = int64_t{1} << 30;
constexpr int kDepth = 8;  // of the expressions that are looked into

int64_t power_of(const Module& m, ValueId v, int depth);

/// Of an instruction's result.
int64_t power_of(const Module& m, const Instruction& inst, int depth) {
  auto of = [&](size_t k) { return power_of(m, inst.operands[k], depth - 1); };
  auto count = [&] {  // of a shift; 31 where it is not known
    const auto by = m.constant(inst.operands[1]);
    return by && *by <= 30 ? static_cast<int>(*by) : 31;
  };
  switch (inst.op) {
    case Op::Constant:
      return power_in(static_cast<int64_t>(inst.attr));
    case Op::MulI:
      return of(0) * of(1);
    case Op::AddI:
    case Op::SubI:
    case Op::FloorModI:
      return std::min(of(0), of(1));
    case Op::AndI:
      return std::max(of(0), of(1));
    case Op::Shl:
      return of(0) << (count() % 31);
    case Op::Shr:
      return std::max<int64_t>(of(0) >> count(), 1);
    case Op::Cast:
      return is_integer(m.type(inst.operands[0]).dtype) ? of(0) : 1;
    case Op::For:  // its index
      return std::min(of(0), of(2));
    default:
      return 1;
  }
}

int64_t power_of(const Module& m, ValueId v, int depth) {
  if (depth == 0) return 1;
  const Value& value = m[v];
  const Instruction* def = m.def(v);
  if (!value.def && !value.region) {
    return std::min(power_in(std::max(m.params[value.index].multiple, 1u)), kMostPower);
  }
  if (value.region && value.index == 0) def = &m[m[value.region].parent];
  if (!def || (def->op == Op::For && !value.region)) return 1;
  return std::min(power_of(m, *def, depth), kMostPower);
}

// What a size takes away where it is added: 2 * N for -2 * N.
std::optional<Size> taken_away(const Size& s) {
  auto is_negative = [](const Size& n) {
    return n.is_known() && n.known() < 0 && n.known() >= -kMaxSize;
  };
  if (is_negative(s)) return Size(-s.known());
  if (s.is_known() || s.symbol() || s.term().op != Size::Op::Mul) return std::nullopt;
  const Size& factor = s.term().left;
  return is_negative(factor) ? std::optional(Size(-factor.known()) * s.term().right) : std::nullopt;
}

}  // namespace

int64_t power_in(const Module& m, ValueId v) { return power_of(m, v, kDepth); }

int64_t power_in(int64_t x) {
  return int64_t{1} << std::min(std::countr_zero(static_cast<uint64_t>(x)), 62);
}

Operand value(Builder& b, const Size& s) {
  if (s.is_known()) return Literal(s.known());
  if (const Symbol* symbol = s.symbol()) {
    for (const Param& p : b.module().params) {
      if (p.is_scalar && p.name == symbol->name && p.dtype == DType::U32) return p.value;
    }
    throw Error(concat("the size ", symbol->name,
                       " is no parameter of this kernel; it is one where a tensor has it"),
                b.location());
  }
  const Size::Term& t = s.term();
  if (t.op == Size::Op::Add) {
    if (auto less = taken_away(t.right)) return b.apply("-", {value(b, t.left), value(b, *less)});
    if (auto less = taken_away(t.left)) return b.apply("-", {value(b, t.right), value(b, *less)});
  }
  const Operand left = value(b, t.left), right = value(b, t.right);
  switch (t.op) {
    case Size::Op::Add:
      return b.apply("+", {left, right});
    case Size::Op::Mul:
      return b.apply("*", {left, right});
    default: {
      const int64_t n = t.right.known();
      const ValueId x = t.op == Size::Op::FloorDiv ? std::get<ValueId>(left)
                                                   : b.apply("+", {left, Literal(n - 1)});
      return is_power(n) ? b.apply(">>", {x, Literal(log2_of(n))}) : b.apply("//", {x, right});
    }
  }
}

Digits::Digits(Builder* b, const Index& x, int64_t size, bool wide) : b_(b), x_(x) {
  if (x.is_known()) return;
  const DType type = b->type(x.value).dtype, to = wide ? DType::U64 : DType::U32;
  const Builder::Bounds is = b->bounds(x.value);
  const int64_t most = wide ? INT64_MAX : int64_t{UINT32_MAX};
  if (!is_power(size) && (is.least < 0 || is.greatest > most)) {
    // The conversion would take it modulo a power of two first, which the size does not divide.
    const DType large = is_signed(type) ? DType::I64 : DType::U64;
    ValueId whole = size > is.greatest ? b->cast(x.value, large) : x.value;
    x_ = b->apply("%", {whole, Literal(size)});
  }
  x_ = b->type(x_.value).dtype == to ? x_.value : b->cast(x_.value, to);
}

Index Digits::at(int64_t place, int64_t size) const {
  if (x_.is_known()) return x_.known / place % size;
  ValueId x = x_.value;
  const int64_t greatest = b_->bounds(x).greatest;
  if (greatest / place == 0) return 0;
  if (place > 1) {
    x = is_power(place) ? b_->apply(">>", {x, Literal(log2_of(place))})
                        : b_->apply("//", {x, Literal(place)});
  }
  if (greatest / place < size) return x;
  return is_power(size) ? b_->apply("&", {x, Literal(size - 1)})
                        : b_->apply("%", {x, Literal(size)});
}

void add(Builder* b, Origin& origin, const Index& x, int64_t stride) {
  if (x.is_known()) {
    origin.known += x.known * stride;
    return;
  }
  const int64_t multiple = std::min(power_in(stride), kMostPower) * power_in(b->module(), x.value);
  ValueId term = stride == 1 ? x.value : b->apply("*", {x.value, Literal(stride)});
  if (origin.traced) {
    origin.traced = b->apply("+", {origin.traced, term});
    origin.multiple = std::min(origin.multiple, multiple);
  } else {
    origin.traced = term;
    origin.multiple = multiple;
  }
}

Operand sum(Builder& b, const Origin& origin, int64_t more) {
  const int64_t known = origin.known + more;
  if (!origin.traced) return Literal(known);
  return known ? b.apply("+", {origin.traced, Literal(known)}) : origin.traced;
}

}  // namespace enigma
