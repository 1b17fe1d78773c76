// Uniformity by abstract interpretation: levels only rise, rounds repeat until none does.

#include "ir/uniformity.h"

#include <algorithm>

namespace enigma {
namespace {

class Analysis {
 public:
  explicit Analysis(const Module& m) : m_(m), written_(m.values.size()) {
    u_.levels.assign(m.values.size(), Level::Grid);
    u_.control.assign(m.insts.size(), Level::Grid);
    u_.has_barrier.assign(m.insts.size(), false);
  }

  Uniformity run() {
    barriers(m_.body);
    do {
      changed_ = false;
      region(m_.body, Level::Grid);
    } while (changed_);
    return std::move(u_);
  }

 private:
  // Also finds the memory that the kernel writes: what is loaded from other memory never changes.
  bool barriers(RegionId r) {
    bool any = false;
    for (InstId i : m_[r].insts) {
      const Instruction& inst = m_[i];
      const OpInfo& row = info(inst.op);
      if (!row.operands.empty() && row.operands[0] == 'm' && row.has(flag::WRITE)) {
        written_[inst.operands[0].index] = true;
      }
      bool has = inst.op == Op::Barrier;
      for (RegionId inner : inst.regions) has |= barriers(inner);
      u_.has_barrier[i.index] = has;
      any |= has;
    }
    return any;
  }

  void raise(Level& slot, Level to) {
    if (to <= slot) return;
    slot = to;
    changed_ = true;
  }
  void raise(ValueId v, Level to) { raise(u_.levels[v.index], to); }
  Level of(ValueId v) const { return u_.levels[v.index]; }
  Level of(std::span<const ValueId> vs, size_t from = 0) const {
    Level l = Level::Grid;
    for (size_t k = from; k < vs.size(); ++k) l = std::max(l, of(vs[k]));
    return l;
  }
  const ValueIds& yielded(RegionId r) const { return m_[m_[r].insts.back()].operands; }

  void region(RegionId r, Level control) {
    for (InstId i : m_[r].insts) {
      raise(u_.control[i.index], control);
      instruction(m_[i], control);
    }
  }

  void instruction(const Instruction& inst, Level control) {
    const OpInfo& row = info(inst.op);
    switch (row.shape) {
      case Shape::Constant:
        return;
      case Shape::FunctionConstant:
      case Shape::Query:
      case Shape::Lane:
      case Shape::SimdMatrix:
        if (inst.results.empty()) return;
        raise(inst.results[0], row.has(flag::GRID)    ? Level::Grid
                               : row.has(flag::GROUP) ? Level::Group
                               : row.has(flag::SIMD)  ? Level::Simd
                                                      : Level::Varying);
        return;
      case Shape::Map:
      case Shape::Composed:
      case Shape::Whole:
      case Shape::Make:
      case Shape::Extract:
      case Shape::Cast:
        raise(inst.results[0], of(inst.operands));
        return;
      case Shape::Alloc:
        raise(inst.results[0], Level::Group);
        return;
      case Shape::Load: {
        // Threads that read memory which the kernel writes may find different values, for they
        // read at different times; the lanes of a SIMD-group read together.
        Level l = of(inst.operands);
        if (written_[inst.operands[0].index]) l = std::max(l, Level::Simd);
        raise(inst.results[0], l);
        return;
      }
      case Shape::Atomic:
        for (ValueId v : inst.results) raise(v, Level::Varying);
        return;
      case Shape::Async:
        for (ValueId v : inst.results) raise(v, Level::Simd);
        return;
      case Shape::Store:
      case Shape::Barrier:
      case Shape::Yield:
        return;
      case Shape::Region:
        if (inst.op == Op::If) return if_(inst, control);
        if (inst.op == Op::For) return for_(inst, control);
        return while_(inst, control);
    }
  }

  void if_(const Instruction& inst, Level control) {
    const Level condition = of(inst.operands[0]);
    for (RegionId arm : inst.regions) {
      region(arm, std::max(control, condition));
      const auto& out = yielded(arm);
      for (size_t k = 0; k < inst.results.size(); ++k) {
        raise(inst.results[k], std::max(condition, of(out[k])));
      }
    }
  }

  void for_(const Instruction& inst, Level control) {
    const auto& x = inst.operands;
    const auto& args = m_[inst.regions[0]].args;
    const Level trip = std::max({of(x[0]), of(x[1]), of(x[2])});
    // Threads that are still in the loop are in the same turn, so the end does not matter to i.
    raise(args[0], std::max(of(x[0]), of(x[2])));
    for (size_t k = 3; k < x.size(); ++k) raise(args[k - 2], of(x[k]));
    region(inst.regions[0], std::max(control, trip));
    const auto& out = yielded(inst.regions[0]);
    for (size_t k = 0; k < inst.results.size(); ++k) {
      raise(args[k + 1], of(out[k]));
      raise(inst.results[k], std::max(trip, of(args[k + 1])));
    }
  }

  void while_(const Instruction& inst, Level control) {
    const auto& before = m_[inst.regions[0]].args;
    const auto& after = m_[inst.regions[1]].args;
    const Level condition = of(yielded(inst.regions[0]));
    for (size_t k = 0; k < inst.operands.size(); ++k) raise(before[k], of(inst.operands[k]));
    region(inst.regions[0], std::max(control, condition));
    for (size_t k = 0; k < after.size(); ++k) raise(after[k], of(before[k]));
    region(inst.regions[1], std::max(control, of(yielded(inst.regions[0]))));
    const auto& out = yielded(inst.regions[1]);
    for (size_t k = 0; k < inst.results.size(); ++k) {
      raise(before[k], of(out[k]));
      raise(inst.results[k], std::max(of(yielded(inst.regions[0])), of(before[k])));
    }
  }

  const Module& m_;
  Uniformity u_;
  std::vector<bool> written_;  // parallel to values
  bool changed_ = false;
};

}  // namespace

Uniformity analyse_uniformity(const Module& m) { return Analysis(m).run(); }

}  // namespace enigma
