// SIMD-group matrices: two vectors of 32 floats, four rows each, that the whole SIMD-group has.
//
// Products are not written one by one: those that stand next to each other and share their left
// factor are written together (multiply), so that its elements are spread once for all of them.
#include <algorithm>
#include <array>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

constexpr int kSide = 8, kPerPart = kLanes / kSide;

// The lanes of a, and behind them those of b, in another order.
template <class From>
V shuffled(Expr& e, const V& a, const V& b, int lanes, From from) {
  Text order;
  for (int k = 0; k < lanes; ++k) order.add(k ? ", " : "", "i32 ", from(k));
  return e.emit(a.elem, lanes,
                concat("shufflevector ", a.typed(), ", ", b.typed(), ", <", lanes, " x i32> <",
                       order.str(), ">"));
}

// Eight rows become two parts.
void join(Expr& e, std::vector<V>& rows) {
  for (; rows.size() > 2; rows.resize(rows.size() / 2)) {
    for (size_t k = 0; k < rows.size() / 2; ++k) {
      V a = rows[2 * k], b = rows[2 * k + 1];
      rows[k] = shuffled(e, a, b, a.lanes + b.lanes, [](int i) { return i; });
    }
  }
}

// Rows become columns.
std::array<V, 2> transposed(Expr& e, const V& upper, const V& lower) {
  auto half = [&](int first) {
    return shuffled(e, upper, lower, kLanes,
                    [&](int k) { return k % kSide * kSide + first + k / kSide; });
  };
  return {half(0), half(kPerPart)};
}

}  // namespace

bool Body::awaits_product(const Instruction& inst) const {
  if (pending_.empty()) return false;
  return !inst.regions.empty() || std::any_of(inst.operands.begin(), inst.operands.end(),
                                              [&](ValueId v) { return is_pending_[v.index]; });
}

void Body::simd_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  switch (inst.op) {
    case Op::SimdMatrixLoad:
      return load_matrix(id, mask);
    case Op::SimdMatrixStore:
      return store_matrix(id, mask);
    case Op::SimdMatrixFill: {
      V x = e_.splat(for_all_lanes(inst.operands[0], mask, id), kLanes);
      return set_all(inst.results, {x, x});
    }
    default:
      if (!mask.all()) for_all_lanes({}, mask, id);
      pending_.push_back(id);
      is_pending_[inst.results[0].index] = true;
  }
}

// The number that all 32 lanes have; leaves the kernel where they do not, or are not all there.
V Body::for_all_lanes(ValueId v, const Mask& mask, InstId at) {
  V ok = mask.all() ? V{} : e_.cmp("eq", mask.bits, -1), x;
  if (v && form(v).kind == LaneForm::Uniform) {
    x = raw(v);
  } else if (v) {
    V all = lanes(v);
    x = e_.extract(all, 0);
    Elem bits = int_elem(cpu::bits(all.elem));
    V differs = e_.any(e_.cmp("ne", e_.bitcast(all, bits), e_.splat(e_.bitcast(x, bits), kLanes)));
    V same = differs ^ e_.boolean(true);
    ok = ok ? ok & same : same;
  }
  if (!ok) return x;
  fault_unless(ok, cpu_abi::FaultKind::SplitSimdgroup, at);
  return x;
}

// Where the 8 rows of an access lie; leaves the kernel unless all of them are inside of the memory.
Body::Rows Body::matrix_rows(const Instruction& inst, const Mask& mask, InstId at) {
  ValueId memory = inst.operands[0];
  auto number = [&](ValueId v) {
    return extend_index(for_all_lanes(v, mask, at), m_.type(v).dtype);
  };
  Rows rows{number(inst.operands[1]), number(inst.operands[2])};
  V size = memory_size(memory);
  V last = rows.first + rows.length * e_.i64(kSide - 1) + (kSide - 1);
  // Neither is so great that the sum could wrap.
  V starts = e_.cmp("ult", rows.first, size), sane = e_.cmp("ult", rows.length, 0x1p32);
  V ok = starts & sane & e_.cmp("ult", last, size);
  V reached = e_.select(starts, last, rows.first);
  guard(ok, memory, at, [&](FaultSite& site) {
    site.base = reached.text;
    site.where |= 1;
  });
  return rows;
}

void Body::load_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  DType dtype = m_.type(inst.operands[0]).dtype;
  Rows rows = matrix_rows(inst, mask, id);
  V base = memory_pointer(inst.operands[0]);
  std::vector<V> xs;
  for (int r = 0; r < kSide; ++r) {
    V p = element(base, dtype, rows.first + rows.length * e_.i64(r));
    std::string type = llvm_type(storage_elem(dtype), kSide);
    xs.push_back(e_.emit(storage_elem(dtype), kSide,
                         concat("load ", type, ", ", p.typed(), ", align ", byte_size(dtype))));
  }
  for (V& x : xs) x = from_storage(dtype, x);
  std::vector<V> parts = xs;
  join(e_, parts);
  if (inst.attr) std::ranges::copy(transposed(e_, parts[0], parts[1]), parts.begin());
  set_all(inst.results, parts);
  // What was loaded is the columns of a matrix that is transposed, else its rows.
  ValueId v = inst.results[0];
  auto columns = [&] { return transposed(e_, parts[0], parts[1]); };
  if (sides_[v.index] & 1) {
    const std::string name = concat("%left", v.index);
    inst.attr ? spilled(name, xs) : spilled(name, columns());
  }
  if (sides_[v.index] & 2) spilled(concat("%right", v.index), inst.attr ? parts : xs);
  values_[v.index].groups[0].spilled = true;
}

void Body::store_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  DType dtype = m_.type(inst.operands[0]).dtype;
  Rows rows = matrix_rows(inst, mask, id);
  std::array<V, 2> xs{raw(inst.operands[3], 0), raw(inst.operands[3], 1)};
  if (inst.attr) xs = transposed(e_, xs[0], xs[1]);
  for (V& x : xs) x = to_storage(dtype, x);
  V base = memory_pointer(inst.operands[0]);
  for (int r = 0; r < kSide; ++r) {
    const V& part = xs[r / kPerPart];
    V row = shuffled(e_, part, part, kSide, [&](int k) { return r % kPerPart * kSide + k; });
    V p = element(base, dtype, rows.first + rows.length * e_.i64(r));
    e_.stmt(concat("store ", row.typed(), ", ", p.typed(), ", align ", byte_size(dtype)));
  }
}

// ---- products -----------------------------------------------------------------------------------

void Body::multiply_pending() {
  // Their sums take half of the registers, the factors what they need of the rest.
  const auto together = static_cast<size_t>(std::max(1, vectors_ / 4));
  while (!pending_.empty()) {
    ValueId left = m_[pending_[0]].operands[0];
    std::vector<InstId> group;
    std::erase_if(pending_, [&](InstId id) {
      if (m_[id].operands[0] != left || group.size() == together) return false;
      group.push_back(id);
      return true;
    });
    multiply(group);
  }
}

// The 64 elements in memory of the stack, row after row, from which single ones are spread.
V Body::spilled(const std::string& name, std::span<const V> pieces) {
  V p = stack_memory(name);
  int element = 0;
  for (const V& x : pieces) {
    V at = e_.emit(Elem::Ptr, 1, concat("getelementptr float, ", p.typed(), ", i64 ", element));
    e_.stmt(concat("store ", x.typed(), ", ", at.typed(), ", align 32"));
    element += x.lanes;
  }
  return p;
}

// The columns of a product's left side, the rows of its right one.
V Body::factor(ValueId v, bool left, size_t number) {
  if (held(v).spilled) return stack_memory(concat(left ? "%left" : "%right", v.index));
  const std::array<V, 2> parts{raw(v, 0), raw(v, 1)};
  return spilled(concat("%factor", number), left ? transposed(e_, parts[0], parts[1]) : parts);
}

// Sums in the order of k, as Metal's lanes have it: fused, in float, rounded once at the end. A
// turn of the loop reads column k of the left factor and row k of each right one from memory, which
// costs less than moving them between lanes, and keeps no more in registers than there are.
void Body::multiply(std::span<const InstId> group) {
  V left = factor(m_[group[0]].operands[0], true, 0);
  std::vector<V> right, state{e_.i64(0)};
  for (InstId id : group) {
    right.push_back(factor(m_[id].operands[1], false, right.size() + 1));
    for (int part = 0; part < 2; ++part) state.push_back(raw(m_[id].operands[2], part));
  }
  auto eight = [&](const V& p, const V& element) {
    V at = e_.emit(Elem::Ptr, 1, concat("getelementptr float, ", p.typed(), ", ", element.typed()));
    return e_.emit(Elem::F32, kSide, concat("load <8 x float>, ", at.typed(), ", align 32"));
  };
  state = e_.loop(state, [&](const std::vector<V>& now, std::vector<V>& next) {
    V column = eight(left, now[0]), spread[2];
    for (int part = 0; part < 2; ++part) {
      spread[part] =
          shuffled(e_, column, column, kLanes, [&](int i) { return part * kPerPart + i / kSide; });
    }
    next.push_back(now[0] + kSide);
    for (const V& b : right) {
      V one = eight(b, now[0]);
      V row = shuffled(e_, one, one, kLanes, [](int i) { return i % kSide; });
      for (const V& part : spread) next.push_back(e_.fma(part, row, now[next.size()]));
    }
    return e_.cmp("ne", next[0], kSide * kSide);
  });
  std::vector<std::array<V, 2>> sums;
  for (size_t n = 0; n < group.size(); ++n) sums.push_back({state[2 * n + 1], state[2 * n + 2]});
  for (size_t n = 0; n < group.size(); ++n) {
    ValueId result = m_[group[n]].results[0];
    is_pending_[result.index] = false;
    for (int part = 0; part < 2; ++part) {
      set(result, round_to(m_.type(result).dtype, sums[n][part]), part);
    }
  }
}

}  // namespace enigma::cpu
