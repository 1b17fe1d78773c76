// The analysis of lanes.h: one rule per shape, applied in order until nothing changes.
#include "codegen/cpu/lanes.h"

#include <algorithm>
#include <optional>
#include <span>

#include "ir/lane_op.h"

namespace enigma::cpu {
namespace {

constexpr LaneForm kUniform{LaneForm::Uniform, 0};
constexpr LaneForm kVector{LaneForm::Vector, 0};

// The stride is a number of the type's width, so it wraps as the type does.
LaneForm linear(uint64_t stride, int width) {
  int unused = 64 - width;
  auto wrapped = static_cast<int64_t>(stride << unused) >> unused;
  return wrapped == 0 ? kUniform : LaneForm{LaneForm::Linear, wrapped};
}

LaneForm join(LaneForm a, LaneForm b) {
  if (a.kind == LaneForm::Unknown) return b;
  if (b.kind == LaneForm::Unknown || a == b) return a;
  return kVector;
}

class Analysis {
 public:
  Analysis(const Verified& kernel, const GroupShape& shape)
      : kernel_(kernel), m_(kernel.module()), shape_(shape), forms_(m_.values.size()) {}

  std::vector<LaneForm> run() {
    for (const Param& p : m_.params) forms_[p.value.index] = kUniform;
    // Forms only ever move down a chain of three, so few rounds do; a carried value that is still
    // moving after that is taken as a Vector, which is always right.
    constexpr int kRounds = 8;
    for (int round = 0; changed_; ++round) {
      changed_ = false;
      give_up_ = round >= kRounds;
      region(m_.body);
    }
    return std::move(forms_);
  }

 private:
  LaneForm form(ValueId v) const { return forms_[v.index]; }

  void set(ValueId v, LaneForm f) {
    LaneForm now = join(form(v), f);
    if (now == form(v)) return;
    if (give_up_) now = kVector;
    forms_[v.index] = now;
    changed_ = true;
  }

  bool all_uniform(std::span<const ValueId> operands) const {
    return std::all_of(operands.begin(), operands.end(), [&](ValueId v) {
      return m_.type(v).is_memory() || form(v).kind == LaneForm::Uniform;
    });
  }

  // Linear forms survive sums, products with a constant and the like: base and stride each take
  // the operation, and both wrap alike.
  LaneForm map(const Instruction& inst) const {
    if (all_uniform(inst.operands)) return kUniform;
    Type type = m_.type(inst.results[0]);
    if (!type.is_scalar() || !is_integer(type.dtype)) return kVector;
    LaneForm a = form(inst.operands[0]);
    LaneForm b = inst.operands.size() > 1 ? form(inst.operands[1]) : kUniform;
    if (a.kind == LaneForm::Vector || b.kind == LaneForm::Vector) return kVector;
    int width = info(type.dtype).bits;
    auto p = static_cast<uint64_t>(a.stride), q = static_cast<uint64_t>(b.stride);
    switch (inst.op) {
      case Op::AddI:
        return linear(p + q, width);
      case Op::SubI:
        return linear(p - q, width);
      case Op::NegI:
        return linear(0 - p, width);
      case Op::MulI:
        if (auto k = m_.constant(inst.operands[1])) return linear(p * *k, width);
        if (auto k = m_.constant(inst.operands[0])) return linear(q * *k, width);
        return kVector;
      case Op::Shl:
        if (auto k = m_.constant(inst.operands[1]))
          return linear(p << (*k & (static_cast<uint64_t>(width) - 1)), width);
        return kVector;
      case Op::Select:
        if (form(inst.operands[2]).kind == LaneForm::Uniform) return join(a, b);
        return kVector;
      default:
        return kVector;
    }
  }

  LaneForm cast(const Instruction& inst) const {
    LaneForm a = form(inst.operands[0]);
    if (a.kind != LaneForm::Linear) return a;
    Type from = m_.type(inst.operands[0]), to = m_.type(inst.results[0]);
    if (!is_integer(to.dtype) || !to.is_scalar()) return kVector;
    if (info(to.dtype).bits <= info(from.dtype).bits)
      return linear(static_cast<uint64_t>(a.stride), info(to.dtype).bits);
    // A sum may have wrapped in the narrower type; a position never does.
    const Instruction* def = m_.def(inst.operands[0]);
    return def && info(def->op).shape == Shape::Query ? a : kVector;
  }

  // Of one value for all lanes every lane gets that, but a quad's sum of it counts active lanes.
  LaneForm lane(const Instruction& inst) const {
    const bool moves = lane_op(inst.op).form == LaneOp::Move;
    const bool same = moves && form(inst.operands[0]).kind == LaneForm::Uniform;
    return info(inst.op).has(flag::SIMD) || same ? kUniform : kVector;
  }

  LaneForm query(const Instruction& inst) const {
    switch (inst.op) {
      case Op::ThreadPositionInGrid:
      case Op::ThreadPositionInThreadgroup:
        return position_form(shape_, static_cast<int>(inst.attr));
      case Op::ThreadIndexInThreadgroup:
      case Op::ThreadIndexInSimdgroup:
        return {LaneForm::Linear, 1};
      default:
        return kUniform;
    }
  }

  void instruction(InstId id) {
    const Instruction& inst = m_[id];
    auto result = [&](LaneForm f) {
      if (!inst.results.empty()) set(inst.results[0], f);
    };
    switch (info(inst.op).shape) {
      case Shape::Constant:
      case Shape::FunctionConstant:
      case Shape::Alloc:
        return result(kUniform);
      case Shape::Query:
        return result(query(inst));
      case Shape::Map:
        return result(map(inst));
      case Shape::Composed:
      case Shape::Whole:
      case Shape::Make:
      case Shape::Extract:
        return result(all_uniform(inst.operands) ? kUniform : kVector);
      case Shape::Cast:
        return result(cast(inst));
      case Shape::Lane:
        return result(lane(inst));
      case Shape::SimdMatrix:
        return result(kVector);
      case Shape::Load:
        return result(all_uniform(inst.operands) ? kUniform : kVector);
      case Shape::Atomic:
        return result(inst.op == Op::AtomicLoad && all_uniform(inst.operands) ? kUniform : kVector);
      case Shape::Async:  // written out before
      case Shape::Store:
      case Shape::Barrier:
      case Shape::Yield:
        return;
      case Shape::Region:
        return control(id);
    }
  }

  void region(RegionId r) {
    for (InstId i : m_[r].insts) instruction(i);
  }

  std::span<const ValueId> yielded(RegionId r) const {
    const Region& region = m_[r];
    return region.insts.empty() ? std::span<const ValueId>() : m_[region.insts.back()].operands;
  }

  void control(InstId id) {
    const Instruction& inst = m_[id];
    bool together = kernel_.uniformity().has_barrier[id.index];
    if (inst.op == Op::If) {
      bool uniform = together || form(inst.operands[0]).kind == LaneForm::Uniform;
      for (RegionId r : inst.regions) {
        region(r);
        auto values = yielded(r);
        for (size_t k = 0; k < inst.results.size(); ++k) {
          set(inst.results[k], uniform ? form(values[k]) : kVector);
        }
      }
      return;
    }
    bool loop_is_for = inst.op == Op::For;
    size_t bounds = loop_is_for ? 3 : 0;
    size_t carried = inst.operands.size() - bounds;
    RegionId body = inst.regions.back();
    std::span<const ValueId> args = m_[body].args;
    if (loop_is_for) {
      LaneForm step = form(inst.operands[2]);
      set(args[0], step.kind == LaneForm::Uniform ? form(inst.operands[0]) : kVector);
      args = args.subspan(1);
    }
    bool apart = diverges(kernel_, forms_, inst);
    for (size_t k = 0; k < carried; ++k) {
      LaneForm f = apart ? kVector : form(inst.operands[bounds + k]);
      if (!loop_is_for) {
        set(m_[inst.regions[0]].args[k], f);
        f = form(m_[inst.regions[0]].args[k]);
      }
      set(args[k], f);
    }
    for (RegionId r : inst.regions) region(r);
    auto next = yielded(body);
    for (size_t k = 0; k < carried; ++k) {
      ValueId head = loop_is_for ? args[k] : m_[inst.regions[0]].args[k];
      set(head, form(next[k]));
      set(args[k], form(head));
      set(inst.results[k], form(head));
    }
  }

  const Verified& kernel_;
  const Module& m_;
  const GroupShape& shape_;
  std::vector<LaneForm> forms_;
  bool changed_ = true;
  bool give_up_ = false;
};

}  // namespace

LaneForm position_form(const GroupShape& shape, int dim) {
  const Dim3& t = shape.threads;
  if (shape.one_dimensional()) return dim == 0 ? LaneForm{LaneForm::Linear, 1} : kUniform;
  if (dim == 1 && t.y == 1) return kUniform;
  if (dim == 2 && t.z == 1) return kUniform;
  if (shape.whole && t.x % kLanes == 0) {
    return dim == 0 ? LaneForm{LaneForm::Linear, 1} : kUniform;
  }
  return kVector;
}

std::vector<LaneForm> analyse_lanes(const Verified& kernel, const GroupShape& shape) {
  return Analysis(kernel, shape).run();
}

bool diverges(const Verified& kernel, const std::vector<LaneForm>& forms, const Instruction& loop) {
  const Module& m = kernel.module();
  auto varies = [&](ValueId v) { return forms[v.index].kind > LaneForm::Uniform; };
  RegionId body = loop.regions.back();
  if (kernel.uniformity().has_barrier[m[body].parent.index]) return false;
  if (loop.op == Op::For)
    return std::any_of(loop.operands.begin(), loop.operands.begin() + 3, varies);
  return varies(m[m[loop.regions[0]].insts.back()].operands[0]);
}

}  // namespace enigma::cpu
