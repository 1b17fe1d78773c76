// Atomic operations: lane after lane, as each thread's takes effect by itself.
#include <algorithm>
#include <optional>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

const char* ordering(MemoryOrder order) {
  switch (order) {
    case MemoryOrder::Relaxed:
      return "monotonic";
    case MemoryOrder::Acquire:
      return "acquire";
    case MemoryOrder::Release:
      return "release";
    case MemoryOrder::AcqRel:
      return "acq_rel";
    case MemoryOrder::SeqCst:
      return "seq_cst";
  }
  return "seq_cst";
}

// An exchange that fails writes nothing, so it has nothing to release.
MemoryOrder of_failure(MemoryOrder order) {
  if (order == MemoryOrder::AcqRel) return MemoryOrder::Acquire;
  return order == MemoryOrder::Release ? MemoryOrder::Relaxed : order;
}

// Moves or compares bits, whatever they mean.
bool is_plain(Op op) {
  return op == Op::AtomicLoad || op == Op::AtomicStore || op == Op::AtomicExchange ||
         op == Op::AtomicCas;
}

// The element that LLVM works on.
Elem atomic_elem(Op op, DType t) { return is_plain(op) ? int_elem(info(t).bits) : storage_elem(t); }

// The name in atomicrmw, and the lane operation that joins the lanes' operands beforehand: none
// where that would round otherwise.
struct Rmw {
  const char* name;
  std::optional<Op> reduction;
};
Rmw read_modify_write(Op op, DType t) {
  const bool s = is_signed(t), f = is_float(t);
  switch (op) {
    case Op::AtomicExchange:
      return {"xchg", {}};
    case Op::AtomicAdd:
      if (f) return {"fadd", {}};
      return {"add", Op::SimdSumI};
    case Op::AtomicSub:
      if (f) return {"fsub", {}};
      return {"sub", Op::SimdSumI};
    case Op::AtomicMin:
      if (f) return {"fmin", Op::SimdMinF};
      return {s ? "min" : "umin", Op::SimdMinI};
    case Op::AtomicMax:
      if (f) return {"fmax", Op::SimdMaxF};
      return {s ? "max" : "umax", Op::SimdMaxI};
    case Op::AtomicAnd:
      return {"and", Op::SimdAnd};
    case Op::AtomicOr:
      return {"or", Op::SimdOr};
    case Op::AtomicXor:
      return {"xor", Op::SimdXor};
    default:
      throw InternalError(concat("no atomic ", info(op).mnemonic));
  }
}

}  // namespace

// One thread's; values and the result are of the element that atomic_elem says.
V Body::atomic_one(const Instruction& inst, const V& pointer, const V& x, const V& desired) {
  DType dtype = m_.type(inst.operands[0]).dtype;
  auto order = static_cast<MemoryOrder>(inst.attr & 0xFF);
  Elem elem = atomic_elem(inst.op, dtype);
  std::string type = llvm_type(elem, 1);
  int align = byte_size(dtype);
  switch (inst.op) {
    case Op::AtomicLoad:
      return e_.emit(elem, 1,
                     concat("load atomic ", type, ", ", pointer.typed(), " ", ordering(order),
                            ", align ", align));
    case Op::AtomicStore:
      e_.stmt(concat("store atomic ", x.typed(), ", ", pointer.typed(), " ", ordering(order),
                     ", align ", align));
      return {};
    case Op::AtomicCas: {
      V pair =
          e_.emit(elem, 1,
                  concat("cmpxchg ", pointer.typed(), ", ", x.typed(), ", ", desired.typed(), " ",
                         ordering(order), " ", ordering(of_failure(order)), ", align ", align));
      V done = e_.emit(Elem::I1, 1, concat("extractvalue { ", type, ", i1 } ", pair.text, ", 1"));
      return e_.convert("zext", done, Elem::I8);
    }
    default:
      return e_.emit(
          elem, 1,
          concat("atomicrmw ", read_modify_write(inst.op, dtype).name, " ", pointer.typed(), ", ",
                 x.typed(), " ", ordering(order), ", align ", align));
  }
}

void Body::atomic(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  DType dtype = m_.type(inst.operands[0]).dtype;
  Place p = place(inst.operands[0], inst.operands[1], mask, id);
  Elem elem = atomic_elem(inst.op, dtype);
  bool wanted = !inst.results.empty() && uses_[inst.results[0].index] > 0;
  bool one = p.kind == Place::One;

  std::vector<V> xs{p.pointer};
  if (!one && p.pointer.lanes == 1) {
    // A run: the lanes' own pointers. Those of lanes that are not active are never used.
    V step = e_.iota(Elem::I64, kLanes);
    if (p.kind == Place::Reversed) step = e_.i64(kLanes - 1, kLanes) - step;
    xs[0] = e_.emit(
        Elem::Ptr, kLanes,
        concat("getelementptr ", llvm_type(elem, 1), ", ", p.pointer.typed(), ", ", step.typed()));
  }
  for (size_t k = 2; k < inst.operands.size(); ++k) {
    V x = uniform(inst.operands[k]) ? raw(inst.operands[k]) : lanes(inst.operands[k]);
    xs.push_back(e_.bitcast(to_storage(dtype, x), elem));
  }
  xs.resize(3);

  bool together =
      one && (inst.op == Op::AtomicLoad || (inst.op == Op::AtomicStore && xs[1].lanes == 1));
  if (one && !wanted && !is_plain(inst.op)) {
    // Nobody asks in which order the lanes came: one operation does for all.
    if (std::optional<Op> join = read_modify_write(inst.op, dtype).reduction) {
      xs[1] = reduce(*join, e_.splat(xs[1], kLanes), dtype, mask);
      together = true;
    }
  }
  if (together) {
    V old = atomic_one(inst, xs[0], xs[1], xs[2]);
    if (inst.op == Op::AtomicLoad) {
      set(inst.results[0], from_storage(dtype, e_.bitcast(old, storage_elem(dtype))));
    }
    return;
  }
  int count = static_cast<int>(inst.operands.size()) - 1;
  xs.resize(count);
  V results = buffer(count);
  bool cas = inst.op == Op::AtomicCas;
  Elem result = cas ? Elem::I8 : elem;
  for_each_lane(mask, xs, [&](const V& lane, const std::vector<V>& x) {
    V old = atomic_one(inst, x[0], count > 1 ? x[1] : V{}, count > 2 ? x[2] : V{});
    if (!wanted) return;
    V slot = e_.emit(
        Elem::Ptr, 1,
        concat("getelementptr ", llvm_type(result, 1), ", ", results.typed(), ", ", lane.typed()));
    e_.stmt(concat("store ", old.typed(), ", ", slot.typed()));
  });
  if (!wanted) return;
  V old = e_.emit(result, kLanes,
                  concat("load ", llvm_type(result, kLanes), ", ", results.typed(), ", align 64"));
  set(inst.results[0],
      cas ? e_.cmp("ne", old, 0) : from_storage(dtype, e_.bitcast(old, storage_elem(dtype))));
}

}  // namespace enigma::cpu
