// Replacing values, and leaving out results of region instructions.

#include "passes/rewrite.h"

namespace enigma {

void Rewrites::replace(ValueId from, ValueId to) {
  to = (*this)(to);
  if (from == to) return;
  to_[from.index] = to;
  const Instruction* def = m_.def(to);
  // A shared constant named after one of its uses would mislead.
  if (def && def->op != Op::Constant && !m_.value_names[to.index]) {
    m_.value_names[to.index] = m_.value_names[from.index];
  }
}

ValueId Rewrites::operator()(ValueId v) {
  if (v.index >= to_.size()) return v;  // made by the pass itself
  ValueId end = v;
  while (end.index < to_.size() && to_[end.index]) end = to_[end.index];
  while (v != end) {  // the next look-up takes one step
    ValueId next = to_[v.index];
    to_[v.index] = end;
    v = next;
  }
  return end;
}

void Rewrites::apply(RegionId r) {
  for (InstId i : m_[r].insts) {
    apply(m_[i]);
    for (RegionId inner : m_[i].regions) apply(inner);
  }
}

InstId Appender::inst(Op op, ValueIds operands, uint64_t attr) {
  m_.insts.push_back({op, attr, std::move(operands), {}, {}});
  m_.locs.push_back(where);
  return InstId{static_cast<uint32_t>(m_.insts.size() - 1)};
}

ValueId Appender::value(const Value& v, uint32_t name) {
  m_.values.push_back(v);
  m_.value_names.push_back(name);
  return ValueId{static_cast<uint32_t>(m_.values.size() - 1)};
}

ValueId Appender::result(InstId i, Type type, uint32_t name) {
  const ValueId v = value({type, i, {}, static_cast<uint32_t>(m_[i].results.size())}, name);
  m_[i].results.push_back(v);
  return v;
}

RegionId Appender::region(InstId parent) {
  m_.regions.push_back({parent, {}, {}});
  const RegionId r{static_cast<uint32_t>(m_.regions.size() - 1)};
  m_[parent].regions.push_back(r);
  return r;
}

ValueId Appender::argument(RegionId r, Type type, uint32_t name) {
  const ValueId v = value({type, {}, r, static_cast<uint32_t>(m_[r].args.size())}, name);
  m_[r].args.push_back(v);
  return v;
}

namespace {

// Drops the entries [first + k] of a list for which keep[k] is false.
template <class List>
void filter(List& list, size_t first, const std::vector<bool>& keep) {
  size_t out = first;
  for (size_t k = 0; k < keep.size(); ++k) {
    if (keep[k]) list[out++] = list[first + k];
  }
  while (list.size() > out) list.pop_back();
}

void renumber(Module& m, std::span<const ValueId> list) {
  for (size_t k = 0; k < list.size(); ++k) m.values[list[k].index].index = static_cast<uint32_t>(k);
}

}  // namespace

void keep_results(Module& m, InstId i, const std::vector<bool>& keep) {
  Instruction& inst = m[i];
  filter(inst.results, 0, keep);
  renumber(m, inst.results);
  if (inst.op != Op::If) filter(inst.operands, inst.op == Op::For ? 3 : 0, keep);
  for (RegionId r : inst.regions) {
    if (inst.op != Op::If) {
      filter(m[r].args, inst.op == Op::For ? 1 : 0, keep);
      renumber(m, m[r].args);
    }
    Instruction& end = m[m[r].insts.back()];
    if (end.op == Op::Yield) filter(end.operands, 0, keep);
  }
}

}  // namespace enigma
