// Types by a row's signature, and what a kernel does to its parameters and threadgroup memory.

#include "ir/signature.h"

#include <algorithm>

#include "support/text.h"

namespace enigma {

bool exists(Type t) {
  if (static_cast<int>(t.dtype) >= kNumDTypes || t.kind > Type::Kind::Memory) return false;
  if (t.is_memory()) return t.space() <= AddressSpace::Thread;
  if (t.is_simd_matrix()) return t == Type::simd_matrix(t.dtype) && is_float(t.dtype);
  auto is_size = [](int n) { return 1 <= n && n <= 16; };
  return is_size(t.rows) && is_size(t.cols);
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

bool in_class(char letter, Type t) {
  if (!t.is_value()) return false;
  switch (letter) {
    case 'F':
      return is_float(t.dtype);
    case 'I':
      return is_integer(t.dtype);
    case 'B':
      return t.dtype == DType::B1;
    default:
      return letter == 'A';
  }
}

Type result_type(const OpInfo& row, Type shared, Type memory) {
  switch (row.result) {
    case 'T':
      return shared;
    case 'b':
      return shared.is_value() ? shared.with(DType::B1) : Type::scalar(DType::B1);
    case 'f':
      return shared.with(DType::F32);
    case 'u':
      return Type::scalar(DType::U32);
    case 'U':
      return shared.with(unsigned_of(shared.dtype));
    case 'e':
      return Type::scalar(memory.dtype);
    case 'g':
      return Type::simd_matrix(memory.is_memory() ? memory.dtype : shared.dtype);
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

void fill_param_effects(Module& m) {
  std::vector<uint16_t> effects(m.values.size());
  for (const Instruction& inst : m.insts) {
    const OpInfo& row = info(inst.op);
    for (size_t k = 0; k < inst.operands.size(); ++k) {
      const bool memory = k < row.operands.size() && row.operands[k] == 'm';
      effects[inst.operands[k].index] |= memory ? row.flags : uint16_t{flag::READ};
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
