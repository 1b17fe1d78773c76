// Bounds of integer values: interval arithmetic in program order, no fixpoint.
#include "ir/ranges.h"

#include <algorithm>

#include "enigma/limits.h"
#include "support/text.h"

namespace enigma {
namespace {

using Wide = Range::Wide;

Range hull(Range a, Range b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

Range hull_of(std::initializer_list<Wide> xs) { return {std::min(xs), std::max(xs)}; }

bool is_int(Type t) { return t.is_value() && is_integer(t.dtype); }

// The least 2^n - 1 that is not below x.
Wide ones_above(Wide x) {
  Wide ones = 0;
  while (ones < x) ones = ones * 2 + 1;
  return ones;
}

Wide constant(DType t, uint64_t bits) {
  int width = info(t).bits;
  if (is_signed(t)) return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
  return static_cast<Wide>(width == 64 ? bits : bits & ((uint64_t{1} << width) - 1));
}

}  // namespace

Range range_of(DType t) {
  Wide one = 1;
  int width = info(t).bits;
  if (is_signed(t)) return {-(one << (width - 1)), (one << (width - 1)) - 1};
  return {0, (one << width) - 1};
}

void Ranges::visit() {
  ranges_.reserve(m_.values.size());
  for (const Value& v : m_.values)
    ranges_.push_back(is_int(v.type) ? range_of(v.type.dtype) : Range{});
  for (const Param& p : m_.params) learn(p.value);
  visit(m_.body);
}

void Ranges::visit(RegionId region) {
  for (InstId id : m_[region].insts) {
    const Instruction& inst = m_[id];
    if (inst.op == Op::For) learn(m_[inst.regions[0]].args[0]);
    for (RegionId r : inst.regions) visit(r);
    for (ValueId v : inst.results) learn(v);
  }
}

void Ranges::update() {
  // Operands are made before their users, and the results of an if after its arms.
  while (ranges_.size() < m_.values.size()) {
    ranges_.push_back({});
    learn({static_cast<uint32_t>(ranges_.size() - 1)});
  }
}

void Ranges::learn(ValueId v) {
  if (!is_int(m_.type(v))) return;
  const Range all = range_of(m_.type(v).dtype), r = value(m_[v]);
  ranges_[v.index] = r.within(all) ? r : all;
}

Range Ranges::value(const Value& v) const {
  if (v.region) {
    const Instruction& parent = m_[m_[v.region].parent];
    return parent.op == Op::For && v.index == 0 ? index(parent) : range_of(v.type.dtype);
  }
  if (!v.def) {
    const uint32_t multiple = m_.params[v.index].multiple;
    return multiple ? Range{multiple, kMaxSize} : range_of(v.type.dtype);
  }
  const Instruction& inst = m_[v.def];
  if (inst.op == Op::If && inst.regions.size() == 2) {
    const Instruction& then = m_[m_[inst.regions[0]].insts.back()];
    const Instruction& other = m_[m_[inst.regions[1]].insts.back()];
    return hull(ranges_[then.operands[v.index].index], ranges_[other.operands[v.index].index]);
  }
  return inst.regions.empty() ? result(inst) : range_of(v.type.dtype);
}

Range Ranges::index(const Instruction& loop) const {
  Range lo = ranges_[loop.operands[0].index], hi = ranges_[loop.operands[1].index];
  Range step = ranges_[loop.operands[2].index];
  Range up{lo.lo, hi.hi - 1}, down{hi.lo + 1, lo.hi};
  Range r = step.lo >= 0 ? up : step.hi <= 0 ? down : hull(up, down);
  return r.lo > r.hi ? lo : r;  // it never runs
}

// A bit for each dimension of the threadgroup whose sizes a value is the product of; 0 for others.
unsigned Ranges::group_sizes(ValueId v) const {
  const Instruction* def = m_.def(v);
  if (!def) return 0;
  if (def->op == Op::ThreadsPerThreadgroup) return 1u << def->attr % 3;
  const unsigned a = def->op == Op::MulI ? group_sizes(def->operands[0]) : 0;
  if (!a) return 0;
  const unsigned b = group_sizes(def->operands[1]);
  return b && !(a & b) ? a | b : 0;
}

Range Ranges::exact(const Instruction& inst) const {
  auto at = [&](size_t k) { return ranges_[inst.operands[k].index]; };
  Range a = at(0), b = inst.operands.size() > 1 ? at(1) : Range{};
  switch (inst.op) {
    case Op::AddI:
      return {a.lo + b.lo, a.hi + b.hi};
    case Op::SubI:
      return {a.lo - b.hi, a.hi - b.lo};
    case Op::NegI:
      return {-a.hi, -a.lo};
    case Op::NotI:
      return {-a.hi - 1, -a.lo - 1};
    case Op::MulI:
      // Only the product of two large unsigned 64-bit numbers would leave 128 bits.
      if (a.hi > range_of(DType::I64).hi && b.hi > range_of(DType::I64).hi) return {0, a.hi + b.hi};
      if (group_sizes(inst.results[0])) {
        return {a.lo * b.lo, std::min(a.hi * b.hi, Wide{kMaxThreadsPerThreadgroup})};
      }
      return hull_of({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
    default:
      return {range_of(DType::I64).lo * 2, range_of(DType::U64).hi};
  }
}

bool Ranges::fits(const Instruction& inst) const {
  return exact(inst).within(range_of(m_.type(inst.results[0]).dtype));
}

Range Ranges::query(const Instruction& inst) const {
  const Wide unknown = range_of(DType::U32).hi;
  const auto& [grid, threads] = launch_;
  const size_t dim = inst.attr % 3;
  const bool known = threads[0] != 0, bounded = grid[dim] != 0;
  const Wide group = kMaxThreadsPerThreadgroup;
  const Wide total = known ? Wide{threads[0]} * threads[1] * threads[2] : group;
  const Wide most = bounded ? Wide{grid[dim]} : unknown;
  switch (inst.op) {
    case Op::ThreadPositionInThreadgroup:
      return {0, (known ? Wide{threads[dim]} : group) - 1};
    case Op::ThreadsPerThreadgroup:
      return {1, known ? Wide{threads[dim]} : group};
    case Op::ThreadIndexInThreadgroup:
      return {0, total - 1};
    case Op::ThreadIndexInSimdgroup:
    case Op::SimdgroupIndexInThreadgroup:
      return {0, Wide{kSimdWidth} - 1};
    case Op::ThreadsPerSimdgroup:
    case Op::SimdgroupsPerThreadgroup:
      return {1, Wide{kSimdWidth}};
    case Op::ThreadPositionInGrid:
      return {0, most - 1};
    case Op::ThreadsPerGrid:
      return {bounded ? most : 0, most};
    default: {  // threadgroups
      const Wide groups = known ? (most + threads[dim] - 1) / threads[dim] : most;
      if (inst.op == Op::ThreadgroupPositionInGrid) return {0, groups - 1};
      return {bounded ? groups : 0, groups};
    }
  }
}

Range Ranges::result(const Instruction& inst) const {
  Type type = m_.type(inst.results[0]);
  Range all = range_of(type.dtype);
  auto at = [&](size_t k) { return ranges_[inst.operands[k].index]; };
  auto int_at = [&](size_t k) { return is_int(m_.type(inst.operands[k])); };
  switch (inst.op) {
    case Op::Constant: {
      Wide x = constant(type.dtype, inst.attr);
      return {x, x};
    }
    case Op::ThreadPositionInThreadgroup:
    case Op::ThreadIndexInThreadgroup:
    case Op::ThreadsPerThreadgroup:
    case Op::ThreadIndexInSimdgroup:
    case Op::SimdgroupIndexInThreadgroup:
    case Op::ThreadsPerSimdgroup:
    case Op::SimdgroupsPerThreadgroup:
    case Op::ThreadPositionInGrid:
    case Op::ThreadgroupPositionInGrid:
    case Op::ThreadsPerGrid:
    case Op::ThreadgroupsPerGrid:
      return query(inst);
    case Op::AddI:
    case Op::SubI:
    case Op::MulI:
    case Op::NegI:
    case Op::NotI:
      return exact(inst);
    case Op::AndI:
      if (at(0).lo >= 0 && at(1).lo >= 0) return {0, std::min(at(0).hi, at(1).hi)};
      if (at(0).lo >= 0) return {0, at(0).hi};
      if (at(1).lo >= 0) return {0, at(1).hi};
      return all;
    case Op::OrI:
    case Op::XorI:
      if (at(0).lo >= 0 && at(1).lo >= 0) return {0, ones_above(std::max(at(0).hi, at(1).hi))};
      return all;
    case Op::Shr:
      if (at(1).lo == at(1).hi && at(1).lo >= 0 && at(1).lo < info(type.dtype).bits) {
        return {at(0).lo >> static_cast<int>(at(1).lo), at(0).hi >> static_cast<int>(at(1).lo)};
      }
      return at(0).lo >= 0 ? Range{0, at(0).hi} : all;
    case Op::DivI:
    case Op::FloorDivI:
      if (at(0).lo >= 0 && at(1).lo > 0) return {at(0).lo / at(1).hi, at(0).hi / at(1).lo};
      return all;
    case Op::FloorModI:
      if (at(1).lo > 0) {
        return {0, at(0).lo >= 0 ? std::min(at(0).hi, at(1).hi - 1) : at(1).hi - 1};
      }
      return all;
    case Op::MinI:
      return {std::min(at(0).lo, at(1).lo), std::min(at(0).hi, at(1).hi)};
    case Op::MaxI:
      return {std::max(at(0).lo, at(1).lo), std::max(at(0).hi, at(1).hi)};
    case Op::ClampI: {  // whichever bound wins where lo > hi
      auto clamp = [](Wide x, Wide lo, Wide hi) { return std::min(std::max(x, lo), hi); };
      auto flip = [](Wide x, Wide lo, Wide hi) { return std::max(std::min(x, hi), lo); };
      return hull({clamp(at(0).lo, at(1).lo, at(2).lo), clamp(at(0).hi, at(1).hi, at(2).hi)},
                  {flip(at(0).lo, at(1).lo, at(2).lo), flip(at(0).hi, at(1).hi, at(2).hi)});
    }
    case Op::Select:
      return hull(at(0), at(1));
    case Op::MakeVec: {
      Range every = at(0);
      for (size_t k = 1; k < inst.operands.size(); ++k) every = hull(every, at(k));
      return every;
    }
    case Op::VecExtract:
      return at(0);
    case Op::Cast:
      return int_at(0) ? at(0) : all;  // the caller drops what does not fit
    case Op::PopCount:
    case Op::Clz:
    case Op::Ctz:
      return {0, info(type.dtype).bits};
    default:
      return all;
  }
}

}  // namespace enigma
