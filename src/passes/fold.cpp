// Folding: operations on constants become constants; identities that hold for every input, NaN and
// -0 among them, become one of their operands.

#include <algorithm>
#include <optional>

#include "ir/signature.h"
#include "passes/evaluate.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "support/floats.h"

namespace enigma {
namespace {

// Whether each value of one type is a value of the other.
bool is_lossless(DType from, DType to) {
  if (from == to || from == DType::B1) return true;
  if (to == DType::B1 || (is_float(from) && !is_float(to))) return false;
  if (is_float(to)) {
    const int precision = float_format(to).precision;
    if (is_float(from)) return promote(from, to) == to;
    return info(from).bits - (is_signed(from) ? 1 : 0) <= precision &&
           info(from).bits <= 16;  // the range of half ends below 2^16
  }
  if (is_signed(from) == is_signed(to)) return info(from).bits <= info(to).bits;
  return is_signed(to) && info(from).bits < info(to).bits;
}

class Folder {
 public:
  explicit Folder(Module& m) : m_(m), rewrites_(m) {}

  void region(RegionId r) {
    auto& insts = m_[r].insts;
    std::erase_if(insts, [&](InstId i) {
      rewrites_.apply(m_[i]);
      if (std::optional<ValueId> same = fold(m_[i])) {
        rewrites_.replace(m_[i].results[0], *same);
        return true;
      }
      for (RegionId inner : m_[i].regions) region(inner);
      return false;
    });
  }

 private:
  // The value that stands for the result; an instruction may also become a constant in place.
  std::optional<ValueId> fold(Instruction& inst) {
    switch (info(inst.op).shape) {
      case Shape::Map:
        if (constant_operands(inst)) return std::nullopt;
        return identity(inst);
      case Shape::Cast:
        return cast(inst);
      case Shape::Make:
        return make(inst);
      case Shape::Extract:
        return extract(inst);
      case Shape::Load:
        if (inst.op == Op::LoadIf && m_.constant(inst.operands[2]) == uint64_t{0})
          return inst.operands[3];
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

  bool is_constant(ValueId v, uint64_t value) const { return m_.constant(v) == value; }

  void become(Instruction& inst, uint64_t value) {
    inst.op = Op::Constant;
    inst.attr = value;
    inst.operands.clear();
  }

  bool constant_operands(Instruction& inst) {
    std::vector<uint64_t> known;
    for (ValueId v : inst.operands) {
      auto b = m_.constant(v);
      if (!b) return false;
      known.push_back(*b);
    }
    auto value = evaluate(inst.op, shared_type(m_, inst).dtype, known);
    if (value) become(inst, *value);
    return value.has_value();
  }

  std::optional<ValueId> cast(Instruction& inst) {
    const Type to = m_.type(inst.results[0]);
    ValueId x = inst.operands[0];
    if (m_.type(x) == to) return x;
    if (auto b = m_.constant(x)) {
      // A vector constant has one attribute for all lanes, so that this broadcasts as well.
      become(inst, inst.op == Op::AsType ? *b : evaluate_cast(m_.type(x).dtype, to.dtype, *b));
      return std::nullopt;
    }
    const Instruction* before = m_.def(x);
    if (!before || before->op != inst.op) return std::nullopt;
    ValueId origin = before->operands[0];
    const DType from = m_.type(origin).dtype, between = m_.type(x).dtype;
    if (m_.type(origin).with(between) != m_.type(x)) return std::nullopt;
    const bool modulo = is_integer(from) && is_integer(between) && is_integer(to.dtype) &&
                        info(to.dtype).bits <= info(between).bits;
    if (inst.op == Op::Cast && !modulo && !is_lossless(from, between)) return std::nullopt;
    // From a float integers saturate, from an integer they wrap: the same only where both fit.
    const bool saturates = is_integer(from) && is_float(between) && is_integer(to.dtype);
    if (inst.op == Op::Cast && saturates && !is_lossless(from, to.dtype)) return std::nullopt;
    if (m_.type(origin) == to) return origin;
    inst.operands[0] = origin;
    return std::nullopt;
  }

  // The parts of a vector, in order, are the vector; equal constants are one of the vector's type.
  std::optional<ValueId> make(Instruction& inst) {
    const auto& parts = inst.operands;
    const Type made = m_.type(inst.results[0]);
    const Instruction* first = m_.def(parts[0]);
    if (!first) return std::nullopt;
    bool taken = first->op == Op::VecExtract && m_.type(first->operands[0]) == made;
    bool constant = first->op == Op::Constant && made.is_vector();
    for (size_t k = 0; k < parts.size(); ++k) {
      const Instruction* def = m_.def(parts[k]);
      taken = taken && def && def->op == Op::VecExtract && def->attr == k &&
              def->operands == first->operands;
      constant = constant && def && def->op == Op::Constant && def->attr == first->attr;
    }
    if (taken) return first->operands[0];
    if (constant) become(inst, first->attr);
    return std::nullopt;
  }

  std::optional<ValueId> extract(Instruction& inst) {
    const ValueId whole = inst.operands[0];
    const Instruction* def = m_.def(whole);
    if (!def) return std::nullopt;
    if (info(def->op).shape == Shape::Make) return def->operands[inst.attr];
    if (def->op == Op::Constant) become(inst, def->attr);
    if (def->op == Op::Cast && m_.type(def->operands[0]) == m_.type(inst.results[0])) {
      return def->operands[0];  // broadcast
    }
    return std::nullopt;
  }

  std::optional<ValueId> identity(Instruction& inst) {
    const auto& x = inst.operands;
    const ValueId a = x[0];
    const ValueId b = x.size() > 1 ? x[1] : ValueId{};
    const DType t = shared_type(m_, inst).dtype;
    const uint64_t ones = mask_to(t, UINT64_MAX);
    auto one_of = [&](uint64_t value) -> std::optional<ValueId> {  // the other operand
      if (is_constant(b, value)) return a;
      if (is_constant(a, value)) return b;
      return std::nullopt;
    };
    auto either = [&](uint64_t value) { return is_constant(a, value) || is_constant(b, value); };
    auto constant = [&](uint64_t value) -> std::optional<ValueId> {
      become(inst, value);
      return std::nullopt;
    };
    switch (inst.op) {
      case Op::AddI:
        return one_of(0);
      case Op::SubI:
        if (a == b) return constant(0);
        return is_constant(b, 0) ? std::optional(a) : std::nullopt;
      case Op::MulI:
        if (either(0)) return constant(0);
        return one_of(1);
      case Op::DivI:
      case Op::FloorDivI:
        return is_constant(b, 1) ? std::optional(a) : std::nullopt;
      case Op::FloorModI:
        if (is_constant(b, 1)) return constant(0);
        return std::nullopt;
      case Op::AndI:
      case Op::AndB:
        if (either(0)) return constant(0);
        return a == b ? a : one_of(ones);
      case Op::OrI:
      case Op::OrB:
        if (either(ones)) return constant(ones);
        return a == b ? a : one_of(0);
      case Op::XorI:
      case Op::XorB:
        if (a == b) return constant(0);
        return one_of(0);
      case Op::Shl:
      case Op::Shr: {
        auto count = m_.constant(b);
        const uint64_t width = info(t).bits;
        return count && *count % width == 0 ? std::optional(a) : std::nullopt;
      }
      case Op::MinI:
      case Op::MaxI:
        return a == b ? std::optional(a) : std::nullopt;
      case Op::NotI:
      case Op::NotB:
      case Op::NegI:
      case Op::NegF: {
        const Instruction* before = m_.def(a);
        return before && before->op == inst.op ? std::optional(before->operands[0]) : std::nullopt;
      }
      case Op::MulF:
        return one_of(float_to_bits(t, 1.0));
      case Op::DivF:
        return is_constant(b, float_to_bits(t, 1.0)) ? std::optional(a) : std::nullopt;
      case Op::AddF:
        return one_of(float_to_bits(t, -0.0));
      case Op::SubF:
        return is_constant(b, 0) ? std::optional(a) : std::nullopt;
      case Op::Select:
        if (a == b) return a;
        if (auto c = m_.constant(x[2])) return *c ? b : a;
        return std::nullopt;
      case Op::CmpEqI:
      case Op::CmpLeI:
      case Op::CmpGeI:
      case Op::CmpUle:
      case Op::CmpUge:
        if (a == b) return constant(1);
        break;
      case Op::CmpNeI:
      case Op::CmpLtI:
      case Op::CmpGtI:
      case Op::CmpUlt:
      case Op::CmpUgt:
        if (a == b) return constant(0);
        break;
      default:
        return std::nullopt;
    }
    // Comparisons with a bound of the type.
    if (!is_unsigned(t)) return std::nullopt;
    const bool right_zero = is_constant(b, 0), left_zero = is_constant(a, 0);
    if ((inst.op == Op::CmpLtI && right_zero) || (inst.op == Op::CmpGtI && left_zero)) {
      return constant(0);
    }
    if ((inst.op == Op::CmpGeI && right_zero) || (inst.op == Op::CmpLeI && left_zero)) {
      return constant(1);
    }
    return std::nullopt;
  }

  Module& m_;
  Rewrites rewrites_;
};

}  // namespace

void fold(Module& m) { Folder(m).region(m.body); }

}  // namespace enigma
