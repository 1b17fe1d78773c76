// Dead code: what no store, atomic, barrier or unending loop depends on. Loads go with the rest.

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

class Liveness {
 public:
  explicit Liveness(Module& m) : m_(m), live_(m.insts.size()), used_(m.values.size()) {}

  void run() {
    roots(m_.body);
    while (!work_.empty()) {
      const ValueId v = work_.back();
      work_.pop_back();
      propagate(v);
    }
    sweep(m_.body);
  }

 private:
  void use(ValueId v) {
    if (used_[v.index]) return;
    used_[v.index] = true;
    work_.push_back(v);
  }

  const ValueIds& end_operands(RegionId r) const { return m_[m_[r].insts.back()].operands; }

  // A region instruction that stays needs what decides its way.
  void keep(InstId i) {
    if (live_[i.index]) return;
    live_[i.index] = true;
    const Instruction& inst = m_[i];
    switch (inst.op) {
      case Op::If:
        use(inst.operands[0]);
        break;
      case Op::For:
        for (size_t k = 0; k < 3; ++k) use(inst.operands[k]);
        break;
      case Op::While:
        use(end_operands(inst.regions[0])[0]);
        break;
      default:
        for (ValueId v : inst.operands) use(v);
    }
  }

  // Keeps what has effects, and the instructions around it; tells whether there was any.
  bool roots(RegionId r) {
    bool any = false;
    for (InstId i : m_[r].insts) {
      const Instruction& inst = m_[i];
      // A while may never end, which is an effect; a for always ends. Function constants are the
      // kernel's interface, as parameters are.
      bool root = info(inst.op).has(flag::WRITE | flag::SYNC) || inst.op == Op::While ||
                  inst.op == Op::FunctionConstant;
      for (RegionId inner : inst.regions) root |= roots(inner);
      if (root) keep(i);
      any |= root;
    }
    return any;
  }

  void propagate(ValueId v) {
    const Value& value = m_[v];
    if (value.region) {
      const InstId loop = m_[value.region].parent;
      if (m_[loop].op == Op::For && value.index == 0) return keep(loop);
      return carried(loop, value.index - (m_[loop].op == Op::For ? 1 : 0));
    }
    if (!value.def) return;
    const Instruction& inst = m_[value.def];
    keep(value.def);
    if (inst.op == Op::If) {
      for (RegionId arm : inst.regions) use(end_operands(arm)[value.index]);
    } else if (inst.op == Op::For || inst.op == Op::While) {
      carried(value.def, value.index);
    }
  }

  void carried(InstId i, uint32_t k) {
    keep(i);
    const Instruction& loop = m_[i];
    const uint32_t first = loop.op == Op::For ? 1 : 0;
    use(loop.operands[k + (loop.op == Op::For ? 3 : 0)]);
    for (RegionId r : loop.regions) use(m_[r].args[k + first]);
    use(end_operands(loop.regions.back())[k]);
    used_[loop.results[k].index] = true;
  }

  void sweep(RegionId r) {
    std::erase_if(m_[r].insts, [&](InstId i) {
      Instruction& inst = m_[i];
      if (info(inst.op).shape == Shape::Yield) return false;
      if (!live_[i.index]) return true;
      if (inst.regions.empty()) return false;
      std::vector<bool> keep;
      bool all = true;
      for (ValueId v : inst.results) {
        keep.push_back(used_[v.index]);
        all &= keep.back();
      }
      if (!all) keep_results(m_, i, keep);
      for (RegionId inner : inst.regions) sweep(inner);
      return false;
    });
  }

  Module& m_;
  std::vector<bool> live_;  // parallel to insts
  std::vector<bool> used_;  // parallel to values
  std::vector<ValueId> work_;
};

}  // namespace

void eliminate_dead(Module& m) { Liveness(m).run(); }

}  // namespace enigma
