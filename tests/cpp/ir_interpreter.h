// One thread of a kernel run on the IR itself: what passes must not change.
#pragma once

#include <map>

#include "enigma/ir.h"
#include "ir/signature.h"
#include "passes/evaluate.h"
#include "support/floats.h"

namespace enigma {

/// Runs scalar kernels without lanes; queries give 5 + dimension, x / 0 and what evaluate() leaves
/// open give 7. Memory is as long as it is asked for.
class Interpreter {
 public:
  explicit Interpreter(const Module& m, uint64_t scalar_seed) : m_(m), bits_(m.values.size()) {
    for (const Param& p : m.params) {
      if (p.is_scalar) bits_[p.value.index] = mask_to(p.dtype, scalar_seed * 31 + p.value.index);
    }
    region(m.body);
  }
  /// (parameter, index) to bits, of all that was written.
  const std::map<std::pair<uint32_t, uint64_t>, uint64_t>& written() const { return written_; }
  /// Turns of all loops: the tests stop programs that run away.
  uint64_t steps() const { return steps_; }

 private:
  uint64_t get(ValueId v) const { return bits_[v.index]; }
  void set(ValueId v, uint64_t x) { bits_[v.index] = x; }
  const ValueIds& ended(RegionId r) const { return m_[m_[r].insts.back()].operands; }

  std::vector<uint64_t> values(std::span<const ValueId> vs, size_t from = 0) const {
    std::vector<uint64_t> out;
    for (size_t k = from; k < vs.size(); ++k) out.push_back(get(vs[k]));
    return out;
  }
  void set_all(std::span<const ValueId> vs, const std::vector<uint64_t>& xs) {
    for (size_t k = 0; k < vs.size(); ++k) set(vs[k], xs[k]);
  }

  uint64_t memory(ValueId mem, ValueId index) const {
    const uint64_t i = get(index);
    auto found = written_.find({mem.index, i});
    if (found != written_.end()) return found->second;
    return mask_to(m_.type(mem).dtype, is_float(m_.type(mem).dtype)
                                           ? float_to_bits(m_.type(mem).dtype, double(i % 13) - 3.5)
                                           : i * 0x9E3779B9u + mem.index);
  }

  // Which NaN an operation gives is open.
  static uint64_t one_nan(DType t, uint64_t bits) {
    return is_float(t) && std::isnan(bits_to_double(t, bits))
               ? float_to_bits(t, std::numeric_limits<double>::quiet_NaN())
               : bits;
  }

  void region(RegionId r) {
    for (InstId i : m_[r].insts) run(m_[i]);
  }

  void run(const Instruction& inst) {
    if (++steps_ > 200000) return;
    const auto& x = inst.operands;
    switch (info(inst.op).shape) {
      case Shape::Constant:
        return set(inst.results[0], inst.attr);
      case Shape::FunctionConstant:
        return set(inst.results[0], mask_to(m_.type(inst.results[0]).dtype, 3 + inst.attr));
      case Shape::Query:
        return set(inst.results[0], 5 + inst.attr);
      case Shape::Map: {
        auto y = evaluate(inst.op, shared_type(m_, inst).dtype, values(x));
        return set(inst.results[0], mask_to(m_.type(inst.results[0]).dtype, y.value_or(7)));
      }
      case Shape::Cast:
        if (inst.op == Op::AsType) return set(inst.results[0], get(x[0]));
        return set(inst.results[0],
                   evaluate_cast(m_.type(x[0]).dtype, m_.type(inst.results[0]).dtype, get(x[0])));
      case Shape::Load:
        if (inst.op == Op::LoadIf && !get(x[2])) return set(inst.results[0], get(x[3]));
        return set(inst.results[0], memory(x[0], x[1]));
      case Shape::Store:
        written_[{x[0].index, get(x[1])}] = one_nan(m_.type(x[2]).dtype, get(x[2]));
        return;
      case Shape::Region:
        break;
      default:
        return;
    }
    if (inst.op == Op::If) {
      RegionId arm = inst.regions[get(x[0]) ? 0 : 1];
      region(arm);
      return set_all(inst.results, values(ended(arm)));
    }
    const RegionId body = inst.regions.back();
    if (inst.op == Op::For) {
      const DType t = m_.type(x[0]).dtype;
      auto number = [&](ValueId v) {
        return is_signed(t) ? sign_extend(t, get(v)) : static_cast<int64_t>(get(v));
      };
      const int64_t hi = number(x[1]), step = number(x[2]);
      auto carried = values(x, 3);
      for (int64_t i = number(x[0]); step > 0 ? i < hi : step < 0 && i > hi; i += step) {
        if (++steps_ > 200000) break;
        set(m_[body].args[0], mask_to(t, static_cast<uint64_t>(i)));
        set_all(std::span(m_[body].args).subspan(1), carried);
        region(body);
        carried = values(ended(body));
      }
      return set_all(inst.results, carried);
    }
    auto carried = values(x);
    for (;;) {
      set_all(m_[inst.regions[0]].args, carried);
      region(inst.regions[0]);
      if (!get(ended(inst.regions[0])[0]) || ++steps_ > 200000) break;
      set_all(m_[body].args, carried);
      region(body);
      carried = values(ended(body));
    }
    set_all(inst.results, carried);
  }

  const Module& m_;
  std::vector<uint64_t> bits_;  // parallel to values
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> written_;
  uint64_t steps_ = 0;
};

}  // namespace enigma
