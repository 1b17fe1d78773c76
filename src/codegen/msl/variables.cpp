// Coalescing of carried values: `acc = acc + x` instead of a new name and a copy.
#include "codegen/msl/variables.h"

#include <algorithm>

namespace enigma::msl {

Variables::Variables(const Module& m, const Uses& uses)
    : m_(m), uses_(uses), of_(m.values.size(), kNoVariable) {
  visit(m.body);
}

std::string_view Variables::name(uint32_t variable) const {
  if (ValueId v = named_[variable]) return m_.name_of(v);
  if (type(variable).is_simd_matrix()) return "acc";  // what else would be assigned to
  return m_.def(first_[variable]) ? "result" : "carried";
}

void Variables::add(ValueId v, uint32_t variable) {
  if (!first_[variable]) first_[variable] = v;
  if (!named_[variable] && !m_.name_of(v).empty()) named_[variable] = v;
  active_[variable].push_back(v);
  of_[v.index] = variable;
}

uint32_t Variables::fresh(ValueId v, RegionId declared_in) {
  first_.emplace_back();
  named_.emplace_back();
  active_.emplace_back();
  declared_in_.push_back(declared_in);
  add(v, static_cast<uint32_t>(first_.size() - 1));
  return of_[v.index];
}

// Numbers and what the kernel is given cannot be assigned to; loop counters must not be.
bool Variables::assignable(ValueId v) const {
  if (of_[v.index] != kNoVariable) return true;
  const Instruction* def = m_.def(v);
  if (!def) return false;
  Shape s = info(def->op).shape;
  return s == Shape::Map || s == Shape::Whole || s == Shape::Make || s == Shape::Extract ||
         s == Shape::Cast || s == Shape::Load || s == Shape::Lane || s == Shape::Atomic ||
         s == Shape::SimdMatrix;
}

bool Variables::interferes(ValueId a, ValueId b) const {
  const Value &va = m_[a], &vb = m_[b];
  if (va.def ? va.def == vb.def : (!vb.def && va.region == vb.region)) return true;
  return uses_.live_after(a, uses_.definition(b)) || uses_.live_after(b, uses_.definition(a));
}

bool Variables::join(std::initializer_list<ValueId> group, uint32_t variable) {
  // What nothing reads from here on cannot meet a value that is yet to come. Looking at it only
  // once keeps a chain of a thousand loops on one name linear.
  std::erase_if(active_[variable], [&](ValueId member) { return uses_.last_use(member) < now_; });
  for (ValueId v : group) {
    if (!v) continue;
    if (m_.type(v) != type(variable)) return false;
    for (ValueId member : active_[variable]) {
      if (interferes(member, v)) return false;
    }
  }
  for (ValueId v : group) {
    if (v) add(v, variable);
  }
  return true;
}

// Undoes adopt() for a value that had no variable before.
void Variables::release(ValueId v) {
  of_[v.index] = kNoVariable;
  first_.pop_back();
  named_.pop_back();
  active_.pop_back();
  declared_in_.pop_back();
}

// The variable that already holds v, or one that v's definition is made to declare; none when v is
// no variable of that name.
uint32_t Variables::adopt(ValueId v, const std::string& wanted) {
  if (!assignable(v)) return kNoVariable;
  const std::string& name = m_.name_of(v);
  if (of_[v.index] != kNoVariable) {
    std::string_view held = this->name(of_[v.index]);
    return wanted.empty() || held == wanted ? of_[v.index] : kNoVariable;
  }
  if (!name.empty() && !wanted.empty() && name != wanted) return kNoVariable;
  return fresh(v, uses_.definition(v).region);
}

void Variables::visit(RegionId region) {
  for (InstId id : m_[region].insts) {
    if (!uses_.live[id.index]) continue;
    const Instruction& inst = m_[id];
    now_ = uses_.order[id.index];
    if (inst.op == Op::For || inst.op == Op::While) carry(inst, region);
    if (inst.op == Op::If) merge(inst, region);
    if (inst.regions.empty()) rebind(id);
    if (inst.op == Op::SimdMatrixMultiply) accumulate(id);
    for (RegionId r : inst.regions) visit(r);
  }
}

// A value of the same Python name is the name's new value: `acc = acc + x` where acc is a variable
// whose old value nothing wants any more.
void Variables::rebind(InstId id) {
  const Instruction& inst = m_[id];
  if (inst.results.size() != 1) return;
  ValueId v = inst.results[0];
  const std::string& name = m_.name_of(v);
  if (name.empty() || of_[v.index] != kNoVariable || !assignable(v)) return;
  auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  uint32_t variable = found->second.back();
  if (uses_.encloses(declared_in_[variable], uses_.places[id.index].region)) join({v}, variable);
}

// A sum of products stays in the matrix that it is added to, where nothing else wants that matrix.
void Variables::accumulate(InstId id) {
  ValueId sum = m_[id].results[0], start = m_[id].operands[2];
  if (of_[sum.index] != kNoVariable) return;
  uint32_t before = of_[start.index];
  const std::string &name = m_.name_of(start), &wanted = m_.name_of(sum);
  if (before == kNoVariable && !name.empty() && name != wanted) return;  // `zero` stays zero
  uint32_t variable = adopt(start, wanted);
  if (variable == kNoVariable) return;
  bool seen = uses_.encloses(declared_in_[variable], uses_.places[id.index].region);
  if (!(seen && join({sum}, variable)) && before == kNoVariable) release(start);
}

void Variables::carry(const Instruction& inst, RegionId outer) {
  bool is_for = inst.op == Op::For;
  size_t first_init = is_for ? 3 : 0, first_arg = is_for ? 1 : 0;
  RegionId body = inst.regions.back();
  const Instruction& yield = m_[m_[body].insts.back()];
  for (size_t k = 0; k + first_init < inst.operands.size(); ++k) {
    ValueId init = inst.operands[first_init + k], arg = m_[body].args[first_arg + k];
    const std::string& name = m_.name_of(m_.name_of(arg).empty() ? inst.results[k] : arg);
    // Start in the variable of the initial value when nothing else wants that value any more.
    auto uses_here = std::count(inst.operands.begin(), inst.operands.end(), init);
    ValueId seen = is_for ? ValueId{} : m_[inst.regions[0]].args[k], result = inst.results[k];
    uint32_t before = of_[init.index];
    uint32_t variable = uses_here == 1 ? adopt(init, name) : kNoVariable;
    if (variable != kNoVariable && !join({arg, seen, result}, variable)) {
      if (before == kNoVariable) release(init);
      variable = kNoVariable;
    }
    if (variable == kNoVariable) {
      variable = fresh(arg, outer);
      for (ValueId v : {seen, result}) {
        if (v) add(v, variable);
      }
    }
  }
  for (size_t k = 0; k + first_init < inst.operands.size(); ++k) {
    uint32_t variable = of_[m_[body].args[first_arg + k].index];
    by_name_[name(variable)].push_back(variable);
    assign_there(yield.operands[k], body, variable);
  }
}

// What a region computes and yields to a variable goes straight there, under that name or none.
void Variables::assign_there(ValueId next, RegionId region, uint32_t variable) {
  const Value& v = m_[next];
  const bool here =
      v.def && uses_.places[v.def.index].region == region && m_[v.def].regions.empty();
  if (!here || of_[next.index] != kNoVariable || !assignable(next)) return;
  const std::string& name = m_.name_of(next);
  if (name.empty() || name == this->name(variable)) join({next}, variable);
}

void Variables::merge(const Instruction& inst, RegionId outer) {
  const Instruction* yields[2] = {};
  for (size_t arm = 0; arm < inst.regions.size() && arm < 2; ++arm) {
    yields[arm] = &m_[m_[inst.regions[arm]].insts.back()];
  }
  for (size_t k = 0; k < inst.results.size(); ++k) {
    ValueId result = inst.results[k];
    uint32_t variable = kNoVariable;
    for (int arm : {1, 0}) {  // a value from outside that one arm leaves as it is
      ValueId old = yields[arm]->operands[k];
      const Value& v = m_[old];
      RegionId from = uses_.definition(old).region;
      if (from == inst.regions[static_cast<size_t>(arm)] || !(v.def || v.region)) continue;
      uint32_t before = of_[old.index];
      uint32_t candidate = adopt(old, m_.name_of(result));
      if (candidate == kNoVariable) continue;
      if (join({result}, candidate)) {
        variable = candidate;
        break;
      }
      if (before == kNoVariable) release(old);
    }
    if (variable == kNoVariable) variable = fresh(result, outer);
    by_name_[name(variable)].push_back(variable);
    for (size_t arm = 0; arm < 2; ++arm) {
      assign_there(yields[arm]->operands[k], inst.regions[arm], variable);
    }
  }
}

}  // namespace enigma::msl
