// Values of a body: how they are held, and the instructions that only compute.
#include <optional>

#include "codegen/cpu/body.h"
#include "codegen/cpu/table.h"
#include "support/floats.h"

namespace enigma::cpu {

// ---- access -------------------------------------------------------------------------------------

size_t Body::place_of(const Value& value, int component) const {
  const size_t each = value.each();
  return group_of(value) * each + (each == 1 ? 0 : static_cast<size_t>(component));
}

const V& Body::raw(ValueId v, int component) {
  static const V kNothing;
  const Value& value = values_[v.index];
  const V& x = value.parts.empty() ? kNothing : value.parts[place_of(value, component)];
  if (!x) throw InternalError(concat("value ", v.index, " used before it was emitted"));
  return x;
}

void Body::set(ValueId v, V x, int component) {
  Value& value = values_[v.index];
  bool wanted_wide = form(v).kind == LaneForm::Vector;
  if (wanted_wide && x.lanes == 1) x = e_.splat(x, kLanes);
  if (!wanted_wide && x.lanes != 1) {
    throw InternalError(concat("value ", v.index, " is not as uniform as was thought"));
  }
  const size_t groups = shared_ || simds_.empty() ? 1 : simds_.size();
  if (value.groups != groups) {
    value.groups = static_cast<uint32_t>(groups);
    value.parts.assign(groups * static_cast<size_t>(components(v)), V{});
    value.sources.clear();
  }
  value.parts[place_of(value, component)] = std::move(x);
  if (!value.sources.empty()) value.sources[group_of(value)] = {};
  value.wide_block = 0;
  value.stride.reset();
}

// A number that was loaded in another block is loaded once more, where nothing can have changed it:
// to spread it from memory is no more than a load, to do so from a register is a shuffle besides.
V Body::lanes(ValueId v, int component) {
  V x = raw(v, component);
  if (x.lanes == kLanes) return x;
  Value& value = values_[v.index];
  if (value.wide_block != e_.block_number()) {
    value.wide.assign(value.parts.size(), V{});
    value.wide_block = e_.block_number();
  }
  V& wide = value.wide[place_of(value, component)];
  if (!wide) {
    const Source source = value.sources.empty() ? Source{} : value.sources[group_of(value)];
    if (source.pointer && source.since == written_) {
      x = e_.emit(x.elem, 1, concat("load float, ", source.pointer.typed(), ", align 4"));
    }
    wide = e_.splat(x, kLanes);
    if (form(v).kind == LaneForm::Linear) wide = wide + e_.iota(x.elem, kLanes, form(v).stride);
  }
  return wide;
}

V Body::formed(ValueId v, ValueId as, int component) {
  return form(as).kind == LaneForm::Vector ? lanes(v, component) : raw(v, component);
}

std::vector<V> Body::all_formed(std::span<const ValueId> values, std::span<const ValueId> as) {
  std::vector<V> xs;
  for (size_t k = 0; k < as.size(); ++k) {
    for_copies(as[k], [&] {
      for (int c = 0; c < components(as[k]); ++c) xs.push_back(formed(values[k], as[k], c));
    });
  }
  return xs;
}

void Body::set_all(std::span<const ValueId> values, const std::vector<V>& xs) {
  size_t next = 0;
  for (ValueId v : values) {
    for_copies(v, [&] {
      for (int c = 0; c < components(v); ++c) set(v, xs[next++], c);
    });
  }
}

V Body::constant(Type type, uint64_t bits) {
  if (is_float(type.dtype)) return e_.f32(bits_to_double(type.dtype, bits));
  return e_.integer(elem_of(type.dtype), static_cast<int64_t>(bits));
}

// ---- instructions -------------------------------------------------------------------------------

void Body::write_instruction(InstId id, const Mask& mask) {
  const Instruction& inst = m_[id];
  if (awaits_product(inst)) multiply_pending();
  switch (info(inst.op).shape) {
    case Shape::Constant:  // written at their uses
    case Shape::FunctionConstant:
    case Shape::Alloc:
    case Shape::Composed:  // in no module
    case Shape::Yield:
      return;
    case Shape::Async:
      throw InternalError("an asynchronous copy that was not written out");
    case Shape::Barrier:
      return;  // of a SIMD-group: its lanes are in step anyway
    case Shape::Query:
      return query(inst);
    case Shape::Map:
      return map(inst);
    case Shape::Whole:
      return whole_op(inst);
    case Shape::Make:
    case Shape::Extract:
      return rename(inst);
    case Shape::Cast:
      return cast_value(inst);
    case Shape::Lane:
      return lane_op(inst, mask);
    case Shape::SimdMatrix:
      return simd_matrix(id, mask);
    case Shape::Load:
      return inst.op == Op::LoadIf ? load_if(id, mask) : load(id, mask);
    case Shape::Store:
      return store(id, mask);
    case Shape::Atomic:
      return atomic(id, mask);
    case Shape::Region:
      break;
  }
  bool apart = inst.op == Op::If ? !uniform(inst.operands[0]) : diverges(kernel_, forms_, inst);
  if (inst.op == Op::If) {
    apart ? branch_apart(id, mask) : branch(id, mask);
  } else if (inst.op == Op::For) {
    if (!apart && mask.all() && accumulates(inst)) return loop_accumulating(id);
    apart ? loop_for_apart(id, mask) : loop_for(id, mask);
  } else {
    loop_while(id, mask);
  }
}

void Body::map(const Instruction& inst) {
  ValueId result = inst.results[0];
  bool wide = form(result).kind == LaneForm::Vector;
  DType t = m_.type(inst.operands[0]).dtype;
  DType result_type = m_.type(result).dtype;
  bool exact = inst.op == Op::Select;  // one of the operands, so it needs no rounding
  for (int c = 0; c < components(result); ++c) {
    MapArgs args{{}, t};
    for (size_t k = 0; k < inst.operands.size(); ++k) {
      args.x[k] = wide ? lanes(inst.operands[k], c) : raw(inst.operands[k], c);
    }
    V x = lower(e_, inst.op, args);
    if (info(inst.op).result == 'T' && is_float(result_type) && !exact) {
      x = round_to(result_type, x);
    }
    set(result, x, c);
  }
}

void Body::whole_op(const Instruction& inst) {
  ValueId result = inst.results[0];
  WholeArgs args;
  for (size_t k = 0; k < inst.operands.size(); ++k) {
    ValueId x = inst.operands[k];
    args.x[k].type = m_.type(x);
    for (int c = 0; c < components(x); ++c) args.x[k].v.push_back(formed(x, result, c));
  }
  DType t = m_.type(result).dtype;
  std::vector<V> parts = lower_whole(e_, inst.op, args);
  for (int c = 0; c < components(result); ++c) {
    set(result, is_float(t) ? round_to(t, parts[c]) : parts[c], c);
  }
}

// Vectors and matrices are their components, a matrix column by column.
void Body::rename(const Instruction& inst) {
  ValueId result = inst.results[0];
  int n = components(result);
  if (info(inst.op).shape == Shape::Extract) {
    int first = static_cast<int>(inst.attr) * n;
    for (int c = 0; c < n; ++c) set(result, formed(inst.operands[0], result, first + c), c);
    return;
  }
  int each = n / static_cast<int>(inst.operands.size());
  for (int c = 0; c < n; ++c) {
    set(result, formed(inst.operands[c / each], result, c % each), c);
  }
}

void Body::cast_value(const Instruction& inst) {
  ValueId result = inst.results[0];
  DType from = m_.type(inst.operands[0]).dtype, to = m_.type(result).dtype;
  for (int c = 0; c < components(result); ++c) {
    V x = formed(inst.operands[0], result, c);
    set(result, inst.op == Op::AsType ? as_type(x, from, to) : cast(x, from, to), c);
  }
}

// ---- positions ----------------------------------------------------------------------------------

namespace {
uint32_t along(const Dim3& d, int dim) { return dim == 0 ? d.x : dim == 1 ? d.y : d.z; }
}  // namespace

V Body::group_size(int dim) {
  uint32_t size = along(shape_.threads, dim);
  if (shape_.whole || size == 1) return e_.i32(size);
  return {&e_, concat("%e", "xyz"[dim]), Elem::I32, 1};
}

V Body::group_origin(int dim) {
  V group{&e_, concat("%g", "xyz"[dim]), Elem::I32, 1};
  uint32_t size = along(shape_.threads, dim);
  return size == 1 ? group : group * e_.i32(size);
}

V Body::word(uint32_t index) {
  std::string name = concat("%word", index);
  if (entry_names_.insert(name).second) {
    entry_.line(name, ".p = getelementptr i64, ptr %args, i64 ", index);
    entry_.line(name, " = load i64, ptr ", name, ".p");
  }
  return {&e_, name, Elem::I64, 1};
}

// Of this SIMD-group's threads in their threadgroup; of lane 0's where that is linear.
V Body::position(int dim) {
  const Dim3& t = shape_.threads;
  V first = simd_ * e_.i32(kLanes);
  if (shape_.one_dimensional()) return dim == 0 ? first : e_.i32(0);
  if (along(t, dim) == 1) return e_.i32(0);
  V index = first;
  if (shape_.whole && t.x % kLanes == 0) {
    if (dim == 0 && t.x == kLanes) return e_.i32(0);
  } else {
    index = e_.splat(first, kLanes) + e_.iota(Elem::I32, kLanes);
  }
  auto quotient = [&](const V& a, int by) {
    if (shape_.whole) return divide(false, a, e_.i32(along(t, by), a.lanes));
    // Exact, as numbers this small are floats and the quotient stays half a step off an integer.
    V half = e_.convert("uitofp", a, Elem::F32) + 0.5;
    V size = e_.splat(e_.convert("uitofp", group_size(by), Elem::F32), kLanes);
    return e_.convert("fptoui", half / size, Elem::I32);
  };
  V row = quotient(index, 0);
  if (dim == 0) return index - row * group_size(0);
  if (t.z == 1) return row;
  V plane = t.y == 1 ? row : quotient(row, 1);
  return dim == 2 ? plane : row - plane * group_size(1);
}

// Whether the position does not depend on which SIMD-group it is.
bool Body::position_is_shared(int dim) const {
  if (shape_.one_dimensional()) return dim != 0;
  return along(shape_.threads, dim) == 1 ||
         (dim == 0 && shape_.whole && shape_.threads.x == kLanes);
}

void Body::query(const Instruction& inst) {
  int dim = static_cast<int>(inst.attr);
  ValueId result = inst.results[0];
  auto narrow_word = [&](uint32_t index) { return e_.convert("trunc", word(index), Elem::I32); };
  switch (inst.op) {
    case Op::ThreadPositionInGrid:
      return set(result, group_origin(dim) + position(dim));
    case Op::ThreadPositionInThreadgroup:
      return set(result, position(dim));
    case Op::ThreadgroupPositionInGrid:
      return set(result, V{&e_, concat("%g", "xyz"[dim]), Elem::I32, 1});
    case Op::ThreadsPerThreadgroup:
      return set(result, group_size(dim));
    case Op::ThreadsPerGrid:
      return set(result, narrow_word(cpu_abi::kGridX + dim));
    case Op::ThreadgroupsPerGrid:
      return set(result, narrow_word(cpu_abi::kGroupsX + dim));
    case Op::ThreadIndexInThreadgroup:
      return set(result, simd_ * e_.i32(kLanes));
    case Op::ThreadIndexInSimdgroup:
      return set(result, e_.i32(0));
    case Op::SimdgroupIndexInThreadgroup:
      return set(result, simd_);
    case Op::ThreadsPerSimdgroup:
      return set(result, e_.i32(kLanes));
    case Op::SimdgroupsPerThreadgroup:
      return set(result, simdgroups());
    default:
      throw InternalError(concat("no query ", info(inst.op).mnemonic));
  }
}

V Body::simdgroups() {
  if (shape_.whole) return e_.i32(shape_.simdgroups());
  return {&e_, "%simdgroups", Elem::I32, 1};
}

// ---- masks and blocks ---------------------------------------------------------------------------

Mask Body::make_mask(const V& v) {
  Mask mask;
  mask.v = e_.emit(Elem::I1, kLanes, concat("freeze ", v.typed()));
  mask.bits = e_.emit(Elem::I32, 1, concat("bitcast ", mask.v.typed(), " to i32"));
  V no_poison = e_.boolean(false);
  mask.first = e_.intrinsic("cttz", {mask.bits, no_poison});
  mask.last = e_.i32(kLanes - 1) - e_.intrinsic("ctlz", {mask.bits, no_poison});
  return mask;
}

Mask Body::narrowed(const Mask& mask, const V& cond) {
  return make_mask(mask.all() ? cond : mask.v & cond);
}

V Body::mask_vector(const Mask& mask) { return mask.all() ? e_.boolean(true, kLanes) : mask.v; }

void Body::jump(std::string_view label) { e_.stmt(concat("br label %", label)); }

void Body::jump_if(const V& cond, std::string_view yes, std::string_view no) {
  e_.stmt(concat("br i1 ", cond.text, ", label %", yes, ", label %", no));
}

std::vector<V> Body::phis(const std::vector<V>& a, std::string_view from_a, const std::vector<V>& b,
                          std::string_view from_b) {
  std::vector<V> out;
  for (size_t k = 0; k < a.size(); ++k) {
    out.push_back(e_.emit(a[k].elem, a[k].lanes,
                          concat("phi ", a[k].type(), " [ ", a[k].text, ", %", from_a, " ], [ ",
                                 b[k].text, ", %", from_b, " ]")));
  }
  return out;
}

std::vector<V> Body::promise(const std::vector<V>& like) {
  std::vector<V> names;
  for (const V& x : like) names.push_back(e_.fresh(x.elem, x.lanes));
  return names;
}

// A freeze, which costs nothing here. A bitcast to the same type would name the value as well, but
// LLVM 22 sinks such copies past the phi that they feed and gives a later turn's value to it.
void Body::keep(const std::vector<V>& promised, const std::vector<V>& values) {
  for (size_t k = 0; k < promised.size(); ++k) {
    e_.stmt(concat(promised[k].text, " = freeze ", values[k].typed()));
  }
}

}  // namespace enigma::cpu
