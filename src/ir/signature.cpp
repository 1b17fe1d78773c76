// Types by a row's signature, and what a kernel does to its parameters and threadgroup memory.

#include "ir/signature.h"

#include <algorithm>

#include "support/floats.h"
#include "support/text.h"

namespace enigma {

bool exists(Type t) {
  if (static_cast<int>(t.dtype) >= kNumDTypes || t.kind > Type::Kind::Memory) return false;
  if (t.is_memory()) return t.space() <= AddressSpace::Thread;
  if (t.is_simd_matrix()) return t == Type::simd_matrix(t.dtype) && is_float(t.dtype);
  auto is_size = [](int n) { return 1 <= n && n <= 4; };
  if (!is_size(t.rows) || !is_size(t.cols)) return false;
  return !t.is_matrix() || (t.rows > 1 && (t.dtype == DType::F32 || t.dtype == DType::F16));
}

Type shared_type(const Module& m, const Instruction& inst) {
  const OpInfo& row = info(inst.op);
  for (size_t k = 0; k < row.operands.size() && k < inst.operands.size(); ++k) {
    if (is_class_letter(row.operands[k])) return m.type(inst.operands[k]);
  }
  return row.result == 'g' && !inst.operands.empty() ? m.type(inst.operands.back()) : Type{};
}

bool can_multiply(DType a, DType b, DType c) {
  if (a == b && b == c) return true;
  bool one_kind = a == b || (a != DType::BF16 && b != DType::BF16);
  return c == DType::F32 && one_kind;
}

std::vector<Type> operand_types(const Module& m, const Instruction& inst) {
  std::vector<Type> types;
  for (ValueId v : inst.operands) types.push_back(m.type(v));
  return types;
}

bool in_class(char letter, Type t) {
  if (!t.is_value() || t.is_matrix() != is_matrix_class(letter)) return false;
  switch (letter) {
    case 'F':
      return is_float(t.dtype);
    case 'V':
      return is_float(t.dtype) && t.is_vector();
    case 'W':
      return is_float(t.dtype) && t.rows == 3;
    case 'I':
      return is_integer(t.dtype);
    case 'B':
      return t.dtype == DType::B1;
    case 'Q':
      return t.rows == t.cols;
    default:
      return letter == 'A' || letter == 'M';
  }
}

namespace {

// A row times a matrix, a matrix times a column, or two matrices; none where the sizes differ.
Type product(Type a, Type b) {
  if (!a.is_value() || a.dtype != b.dtype || !(a.is_matrix() || b.is_matrix())) return {};
  const int inner = a.is_vector() ? a.rows : a.cols;
  if (!b.is_value() || inner != b.rows || a.is_scalar()) return {};
  if (a.is_vector()) return Type::vector(a.dtype, b.cols);
  return Type::matrix(a.dtype, a.rows, b.cols);
}

}  // namespace

std::optional<int64_t> known_integer(const Module& m, ValueId v) {
  const auto bits = m.constant(v);
  const DType t = m.type(v).dtype;
  return bits && is_integer(t) ? std::optional(to_integer(t, *bits)) : std::nullopt;
}

Type accessed(const OpInfo& row, Type memory, uint64_t attr) {
  const bool vector = (row.shape == Shape::Load || row.shape == Shape::Store) && attr > 1;
  return vector ? Type::vector(memory.dtype, static_cast<int>(attr)) : Type::scalar(memory.dtype);
}

Type result_type(const OpInfo& row, std::span<const Type> operands, uint64_t attr) {
  Type shared;
  for (size_t k = 0; k < operands.size() && !shared.is_value(); ++k) {
    if (is_class_letter(row.operands[k])) shared = operands[k];
  }
  switch (row.result) {
    case 'T':
      return shared;
    case 's':
      return Type::scalar(shared.dtype);
    case 't':
      return Type::matrix(shared.dtype, shared.cols, shared.rows);
    case 'p':
      return product(operands[0], operands[1]);
    case 'b':
      return shared.is_value() ? shared.with(DType::B1) : Type::scalar(DType::B1);
    case 'f':
      return shared.with(DType::F32);
    case 'u':
      return Type::scalar(DType::U32);
    case 'U':
      return shared.with(unsigned_of(shared.dtype));
    case 'e':
      return accessed(row, operands[0], attr);
    case 'g':
      return Type::simd_matrix((operands[0].is_memory() ? operands[0] : operands.back()).dtype);
    default:
      return {};
  }
}

bool works_on(const OpInfo& row, DType t) {
  return t == DType::I32 || t == DType::U32 || (t == DType::F32 && !row.has(flag::WORDS));
}

bool may_have(Op op, MemoryOrder order) {
  switch (order) {
    case MemoryOrder::Acquire:
      return op != Op::AtomicStore;
    case MemoryOrder::Release:
      return op != Op::AtomicLoad;
    case MemoryOrder::AcqRel:
      return op != Op::AtomicLoad && op != Op::AtomicStore;
    default:
      return order <= MemoryOrder::SeqCst;
  }
}

Type part_type(Type whole) {
  return whole.is_matrix() ? Type::vector(whole.dtype, whole.rows) : Type::scalar(whole.dtype);
}

Type made_of(Type part, size_t count) {
  const auto n = static_cast<int>(std::min<size_t>(count, UINT8_MAX));
  return part.is_vector() ? Type::matrix(part.dtype, part.rows, n) : Type::vector(part.dtype, n);
}

void fill_param_effects(Module& m) {
  std::vector<uint16_t> effects(m.values.size());
  for (const Instruction& inst : m.insts) {
    const OpInfo& row = info(inst.op);
    for (size_t k = 0; k < inst.operands.size(); ++k) {
      const bool memory = k < row.operands.size() && row.operands[k] == 'm';
      uint16_t effect = memory ? row.flags : uint16_t{flag::READ};
      if (inst.op == Op::AsyncCopy) effect &= k == 0 ? ~flag::READ : ~flag::WRITE;
      effects[inst.operands[k].index] |= effect;
    }
  }
  for (Param& p : m.params) {
    p.read = effects[p.value.index] & flag::READ;
    p.written = effects[p.value.index] & flag::WRITE;
  }
}

std::vector<FunctionConstant> function_constants(const Module& m) {
  std::vector<FunctionConstant> found;
  for (InstId i : m[m.body].insts) {
    const Instruction& inst = m[i];
    if (info(inst.op).shape != Shape::FunctionConstant || inst.results.empty()) continue;
    const auto index = static_cast<uint32_t>(inst.attr);
    auto at = std::lower_bound(found.begin(), found.end(), index,
                               [](const FunctionConstant& c, uint32_t n) { return c.index < n; });
    if (at == found.end() || at->index != index) {
      at = found.insert(at, {index, m.type(inst.results[0]).dtype, i, {}});
    }
    at->values.push_back(inst.results[0]);
  }
  return found;
}

InstId first_simd_matrix(const Module& m, RegionId r) {
  for (InstId i : m[r].insts) {
    if (info(m[i].op).shape == Shape::SimdMatrix) return i;
    for (RegionId inner : m[i].regions) {
      if (InstId found = first_simd_matrix(m, inner)) return found;
    }
  }
  return {};
}

uint64_t threadgroup_bytes(const Module& m) {
  uint64_t bytes = 0;
  for (InstId i : m[m.body].insts) {
    if (m[i].op != Op::ThreadgroupAlloc || m[i].results.empty()) continue;
    bytes += m[i].attr * static_cast<uint64_t>(byte_size(m.type(m[i].results[0]).dtype));
  }
  return bytes;
}

const char* letter_text(char letter) {
  switch (letter) {
    case 'F':
      return "float";
    case 'I':
      return "integer";
    case 'B':
      return "bool";
    case 'A':
      return "any";
    case 'V':
      return "float vector";
    case 'W':
      return "float 3-vector";
    case 'M':
    case 't':
      return "float matrix";
    case 'Q':
      return "square float matrix";
    case 'p':
      return "float matrix or vector";
    case 's':
      return "float";
    case '4':
      return "float4";
    case '2':
      return "float2";
    case 'q':
      return "uint4";
    case 'd':
      return "int2";
    case 'v':
      return "any";
    case 'b':
      return "bool";
    case 'f':
      return "float";
    case 'u':
      return "uint";
    case 'x':
      return "index";
    case 'm':
      return "buffer";
    case 'e':
      return "element";
    case 'g':
      return "SIMD-group matrix";
    case 'U':
      return "unsigned";
    case '-':
      return "none";
    default:
      return "given type";
  }
}

std::string_view user_name(const OpInfo& row) {
  if (*row.python) return row.python;
  std::string_view mnemonic = row.mnemonic;
  return mnemonic.substr(mnemonic.find('.') + 1);
}

char class_of(const OpInfo& row) {
  auto at = std::find_if(row.operands.begin(), row.operands.end(), is_class_letter);
  return at == row.operands.end() ? 0 : *at;
}

std::string signature_text(const OpInfo& row) {
  Text t;
  t.add(user_name(row), "(");
  for (size_t k = 0; k < row.operands.size(); ++k) {
    t.add(k ? ", " : "", letter_text(row.operands[k]));
  }
  if (row.shape == Shape::Cast) return t.add(", dtype) -> dtype").str();
  const char c = class_of(row);
  t.add(") -> ", row.result == 'T' ? letter_text(c) : letter_text(row.result));
  return t.str();
}

}  // namespace enigma
