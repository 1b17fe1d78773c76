// SIMD-group matrices in the builder: filled, loaded, stored, multiplied.

#include "enigma/builder.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/signature.h"

namespace enigma {
namespace {

constexpr uint64_t kSide = 8;

}  // namespace

// Memory, the index and the row's length of an access; Error for what is known to be wrong.
std::array<ValueId, 3> Builder::State::matrix_place(Op op, ValueId memory, const Operand& index,
                                                    const Operand& row) {
  const char* user = info(op).python;
  ValueId mem = this->memory(memory, user);
  const DType element = type(mem).dtype;
  if (!is_float(element)) {
    fail(user, " works on float, half and bfloat, ", describe(mem), " was given");
  }
  ValueId i = this->index(index), n = this->index(row);
  auto first = m.constant(i), length = m.constant(n);
  const uint64_t least = op == Op::SimdMatrixStore ? kSide : 1;
  if (length && *length < least) {
    fail(user, ": elements_per_row is ", *length,
         "; it counts the elements from one row to the next",
         least > 1 ? ", and rows that are written have 8 of their own" : "");
  }
  const Instruction* alloc = m.def(mem);
  if (first && length && alloc) {
    const auto last = static_cast<unsigned __int128>(*length) * (kSide - 1) + *first + kSide - 1;
    if (last >= alloc->attr) {
      const std::string& name = m.name_of(mem);
      fail(user, ": 8 rows from offset ", *first, " on with ", *length,
           " elements from one to the next reach index ",
           static_cast<uint64_t>(std::min<unsigned __int128>(last, UINT64_MAX)), " of ",
           name.empty() ? "threadgroup memory" : name, ", which has ", alloc->attr, " elements");
    }
  }
  return {mem, i, n};
}

void Builder::State::check_matrix(ValueId v, std::string_view user) const {
  check_value(v);
  if (type(v).is_simd_matrix()) return;
  fail(user, " takes matrices from simdgroup_matrix_load or make_filled_simdgroup_matrix, ",
       describe(v), " was given");
}

ValueId Builder::simd_matrix(DType dtype, Operand value) {
  State& s = *state_;
  s.check_dtype(dtype);
  const char* user = info(Op::SimdMatrixFill).python;
  if (!is_float(dtype)) {
    s.fail(user, ": elements are float, half or bfloat, ", info(dtype).msl, " was given");
  }
  ValueId x = s.convert(value, Type::scalar(dtype));
  return s.emit(Op::SimdMatrixFill, {x}, Type::simd_matrix(dtype));
}

ValueId Builder::simd_matrix_load(ValueId memory, Operand index, Operand row, bool transpose) {
  State& s = *state_;
  auto [mem, i, n] = s.matrix_place(Op::SimdMatrixLoad, memory, index, row);
  return s.emit(Op::SimdMatrixLoad, {mem, i, n}, Type::simd_matrix(s.type(mem).dtype), transpose);
}

void Builder::simd_matrix_store(ValueId matrix, ValueId memory, Operand index, Operand row,
                                bool transpose) {
  State& s = *state_;
  const char* user = info(Op::SimdMatrixStore).python;
  s.check_matrix(matrix, user);
  auto [mem, i, n] = s.matrix_place(Op::SimdMatrixStore, memory, index, row);
  const DType from = s.type(matrix).dtype, to = s.type(mem).dtype;
  if (from != to) {
    s.fail(user, ": Metal stores a matrix to memory of its own type, and ", s.describe(matrix),
           " does not fit ", s.describe(mem), "; store to threadgroup_alloc(\"", info(from).msl,
           "\", 64) and convert its elements");
  }
  s.append(Op::SimdMatrixStore, {mem, i, n, matrix}, transpose);
}

ValueId Builder::simd_matrix_multiply(ValueId a, ValueId b, ValueId c) {
  State& s = *state_;
  const char* user = info(Op::SimdMatrixMultiply).python;
  for (ValueId v : {a, b, c}) s.check_matrix(v, user);
  const DType left = s.type(a).dtype, right = s.type(b).dtype, sum = s.type(c).dtype;
  if (!can_multiply(left, right, sum)) {
    s.fail(user, " has no form for ", info(left).msl, " x ", info(right).msl, " + ", info(sum).msl,
           "; all three are of one type, or c is float");
  }
  return s.emit(Op::SimdMatrixMultiply, {a, b, c}, Type::simd_matrix(sum));
}

}  // namespace enigma
