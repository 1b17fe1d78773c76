// The analysis of homes.h, in two walks in the order of the program.
#include "codegen/cpu/homes.h"

#include <span>

#include "enigma/ops.h"

namespace enigma::cpu {
namespace {

class Finder {
 public:
  explicit Finder(const Module& m) : m_(m), seen_(m.values.size()) {
    homes_.of.resize(m.values.size());
    homes_.in_place.resize(m.values.size());
  }

  Homes run() {
    count(m_.body);
    settle(m_.body);
    return std::move(homes_);
  }

 private:
  struct Seen {
    RegionId made, taken;     // the regions of its instruction and of the last that takes it
    uint32_t uses = 0;        // how many take it
    uint32_t since = 0;       // what had been written when it was loaded
    bool only_factor = true;  // of products that follow at once
  };

  // ---- first walk: who takes what ----
  void count(RegionId r) {
    ++written_;
    for (ValueId v : m_[r].args) seen_[v.index].made = r;
    for (InstId id : m_[r].insts) {
      const Instruction& inst = m_[id];
      for (size_t k = 0; k < inst.operands.size(); ++k) {
        Seen& s = seen_[inst.operands[k].index];
        ++s.uses;
        s.taken = r;
        const Instruction* load = m_.def(inst.operands[k]);
        bool factor = inst.op == Op::SimdMatrixMultiply && k < 2;
        bool turned = k == 1 && load && load->attr;  // its rows are not in one piece
        s.only_factor &= factor && !turned && s.since == written_;
      }
      for (ValueId v : inst.results) {
        seen_[v.index].made = r;
        seen_[v.index].since = written_;
      }
      for (RegionId inner : inst.regions) count(inner);
      if (may_write(inst)) ++written_;
    }
    ++written_;
  }

  // ---- second walk: who moves in with whom ----
  bool hands_over(ValueId v) const {
    const Seen& s = seen_[v.index];
    return s.uses == 1 && s.made == s.taken;
  }
  void move(ValueId v, ValueId in_with) {
    homes_.of[v.index] = hands_over(in_with) ? homes_.of[in_with.index] : v;
  }
  void share(std::span<const ValueId> values, std::span<const ValueId> with) {
    for (size_t k = 0; k < values.size(); ++k) {
      homes_.of[values[k].index] = homes_.of[with[k].index];
    }
  }

  void settle(RegionId r) {
    for (InstId id : m_[r].insts) {
      const Instruction& inst = m_[id];
      if (inst.op == Op::For || inst.op == Op::While) {
        size_t inits = inst.op == Op::For ? 3 : 0;
        std::span<const ValueId> args = m_[inst.regions[0]].args;
        args = args.subspan(inst.op == Op::For ? 1 : 0);
        for (size_t k = 0; k < args.size(); ++k) move(args[k], inst.operands[inits + k]);
        if (inst.op == Op::While) share(m_[inst.regions[1]].args, args);
        share(inst.results, args);
      } else {
        for (ValueId v : inst.results) homes_.of[v.index] = v;
      }
      if (inst.op == Op::SimdMatrixMultiply) move(inst.results[0], inst.operands[2]);
      if (inst.op == Op::SimdMatrixLoad) {
        ValueId v = inst.results[0];
        homes_.in_place[v.index] = seen_[v.index].only_factor && m_.type(v).dtype == DType::F32;
      }
      for (RegionId inner : inst.regions) settle(inner);
    }
  }

  const Module& m_;
  Homes homes_;
  std::vector<Seen> seen_;  // by value
  uint32_t written_ = 0;    // rises with everything that may write
};

}  // namespace

bool writes_memory(Op op) {
  Shape shape = info(op).shape;
  return shape == Shape::Store || shape == Shape::Atomic || shape == Shape::Async ||
         op == Op::SimdMatrixStore;
}

bool may_write(const Instruction& inst) {
  Shape shape = info(inst.op).shape;
  return shape == Shape::Barrier || shape == Shape::Region || writes_memory(inst.op);
}

Homes find_homes(const Module& m) { return Finder(m).run(); }

}  // namespace enigma::cpu
