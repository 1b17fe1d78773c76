// Modules for the tests of the IR: one instruction of every row and class type, and kernels with
// all control flow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enigma/builder.h"

namespace enigma {

inline Literal whole(int64_t x) { return x; }

/// The element types that a class letter stands for.
inline std::vector<DType> types_of(char letter) {
  std::vector<DType> out;
  for (const DTypeInfo& row : kDTypes) {
    const bool half = row.dtype == DType::F32 || row.dtype == DType::F16;
    const bool fits = std::string_view("FVW").find(letter) != std::string_view::npos
                          ? is_float(row.dtype)
                      : letter == 'M' || letter == 'Q' ? half
                      : letter == 'I'                  ? is_integer(row.dtype)
                      : letter == 'B'                  ? row.dtype == DType::B1
                                                       : true;
    if (fits) out.push_back(row.dtype);
  }
  return out;
}

/// The row's instruction between a load and a transposed store.
inline void simd_matrix_sample(Builder& b, Op op, ValueId x, ValueId index) {
  const DType t = b.type(x).dtype;
  ValueId v = b.simd_matrix_load(x, index, 8);
  if (op == Op::SimdMatrixFill) v = b.simd_matrix(t, b.load(x, index));
  if (op == Op::SimdMatrixMultiply) v = b.simd_matrix_multiply(v, v, b.simd_matrix(DType::F32, 0));
  b.set_name(v, "result");
  b.set_location("other.py", 12);
  b.simd_matrix_store(v, b.buffer("Out", b.type(v).dtype), index, 16, true);
}

/// A kernel with the row's instruction on values of type t; the result is stored where it has one.
inline Module sample(Op op, DType t) {
  const OpInfo& row = info(op);
  Builder b("sample");
  b.set_location("dir\\sample \"1\".py", 3);
  ValueId x = b.buffer("X", t);
  ValueId flag = b.scalar("flag", DType::B1);
  ValueId index = b.scalar("i", DType::U32);
  std::vector<Operand> operands;
  auto vector = [&] {
    ValueId one = b.load(x, index);
    return b.make_vec({one, b.load(x, index), one});
  };
  for (char letter : row.operands) {
    switch (letter) {
      case '4':
        operands.emplace_back(b.make_vec({0.5, b.load(x, index), -1.5, b.load(x, index)}));
        break;
      case '2':
      case 'd':
        operands.emplace_back(b.make_vec({b.load(x, index), b.load(x, index)}));
        break;
      case 'q':
        operands.emplace_back(b.make_vec({1, b.load(x, index), 2, 3}));
        break;
      case 'M':
      case 'Q':
      case 'p': {
        ValueId column = vector();
        operands.emplace_back(b.make_matrix({column, column, column}));
        break;
      }
      case 'V':
      case 'W':
        operands.emplace_back(vector());
        break;
      case 'm':
        operands.push_back(x);
        break;
      case 'g':
        break;
      case 'x':
      case 'u':
        operands.push_back(index);
        break;
      case 'b':
        operands.push_back(flag);
        break;
      default:
        operands.push_back(b.load(x, index));
    }
  }
  ValueId v;
  switch (row.shape) {
    case Shape::Constant:
      v = b.constant(t, whole(1));
      break;
    case Shape::FunctionConstant:
      v = b.function_constant(t, 3);
      break;
    case Shape::Query:
      v = b.query(op, row.has(flag::XYZ) ? 2 : 0);
      break;
    case Shape::Cast:
      v = op == Op::AsType ? b.as_type(operands[0], unsigned_of(t))
                           : b.cast(operands[0], DType::F16);
      break;
    case Shape::Make:
      v = vector();
      if (op == Op::MakeMatrix) v = b.make_matrix({v, v});
      break;
    case Shape::Extract:
      v = b.extract(vector(), 1);
      break;
    case Shape::Alloc: {
      ValueId shared = b.threadgroup_alloc(t, 64);
      b.set_name(shared, "shared");
      b.store(shared, index, b.load(x, index));
      break;
    }
    case Shape::Async: {
      ValueId shared = b.threadgroup_alloc(t, 64);
      v = b.async_copy({shared, index, whole(16)}, {x, index, index}, whole(8), whole(4));
      b.async_wait(v);
      b.store(shared, index, b.load(shared, index));
      break;
    }
    case Shape::Barrier:
      b.barrier(op, kMemDevice | kMemThreadgroup);
      break;
    case Shape::SimdMatrix:
      simd_matrix_sample(b, op, x, index);
      return b.finish();
    case Shape::Atomic:
      v = b.atomic(op, x, index, std::span(operands).subspan(2),
                   op == Op::AtomicLoad    ? MemoryOrder::Acquire
                   : op == Op::AtomicStore ? MemoryOrder::Release
                                           : MemoryOrder::AcqRel)
              .value_or(ValueId{});
      break;
    default:
      v = b.apply(op, operands);
  }
  if (v) {
    b.set_name(v, "result");
    b.set_location("other.py", 12);
    while (!b.type(v).is_scalar()) v = b.extract(v, 1);
    b.store(b.buffer("Out", b.type(v).dtype), index, v);
  }
  return b.finish();
}

/// Whether the builder takes the row on this type; as_type has no bool, atomics few types.
inline bool takes_sample(Op op, DType t) {
  const OpInfo& row = info(op);
  if (row.shape == Shape::Region || row.shape == Shape::Yield) return false;
  if (row.shape == Shape::Atomic) {
    return t == DType::I32 || t == DType::U32 || (t == DType::F32 && !row.has(flag::WORDS));
  }
  if (row.shape == Shape::SimdMatrix) return is_float(t);
  if (op == Op::AsType) return t != DType::B1;
  const std::string_view composed = row.shape == Shape::Composed ? row.operands : "";
  if (composed == "4" || composed == "2") return is_float(t);
  if (composed == "q" || composed == "d") return is_integer(t);
  if (op == Op::MakeMatrix || op == Op::MatMul) return t == DType::F32 || t == DType::F16;
  for (char letter : row.operands) {
    if (letter < 'A' || letter > 'Z') continue;
    for (DType u : types_of(letter)) {
      if (u == t) return true;
    }
    return false;
  }
  return true;
}

/// All control flow, nested, with carried values, names that repeat, barriers and atomics.
inline Module nested_sample() {
  Builder b("nested");
  b.set_location("k.py", 1);
  ValueId x = b.buffer("X", DType::F32);
  ValueId count = b.buffer("count", DType::U32);
  ValueId n = b.scalar("n", DType::I32);
  ValueId shared = b.threadgroup_alloc(DType::F32, 256);
  b.set_name(shared, "shared");
  b.set_location("k.py", 2);
  ValueId tid = b.query(Op::ThreadPositionInGrid);
  b.set_name(tid, "tid");
  ValueId lid = b.query(Op::ThreadPositionInThreadgroup);
  b.set_name(lid, "lid");
  b.set_location("k.py", 3);
  b.store(shared, lid, b.load(x, tid));
  b.barrier(Op::Barrier, kMemThreadgroup);
  b.set_location("k.py", 4);
  Operand inits[] = {Literal(0.0), whole(1)};
  auto loop = b.begin_for(whole(0), n, whole(1), DType::I32, inits);
  b.set_name(loop.index, "i");
  b.set_name(loop.args[0], "acc");
  b.set_name(loop.args[1], "last");
  b.set_location("k.py", 5);
  ValueId odd = b.apply(
      "cmp_eq",
      std::array<Operand, 2>{b.apply("&", std::array<Operand, 2>{loop.index, whole(1)}), whole(1)});
  b.begin_if(odd);
  b.set_location("k.py", 6);
  ValueId more = b.apply("+", std::array<Operand, 2>{loop.args[0], b.load(shared, loop.index)});
  b.set_name(more, "acc");
  b.begin_else();
  b.set_location("k.py", 8);
  Operand w_inits[] = {loop.args[0], loop.index};
  auto w = b.begin_while(w_inits);
  b.set_name(w.args[0], "acc");
  b.set_name(w.args[1], "k");
  auto body = b.while_body(b.apply("cmp_gt", std::array<Operand, 2>{w.args[1], whole(0)}));
  ValueId half = b.apply("*", std::array<Operand, 2>{body.args[0], Literal(0.5)});
  ValueId fewer = b.apply("-", std::array<Operand, 2>{body.args[1], whole(1)});
  Operand w_next[] = {half, fewer};
  auto w_results = b.end_while(w_next);
  b.set_location("k.py", 9);
  Operand then[] = {more}, otherwise[] = {w_results[0]};
  auto merged = b.end_if(then, otherwise);
  b.set_name(merged[0], "acc");
  Operand next[] = {merged[0], loop.index};
  auto results = b.end_for(next);
  b.set_name(results[0], "acc");
  b.set_location("k.py", 11);
  b.store_if(x, tid, results[0], b.apply("cmp_lt", std::array<Operand, 2>{lid, results[1]}));
  Operand one[] = {whole(1)};
  b.atomic(Op::AtomicAdd, count, whole(0), one);
  b.barrier(Op::SimdBarrier, kMemNone);
  return b.finish();
}

}  // namespace enigma
