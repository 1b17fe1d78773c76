// SIMD-group matrices: 64 floats in memory, 8 rows, that the whole SIMD-group has. Here they are
// filled, loaded, stored and moved; matrix_product.cpp multiplies them.
#include <algorithm>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

constexpr int kSide = kMatrixSide;

// Rows become columns.
std::vector<V> transposed(Expr& e, const std::vector<V>& rows) {
  V low = joined(e, {rows.begin(), rows.begin() + kSide / 2}),
    high = joined(e, {rows.begin() + kSide / 2, rows.end()});
  std::vector<V> columns;
  for (int c = 0; c < kSide; ++c) {
    Text order;
    for (int r = 0; r < kSide; ++r) order.add(r ? ", " : "", "i32 ", r * kSide + c);
    columns.push_back(e.emit(Elem::F32, kSide,
                             concat("shufflevector ", low.typed(), ", ", high.typed(),
                                    ", <8 x i32> <", order.str(), ">")));
  }
  return columns;
}

}  // namespace

void Body::simd_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  switch (inst.op) {
    case Op::SimdMatrixLoad:
      return load_matrix(id, mask);
    case Op::SimdMatrixStore:
      return store_matrix(id, mask);
    case Op::SimdMatrixFill: {
      V x = e_.splat(for_all_lanes(inst.operands[0], mask, id), kSide);
      return put_rows(home(inst.results[0]), std::vector<V>(kSide, x));
    }
    default:
      if (!mask.all()) for_all_lanes({}, mask, id);
      pending_.push_back(id);
      is_pending_[inst.results[0].index] = true;
  }
}

// ---- homes --------------------------------------------------------------------------------------

V Body::home(ValueId v) {
  ValueId owner = homes_.of[v.index];
  if (auto own = home_number_.find(owner.index); own != home_number_.end()) {
    return e_.emit(
        Elem::Ptr, 1,
        concat("getelementptr i8, ", own_homes_.typed(), ", i64 ", home_offset(own->second)));
  }
  auto next = static_cast<uint32_t>(stack_home_.size());
  const uint32_t number = stack_home_.emplace(owner.index, next).first->second;
  V first = stack_memory(concat("%homes", number / kNeighbours), kHomesBytes);
  return element(first, DType::F32, e_.i64(number % kNeighbours * kSide));
}

// Whether a row of all of them is in one piece.
bool Body::are_neighbours(std::span<const ValueId> values) {
  auto owner = [&](ValueId v) { return homes_.of[v.index].index; };
  const auto& numbers = home_number_.count(owner(values[0])) != 0 ? home_number_ : stack_home_;
  auto first = numbers.find(owner(values[0]));
  if (first == numbers.end()) return false;
  uint32_t expected = first->second;
  if (expected % kNeighbours + values.size() > kNeighbours) return false;
  return std::all_of(values.begin(), values.end(), [&](ValueId v) {
    auto number = numbers.find(owner(v));
    return number != numbers.end() && number->second == expected++ && !homes_.in_place[v.index];
  });
}

V Body::floats(const V& pointer, int lanes) {
  return e_.emit(Elem::F32, lanes,
                 concat("load ", llvm_type(Elem::F32, lanes), ", ", pointer.typed(), ", align 4"));
}

std::vector<V> Body::rows_of(const V& home) {
  std::vector<V> rows;
  for (int r = 0; r < kSide; ++r) {
    rows.push_back(floats(element(home, DType::F32, e_.i64(r * kHomePitch)), kSide));
  }
  return rows;
}

// Rows of one matrix, or of neighbours.
void Body::put_rows(const V& home, const std::vector<V>& rows) {
  for (int r = 0; r < kSide; ++r) {
    V at = element(home, DType::F32, e_.i64(r * kHomePitch));
    e_.stmt(concat("store ", rows[r].typed(), ", ", at.typed(), ", align 32"));
  }
}

// Matrices become others, all at the same time: they may change places.
void Body::hand_on(std::span<const ValueId> from, std::span<const ValueId> to) {
  std::vector<std::pair<V, std::vector<V>>> moves;
  for (size_t k = 0; k < to.size(); ++k) {
    if (!m_.type(to[k]).is_simd_matrix()) continue;
    if (homes_.of[from[k].index] == homes_.of[to[k].index]) continue;
    moves.emplace_back(home(to[k]), rows_of(home(from[k])));
  }
  for (const auto& [there, rows] : moves) put_rows(there, rows);
}

// ---- load and store -----------------------------------------------------------------------------

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
  DType type = m_.type(inst.operands[1]).dtype;
  Rows rows{extend_index(for_all_lanes(inst.operands[1], mask, at), type), {}};
  V further, ok;
  std::optional<int64_t> length = known_integer(m_, inst.operands[2]);
  if (length && *length >= 0 && *length <= INT32_MAX) {
    rows.length = e_.i64(*length);
    int64_t last = (*length + 1) * (kSide - 1);
    further = e_.i64(last);
    ok = e_.cmp("ult", rows.first, memory_limit(memory, DType::U64, last));
  } else {
    rows.length =
        extend_index(for_all_lanes(inst.operands[2], mask, at), m_.type(inst.operands[2]).dtype);
    further = rows.length * e_.i64(kSide - 1) + (kSide - 1);
    V size = memory_size(memory);
    // Neither is so great that the sum could wrap.
    V starts = e_.cmp("ult", rows.first, size), sane = e_.cmp("ult", rows.length, 0x1p32);
    ok = starts & sane & e_.cmp("ult", rows.first + further, size);
  }
  guard(ok, memory, at, [&](FaultSite& site) {
    V starts = e_.cmp("ult", rows.first, memory_size(memory));
    site.base = e_.select(starts, rows.first + further, rows.first).text;
    site.where |= 1;
  });
  return rows;
}

// Row by row to its home, unless products take it from where it lies.
void Body::load_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  ValueId memory = inst.operands[0], v = inst.results[0];
  DType dtype = m_.type(memory).dtype;
  Rows rows = matrix_rows(inst, mask, id);
  V base = memory_pointer(memory);
  if (homes_.in_place[v.index]) {
    in_place_[v.index] = {element(base, dtype, rows.first), rows.length, e_.i64(1)};
    if (inst.attr) std::swap(in_place_[v.index].row, in_place_[v.index].column);
    return;
  }
  V there = home(v);
  e_.loop({e_.i64(0), rows.first}, [&](const std::vector<V>& now, std::vector<V>& next) {
    V from = element(base, dtype, now[1]);
    std::string type = llvm_type(storage_elem(dtype), kSide);
    V x = e_.emit(storage_elem(dtype), kSide,
                  concat("load ", type, ", ", from.typed(), ", align ", byte_size(dtype)));
    x = from_storage(dtype, x);
    e_.stmt(concat("store ", x.typed(), ", ", element(there, DType::F32, now[0]).typed(),
                   ", align 32"));
    next = {now[0] + kHomePitch, now[1] + rows.length};
    return e_.cmp("ne", next[0], kSide * kHomePitch);
  });
  if (inst.attr) put_rows(there, transposed(e_, rows_of(there)));
}

void Body::store_matrix(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  ValueId memory = inst.operands[0];
  DType dtype = m_.type(memory).dtype;
  Rows rows = matrix_rows(inst, mask, id);
  V base = memory_pointer(memory), from = home(inst.operands[3]);
  if (inst.attr) {
    V turned = stack_memory("%turned", kHomesBytes);
    put_rows(turned, transposed(e_, rows_of(from)));
    from = turned;
  }
  e_.loop({e_.i64(0), rows.first}, [&](const std::vector<V>& now, std::vector<V>& next) {
    V x = to_storage(dtype, floats(element(from, DType::F32, now[0]), kSide));
    e_.stmt(concat("store ", x.typed(), ", ", element(base, dtype, now[1]).typed(), ", align ",
                   byte_size(dtype)));
    next = {now[0] + kHomePitch, now[1] + rows.length};
    return e_.cmp("ne", next[0], kSide * kHomePitch);
  });
}

}  // namespace enigma::cpu
