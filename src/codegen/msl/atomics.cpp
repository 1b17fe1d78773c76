// Atomic operations in MSL, which has them of int and uint, and of float in device memory alone and
// without min and max. What floats lack is done on their bits. All are relaxed; stronger orders are
// fences around them.
#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"

namespace enigma::msl {
namespace {

bool acquires(MemoryOrder order) {
  return order != MemoryOrder::Relaxed && order != MemoryOrder::Release;
}
bool releases(MemoryOrder order) {
  return order != MemoryOrder::Relaxed && order != MemoryOrder::Acquire;
}

bool in_threadgroup(Type memory) { return memory.space() == AddressSpace::Threadgroup; }

// Moves a value as it is, so that its bits do as well.
bool only_moves(Op op) {
  return op == Op::AtomicLoad || op == Op::AtomicStore || op == Op::AtomicExchange;
}

// An exchange that compared floats would never succeed on NaN, so it compares their bits.
bool needs_bits(Op op, Type memory) {
  if (memory.dtype != DType::F32) return false;
  return in_threadgroup(memory) || op == Op::AtomicMin || op == Op::AtomicMax ||
         op == Op::AtomicCas;
}

}  // namespace

// What is published through an atomic of device memory lies in device memory as well, and threads
// of other threadgroups see that only if it is coherent.
void Writer::scan_atomic(const Instruction& inst) {
  memory_use_[inst.operands[0].index] |= kAtomic;
  if (static_cast<MemoryOrder>(inst.attr) == MemoryOrder::Relaxed) return;
  version_ = 320;
  if (!in_threadgroup(m_.type(inst.operands[0]))) device_ = "coherent(device) device";
}

// Whether the memory is declared as atomics.
bool Writer::is_atomic_only(ValueId memory) const {
  const Type t = m_.type(memory);
  return memory_use_[memory.index] == kAtomic && !(in_threadgroup(t) && t.dtype == DType::F32);
}

std::string Writer::address(const Instruction& inst, bool bits) {
  ValueId memory = inst.operands[0];
  Type t = m_.type(memory);
  std::string element =
      concat("&", frags_[memory.index].text, "[", index_of(inst.operands[1]).text, "]");
  if (is_atomic_only(memory) && !bits) return element;
  return concat("(", in_threadgroup(t) ? "threadgroup" : device_, " atomic_",
                bits ? "uint" : name_of(t.dtype), "*)", element);
}

template <>
Frag hand<Op::AtomicCas>(Writer& w, const Instruction& inst) {
  const Type memory = w.module().type(inst.operands[0]);
  const bool bits = needs_bits(inst.op, memory);
  auto word = [&](ValueId v) {
    Frag f = w.exact(v);
    return bits ? concat("as_type<uint>(", f.text, ")") : f.text;
  };
  std::string object = w.address(inst, bits);
  std::string wanted = word(inst.operands[2]), desired = word(inst.operands[3]);
  std::string expected = w.local("expected");  // it must be a variable: Metal writes what it found
  w.line(concat(bits ? "uint" : name_of(memory.dtype), " ", expected, " = ", wanted, ";"));
  return make_frag(concat("atomic_compare_exchange_weak_explicit(", object, ", &", expected, ", ",
                          desired, ", memory_order_relaxed, memory_order_relaxed)"),
                   Prec::Primary, Form::Exact, {});
}

void Writer::atomic(InstId id) {
  const Instruction& inst = m_[id];
  const auto order = static_cast<MemoryOrder>(inst.attr);
  const Type memory = m_.type(inst.operands[0]);
  const bool bits = needs_bits(inst.op, memory);
  Frag f;
  if (spelling(inst.op).syntax == Syntax::Hand) {
    f = hand<Op::AtomicCas>(*this, inst);
  } else if (bits && !only_moves(inst.op)) {
    std::string object = address(inst, bits);
    f.text = concat(prelude(concat("enigma_", info(inst.op).python,
                                   in_threadgroup(memory) ? "_threadgroup" : "_device"),
                            memory.dtype),
                    "(", object, ", ", exact(inst.operands[2]).text, ")");
  } else {
    f.text = replaced(std::string(spelling(inst.op).text), "$a", address(inst, bits));
    if (inst.operands.size() > 2) {
      std::string x = exact(inst.operands[2]).text;
      f.text = replaced(std::move(f.text), "$2", bits ? concat("as_type<uint>(", x, ")") : x);
    }
    f.text = replaced(std::move(f.text), "$o", "memory_order_relaxed");
    if (bits && info(inst.op).result != '-') f.text = concat("as_type<float>(", f.text, ")");
  }
  settle_loads();
  auto fence = [&] {
    line(
        concat("atomic_thread_fence(mem_flags::mem_device | mem_flags::mem_threadgroup, "
               "memory_order_seq_cst, ",
               in_threadgroup(memory) ? "thread_scope_threadgroup" : "thread_scope_device", ");"));
  };
  if (releases(order)) fence();
  if (!inst.results.empty() && !uses_.users[inst.results[0].index].empty()) {
    define(id, std::move(f));
  } else {
    line(concat(f.text, ";"));
  }
  if (acquires(order)) fence();
}

}  // namespace enigma::msl
