// The plan of phases.h, in two walks: the first cuts the kernel at its barriers, the second finds
// what each phase needs of the others.
#include "codegen/cpu/phases.h"

#include <algorithm>

#include "codegen/cpu/expr.h"
#include "codegen/cpu/table.h"

namespace enigma::cpu {
namespace {

constexpr uint32_t kNoPhase = UINT32_MAX;

class Planner {
 public:
  Planner(const Verified& kernel, const GroupShape& shape, const std::vector<LaneForm>& forms,
          const Homes& homes, uint32_t scratch)
      : m_(kernel.module()),
        uniformity_(kernel.uniformity()),
        shape_(shape),
        forms_(forms),
        homes_(homes),
        made_in_(m_.values.size(), kNoPhase),
        needed_in_(m_.values.size(), kNoPhase),
        cost_(m_.values.size(), -1) {
    plan_.steps.resize(m_.regions.size());
    plan_.at_group.resize(m_.values.size());
    plan_.slots.resize(m_.values.size());
    plan_.index_of.resize(m_.values.size());
    plan_.scratch_end = scratch;
  }

  Plan run() {
    for (const Param& p : m_.params) plan_.at_group[p.value.index] = true;
    cut(m_.body);
    close(m_.body);
    for (Phase& p : plan_.phases) {
      std::erase_if(p.copies, [&](const Copy& c) { return take_over(c); });
    }
    for (uint32_t p = 0; p < plan_.phases.size(); ++p) connect(p);
    for (ValueId v : wanted_at_group_) {
      if (!plan_.at_group[v.index] && !plan_.slots[v.index].kind) give_slot(v);
    }
    plan_.homes = plan_.scratch_end;
    plan_.scratch_end += plan_.homes_bytes * shape_.simdgroups();
    return std::move(plan_);
  }

 private:
  bool group_uniform(ValueId v) const {
    return uniformity_[v] <= Level::Group && forms_[v.index].kind == LaneForm::Uniform;
  }
  bool anywhere(ValueId v) const {
    return plan_.at_group[v.index] || m_.constant(v) || m_.type(v).is_memory();
  }

  // ---- first walk ----
  Phase& open() {
    if (!open_) {
      plan_.phases.emplace_back();
      open_ = true;
    }
    return plan_.phases.back();
  }
  void close(RegionId r) {
    if (!open_) return;
    open_ = false;
    plan_.steps[r.index].push_back(
        {Step::RunPhase, static_cast<uint32_t>(plan_.phases.size() - 1)});
  }
  void agree(RegionId r, InstId construct) {
    close(r);
    open().agree = construct;
    close(r);
  }

  void mark(InstId id, uint32_t phase) {
    for (ValueId v : m_[id].results) made_in_[v.index] = phase;
    for (RegionId r : m_[id].regions) {
      for (ValueId v : m_[r].args) made_in_[v.index] = phase;
      for (InstId i : m_[r].insts) mark(i, phase);
    }
  }

  bool runs_at_group(const Instruction& inst) const {
    const OpInfo& row = info(inst.op);
    switch (row.shape) {
      case Shape::Constant:
      case Shape::FunctionConstant:
      case Shape::Alloc:
        return true;
      case Shape::Query:
        return row.has(flag::GRID | flag::GROUP);
      case Shape::Map:
      case Shape::Whole:
      case Shape::Make:
      case Shape::Extract:
      case Shape::Cast:
        return std::all_of(inst.operands.begin(), inst.operands.end(),
                           [&](ValueId v) { return anywhere(v); });
      default:
        return false;
    }
  }

  void cut(RegionId r) {
    for (InstId id : m_[r].insts) {
      const Instruction& inst = m_[id];
      Shape shape = info(inst.op).shape;
      if (inst.op == Op::Barrier) {
        close(r);
      } else if (uniformity_.has_barrier[id.index]) {
        construct(r, id);
      } else if (shape == Shape::Yield) {
        break;
      } else if (runs_at_group(inst)) {
        open().scalars.push_back(id);
        for (ValueId v : inst.results) plan_.at_group[v.index] = true;
      } else {
        open().insts.push_back(id);
        mark(id, static_cast<uint32_t>(plan_.phases.size() - 1));
      }
    }
  }

  // The value is carried at the level of the threadgroup, by a phi, or has a slot.
  bool carried_in_slot(ValueId head) {
    if (group_uniform(head)) {
      plan_.at_group[head.index] = true;
      return false;
    }
    if (!plan_.slots[head.index].kind) give_slot(head);
    return true;
  }
  void same_place(ValueId v, ValueId as) {
    plan_.at_group[v.index] = plan_.at_group[as.index];
    plan_.slots[v.index] = plan_.slots[as.index];
  }
  // `from` becomes `to` when the open phase ends.
  void hand_over(ValueId from, ValueId to) {
    bool matrix = m_.type(to).is_simd_matrix();
    if (matrix && homes_.of[from.index] == homes_.of[to.index]) return;
    if (plan_.slots[to.index].kind) {
      open().copies.push_back({from, to});
    } else {
      wanted_at_group_.push_back(from);
    }
  }

  void construct(RegionId r, InstId id) {
    const Instruction& inst = m_[id];
    auto enter = [&] { plan_.steps[r.index].push_back({Step::Construct, id.index}); };
    auto yielded = [&](RegionId region) { return m_[m_[region].insts.back()].operands; };
    if (inst.op == Op::If) {
      for (ValueId v : inst.results) carried_in_slot(v);
      control(r, id, std::span(&inst.operands[0], 1));
      close(r);
      enter();
      for (RegionId arm : inst.regions) {
        cut(arm);
        if (!inst.results.empty()) {
          auto values = yielded(arm);
          for (size_t k = 0; k < values.size(); ++k) hand_over(values[k], inst.results[k]);
        }
        close(arm);
      }
      return;
    }
    bool is_for = inst.op == Op::For;
    size_t bounds = is_for ? 3 : 0;
    RegionId body = inst.regions.back();
    RegionId head = inst.regions[0];
    for (size_t k = bounds; k < inst.operands.size(); ++k) {
      ValueId arg = m_[head].args[is_for ? k - 2 : k];
      carried_in_slot(arg);
      same_place(inst.results[k - bounds], arg);
      if (!is_for) same_place(m_[body].args[k], arg);
      hand_over(inst.operands[k], arg);
    }
    if (is_for) {
      ValueId index = m_[body].args[0];
      if (control(r, id, std::span(inst.operands).first(3))) {
        plan_.at_group[index.index] = true;
      } else {
        plan_.index_of[index.index] = id;
      }
    }
    close(r);
    enter();
    if (!is_for) {
      cut(head);
      const ValueId condition = yielded(head)[0];
      control(head, id, std::span(&condition, 1));
      close(head);
    }
    cut(body);
    auto next = yielded(body);
    for (size_t k = 0; k < next.size(); ++k) hand_over(next[k], m_[head].args[is_for ? k + 1 : k]);
    close(body);
  }

  // What a turn of a loop hands to the next one takes over the slot, and need not be copied, where
  // nothing but the phase that makes it reads what was there.
  bool take_over(const Copy& c) {
    RegionId body = m_.values[c.to.index].region;
    const uint32_t phase = made_in_[c.from.index];
    const Slot& slot = plan_.slots[c.to.index];
    bool follows = body && phase != kNoPhase && m_[m_[body].parent].op == Op::For &&
                   slot.kind == Slot::PerLane && !plan_.slots[c.from.index].kind &&
                   forms_[c.from.index].kind == LaneForm::Vector &&
                   m_.type(c.from) == m_.type(c.to);
    if (!follows) return false;
    auto is_made_by = [&](InstId id) {
      const auto& results = m_[id].results;
      return std::find(results.begin(), results.end(), c.from) != results.end();
    };
    if (std::none_of(m_[body].insts.begin(), m_[body].insts.end(), is_made_by)) return false;
    size_t all = 0, here = 0;
    auto count = [&](auto&& self, InstId id, size_t& n) -> void {
      const auto& operands = m_[id].operands;
      n += static_cast<size_t>(std::count(operands.begin(), operands.end(), c.to));
      for (RegionId r : m_[id].regions) {
        for (InstId i : m_[r].insts) self(self, i, n);
      }
    };
    for (InstId i : m_[body].insts) count(count, i, all);
    for (InstId i : plan_.phases[phase].insts) count(count, i, here);
    if (all != here) return false;
    plan_.slots[c.from.index] = slot;
    return true;
  }

  // True when the values are known to be the same for the whole threadgroup; a phase that finds out
  // is added otherwise.
  bool control(RegionId r, InstId id, std::span<const ValueId> values) {
    bool known = std::all_of(values.begin(), values.end(),
                             [&](ValueId v) { return anywhere(v) || group_uniform(v); });
    if (!known) {
      agree(r, id);
      return false;
    }
    wanted_at_group_.insert(wanted_at_group_.end(), values.begin(), values.end());
    return true;
  }

  // ---- second walk ----
  void connect(uint32_t p) {
    phase_ = p;
    if (InstId id = plan_.phases[p].agree) {
      const Instruction& inst = m_[id];
      if (inst.op == Op::If) need(inst.operands[0]);
      if (inst.op == Op::While) need(m_[m_[inst.regions[0]].insts.back()].operands[0]);
      if (inst.op == Op::For) {
        for (int k = 0; k < 3; ++k) need(inst.operands[k]);
      }
    }
    for (InstId i : plan_.phases[p].insts) need_of(i);
    for (size_t k = 0; k < plan_.phases[p].copies.size(); ++k) need(plan_.phases[p].copies[k].from);
  }

  void need_of(InstId id) {
    for (ValueId v : m_[id].operands) need(v);
    for (RegionId r : m_[id].regions) {
      for (InstId i : m_[r].insts) need_of(i);
    }
  }

  void need(ValueId v) {
    if (anywhere(v) || made_in_[v.index] == phase_ || needed_in_[v.index] == phase_) return;
    needed_in_[v.index] = phase_;
    if (InstId loop = plan_.index_of[v.index]) {
      need(m_[loop].operands[0]);
      need(m_[loop].operands[2]);
    } else if (!plan_.slots[v.index].kind) {
      if (cost(v) <= kCheap) {
        for (ValueId operand : m_.def(v)->operands) need(operand);
      } else {
        give_slot(v);
      }
    }
    plan_.phases[phase_].imports.push_back(v);
  }

  // Instructions to compute a value again from what every phase has; kDear when that cannot be.
  static constexpr int kCheap = 6, kDear = 1000;
  int cost(ValueId v, int depth = 0) {
    if (anywhere(v)) return 0;
    if (depth > kCheap) return kDear;
    int& known = cost_[v.index];
    if (known >= 0) return known;
    known = kDear;
    const Instruction* def = m_.def(v);
    if (!def || plan_.slots[v.index].kind || !m_.type(v).is_scalar()) return known;
    Shape shape = info(def->op).shape;
    if (shape == Shape::Query) return known = 1;
    bool cheap = shape == Shape::Cast || (shape == Shape::Map && is_instruction(def->op)) ||
                 def->op == Op::Shl || def->op == Op::Shr;
    if (!cheap || is_float(m_.type(v).dtype)) return known;
    int sum = 1;
    for (ValueId operand : def->operands) {
      if (is_float(m_.type(operand).dtype)) return known;
      sum = std::min(kDear, sum + cost(operand, depth + 1));
    }
    return cost_[v.index] = sum;
  }

  void give_slot(ValueId v) {
    Slot& slot = plan_.slots[v.index];
    Type type = m_.type(v);
    if (type.is_simd_matrix()) {
      slot = {Slot::Home, homes_on_++, 0};
      plan_.homes_bytes = (homes_on_ + kNeighbours - 1) / kNeighbours * kHomesBytes;
      return;
    }
    uint32_t element = std::max(1, bits(elem_of(type.dtype)) / 8);
    uint32_t simdgroups = shape_.simdgroups();
    if (forms_[v.index].kind == LaneForm::Vector) {
      slot.kind = Slot::PerLane;
      slot.pitch = simdgroups * (type.dtype == DType::B1 ? 4 : element * kLanes);
    } else if (group_uniform(v)) {
      slot.kind = Slot::Once;
      slot.pitch = element;
    } else {
      slot.kind = Slot::PerSimd;
      slot.pitch = simdgroups * element;
    }
    slot.offset = plan_.scratch_end;
    plan_.scratch_end += (slot.pitch * static_cast<uint32_t>(parts_of(type)) + 63) / 64 * 64;
  }

  const Module& m_;
  const Uniformity& uniformity_;
  const GroupShape& shape_;
  const std::vector<LaneForm>& forms_;
  const Homes& homes_;
  Plan plan_;
  std::vector<uint32_t> made_in_;    // by value: the phase that computes it
  std::vector<uint32_t> needed_in_;  // by value: the last phase that was found to import it
  std::vector<int> cost_;
  std::vector<ValueId> wanted_at_group_;
  uint32_t homes_on_ = 0;  // how many have been given
  bool open_ = false;
  uint32_t phase_ = 0;
};

}  // namespace

Plan plan_phases(const Verified& kernel, const GroupShape& shape,
                 const std::vector<LaneForm>& forms, const Homes& homes, uint32_t scratch_begin) {
  return Planner(kernel, shape, forms, homes, scratch_begin).run();
}

}  // namespace enigma::cpu
