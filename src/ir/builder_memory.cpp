// Memory in the builder: threadgroup allocations, loads, stores, atomics, barriers.

#include <array>

#include "enigma/builder.h"
#include "enigma/limits.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/signature.h"
#include "ir/spelling.h"
#include "support/floats.h"

namespace enigma {
ValueId Builder::threadgroup_alloc(DType dtype, int64_t elements) {
  State& s = *state_;
  s.check_dtype(dtype);
  if (elements <= 0) {
    s.fail("threadgroup_alloc takes a positive number of elements, ", elements, " was given");
  }
  const auto size = static_cast<uint64_t>(byte_size(dtype));
  const auto count = static_cast<uint64_t>(elements);
  if (count > kThreadgroupBytes / size || s.threadgroup_bytes + count * size > kThreadgroupBytes) {
    s.fail("threadgroup memory is limited to ", kThreadgroupBytes, " bytes; ", elements, " x ",
           info(dtype).mnemonic, " is ",
           count > UINT64_MAX / size ? std::string("far more") : concat(count * size, " bytes"),
           ", and ", s.threadgroup_bytes, " bytes are allocated already");
  }
  s.threadgroup_bytes += count * size;
  return s.declare(Op::ThreadgroupAlloc, Type::memory(dtype, AddressSpace::Threadgroup), count,
                   s.allocs++);
}

uint64_t Builder::State::vector_access(ValueId memory, const Operand& index, int lanes) const {
  if (lanes == 1) return 0;
  const auto count = static_cast<uint64_t>(lanes);
  if (!is_vector_access(type(memory).dtype, count)) {
    fail("a vector access is of 2 or 4 elements that are no bools, of at most ", kMaxVectorBytes,
         " bytes together, ", lanes, " of ", describe(memory), " were given");
  }
  const Literal* l = std::get_if<Literal>(&index);
  if (l && is_integer(natural_type(*l)) && literal_bits(DType::U64, *l) % count != 0) {
    fail("a vector access of ", lanes, " elements begins at a multiple of ", lanes, ", not at ",
         to_string(*l));
  }
  return count;
}

namespace {

constexpr Op kLoad[] = {Op::Load}, kLoadIf[] = {Op::LoadIf}, kStore[] = {Op::Store};

// A literal index from which `lanes` elements are provably not in a threadgroup allocation.
void check_bounds(const Module& m, const Location& where, ValueId memory, const Operand& index,
                  int lanes) {
  const Literal* l = std::get_if<Literal>(&index);
  if (!l || std::holds_alternative<double>(*l) || is_negative(*l)) return;
  const Instruction* alloc = m.def(memory);
  if (!alloc || alloc->op != Op::ThreadgroupAlloc) return;
  const uint64_t more = static_cast<uint64_t>(lanes) - 1, first = literal_bits(DType::U64, *l);
  if (first < alloc->attr && more < alloc->attr - first) return;
  const std::string& name = m.name_of(memory);
  throw Error(concat("the index ", first + more, " is outside of ",
                     name.empty() ? "the threadgroup memory" : name, ", which has ", alloc->attr,
                     " elements"),
              where);
}

}  // namespace

ValueId Builder::load(ValueId memory, Operand index, int lanes) {
  State& s = *state_;
  ValueId mem = s.memory(memory, "a load");
  const uint64_t attr = s.vector_access(mem, index, lanes);
  check_bounds(s.m, s.where, mem, index, lanes);
  return s.apply(kLoad, std::array<Operand, 2>{mem, index}, attr);
}

ValueId Builder::load_if(ValueId memory, Operand index, Operand mask, Operand otherwise,
                         int lanes) {
  State& s = *state_;
  ValueId mem = s.memory(memory, "load_if");
  return s.apply(kLoadIf, std::array<Operand, 4>{mem, index, mask, otherwise},
                 s.vector_access(mem, index, lanes));
}

void Builder::store(ValueId memory, Operand index, Operand value, int lanes) {
  State& s = *state_;
  ValueId mem = s.memory(memory, "a store");
  const uint64_t attr = s.vector_access(mem, index, lanes);
  check_bounds(s.m, s.where, mem, index, lanes);
  s.apply(kStore, std::array<Operand, 3>{mem, index, value}, attr);
}

void Builder::store_if(ValueId memory, Operand index, Operand value, Operand mask, int lanes) {
  State& s = *state_;
  ValueId mem = s.memory(memory, "store_if");
  // Everything that can be refused is refused before the region opens.
  const uint64_t attr = s.vector_access(mem, index, lanes);
  ValueId i = s.index(index);
  ValueId v = s.convert(value, accessed(info(Op::Store), s.type(mem), attr));
  ValueId condition = s.condition(mask, Type::scalar(DType::B1), "store_if");
  begin_if(condition);
  s.apply(kStore, std::array<Operand, 3>{mem, i, v}, attr);
  end_if({}, {});
}

std::optional<ValueId> Builder::atomic(Op op, ValueId memory, Operand index, Operands values,
                                       MemoryOrder order) {
  State& s = *state_;
  const OpInfo& row = info(op);
  if (row.shape != Shape::Atomic) {
    s.fail("atomic() takes an atomic operation, ", row.mnemonic, " was given");
  }
  if (order > MemoryOrder::SeqCst) s.fail(row.python, " has an unknown memory order");
  if (!may_have(op, order)) {
    s.fail(row.python, " cannot have the order ", kMemoryOrders[static_cast<size_t>(order)],
           ": it is one of relaxed, ", op == Op::AtomicLoad ? "acquire" : "release",
           " and seq_cst");
  }
  ValueId mem = s.memory(memory, row.python);
  if (!works_on(row, s.type(mem).dtype)) {
    s.fail(row.python, " works on memory of ",
           row.has(flag::WORDS) ? "int or uint, " : "int, uint or float, ", s.describe(mem),
           " was given; Metal has no such atomics of other types");
  }
  check_bounds(s.m, s.where, mem, index, 1);
  std::vector<Operand> operands{mem, index};
  operands.insert(operands.end(), values.begin(), values.end());
  ValueId v = s.apply(std::span(&op, 1), operands, static_cast<uint64_t>(order));
  if (row.result == '-') return std::nullopt;
  return v;
}

ValueId Builder::async_copy(const Tile& to, const Tile& from, Operand columns, Operand rows) {
  State& s = *state_;
  constexpr Op kCopy = Op::AsyncCopy;
  auto known = [&](const Operand& x) -> std::optional<int64_t> {
    std::optional<uint64_t> bits;
    DType t = DType::I64;
    if (const Literal* l = std::get_if<Literal>(&x)) {
      bits = literal_bits(t, *l);
    } else {
      const ValueId v = std::get<ValueId>(x);
      bits = s.m.constant(v);
      t = s.type(v).dtype;
    }
    if (!bits || !is_integer(t)) return std::nullopt;
    return to_integer(t, *bits);
  };
  const auto wide = known(columns), high = known(rows);
  for (const auto& [size, what] : {std::pair(wide, "columns"), std::pair(high, "rows")}) {
    if (size && *size < 1) {
      s.fail("async_copy: a tile of ", *size, " ", what, ": it has at least 1");
    }
  }
  AddressSpace spaces[2];
  DType types[2];
  for (const Tile* tile : {&to, &from}) {
    const ValueId mem = s.memory(tile->memory, "async_copy");
    const bool is_from = tile == &from;
    spaces[is_from] = s.type(mem).space();
    types[is_from] = s.type(mem).dtype;
    const auto begin = known(tile->offset), pitch = known(tile->pitch);
    if (wide && pitch && high != 1 && *pitch < *wide) {
      s.fail("async_copy: the rows of ", s.describe(mem), " are ", *pitch,
             " elements apart, and the tile is ", *wide, " wide");
    }
    const Instruction* alloc = s.m.def(mem);
    if (!alloc || !begin || !wide || !high || (!pitch && *high != 1)) continue;
    const int64_t end = *begin + (*high == 1 ? 0 : (*high - 1) * *pitch) + *wide;
    if (*begin < 0 || end > static_cast<int64_t>(alloc->attr)) {
      s.fail("async_copy: elements ", *begin, " to ", end - 1, " are outside of ",
             s.m.name_of(mem).empty() ? "the threadgroup memory" : s.m.name_of(mem), ", which has ",
             alloc->attr, " elements");
    }
  }
  if (types[0] != types[1]) {
    s.fail("async_copy does not convert: it copies ", info(types[1]).mnemonic, " to ",
           info(types[0]).mnemonic, "; use enigma.copy, or memory of one type");
  }
  if (spaces[0] == spaces[1]) {
    s.fail("async_copy copies between device and threadgroup memory, ", s.describe(from.memory),
           " and ", s.describe(to.memory), " were given");
  }
  const Operand operands[] = {to.memory,   to.offset,  to.pitch, from.memory,
                              from.offset, from.pitch, columns,  rows};
  return s.apply(std::span(&kCopy, 1), operands, 0);
}

void Builder::async_wait(Operand event) { apply(Op::AsyncWait, {event}); }

void Builder::barrier(Op op, uint8_t mem_flags) {
  State& s = *state_;
  if (info(op).shape != Shape::Barrier) {
    s.fail("barrier() takes Op::Barrier or Op::SimdBarrier, ", info(op).mnemonic, " was given");
  }
  if (mem_flags & ~(kMemDevice | kMemThreadgroup | kMemTexture)) {
    s.fail("barrier() takes MemFlags, ", int{mem_flags}, " was given");
  }
  s.apply(std::span(&op, 1), {}, mem_flags);
}

}  // namespace enigma
