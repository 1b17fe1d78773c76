// Several SIMD-groups in step: in a phase with loops, an instruction is written for each of a few
// SIMD-groups before the next instruction. Their chains of dependent operations then overlap, they
// touch memory in order, and what is the same for all of them is done once.
#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_set>

#include "codegen/cpu/body.h"
#include "codegen/cpu/table.h"

namespace enigma::cpu {

// ---- which phases, and how many SIMD-groups -----------------------------------------------------

namespace {

// What a phase does, as far as it counts.
struct Work {
  int instructions = 0;
  int loops = 0;
  int carried = 0;  // vectors, of the loop that has the most
  bool in_step = true;
};

}  // namespace

bool Body::group_uniform(ValueId v) const {
  return uniform(v) && kernel_.uniformity()[v] <= Level::Group;
}

int Body::in_step(const Phase& p) const {
  if (!shape_.whole || p.agree) return 1;
  constexpr int kHard = 16, kLargest = 600;
  Work work;
  auto count = [&](auto&& self, InstId id) -> void {
    const Instruction& inst = m_[id];
    Shape shape = info(inst.op).shape;
    work.instructions += shape == Shape::Map && !is_instruction(inst.op) ? kHard : 1;
    bool alone = shape == Shape::Atomic || shape == Shape::SimdMatrix || inst.op == Op::While;
    if (alone) work.in_step = false;
    if (inst.op == Op::If && !group_uniform(inst.operands[0])) {
      work.in_step &= std::all_of(inst.regions.begin(), inst.regions.end(),
                                  [&](RegionId r) { return is_cheap(r); });
    }
    if (inst.op == Op::For) {
      ++work.loops;
      bool together = std::all_of(inst.operands.begin(), inst.operands.begin() + 3,
                                  [&](ValueId v) { return group_uniform(v); });
      work.in_step &=
          together || (diverges(kernel_, forms_, inst) && group_uniform(inst.operands[2]));
      int vectors = 0;
      for (ValueId v : inst.results) vectors += uniform(v) ? 0 : components(v);
      work.carried = std::max(work.carried, vectors);
    }
    for (RegionId r : inst.regions) {
      for (InstId i : m_[r].insts) self(self, i);
    }
  };
  for (InstId i : p.insts) count(count, i);
  if (work.loops == 0 || !work.in_step) return 1;
  // A quarter of the registers for what the loop carries, the others for what it computes.
  auto groups = static_cast<int>(shape_.simdgroups());
  int most = std::min({groups, vectors_ / 4 / std::max(1, work.carried),
                       kLargest / std::max(1, work.instructions)});
  for (int width = most; width > 1; --width) {
    if (groups % width == 0) return width;
  }
  return 1;
}

// ---- writing for all, for each, for one ---------------------------------------------------------

void Body::each(const std::function<void()>& write) {
  all_ = false;
  for (size_t k = 0; k < simds_.size(); ++k) {
    one_ = k;
    simd_ = simds_[k];
    write();
  }
  one_ = 0;
  all_ = true;
}

void Body::once(const std::function<void()>& write) {
  all_ = false;
  shared_ = true;
  simd_ = simds_[0];
  write();
  shared_ = false;
  all_ = true;
}

void Body::for_copies(ValueId v, const std::function<void()>& write) {
  if (!all_) return write();
  group_uniform(v) ? once(write) : each(write);
}

bool Body::is_shared(ValueId v) const {
  return m_.type(v).is_memory() || values_[v.index].groups.size() <= 1 || group_uniform(v);
}

// Whether the instruction gives all SIMD-groups the same, lane by lane.
bool Body::same_for_all(const Instruction& inst) const {
  switch (info(inst.op).shape) {
    case Shape::Query:
      if (inst.op == Op::ThreadPositionInGrid || inst.op == Op::ThreadPositionInThreadgroup) {
        return position_is_shared(static_cast<int>(inst.attr));
      }
      return inst.op == Op::ThreadIndexInSimdgroup || group_uniform(inst.results[0]);
    case Shape::Map:
    case Shape::Cast:
      break;
    case Shape::Load:
      if (inst.op != Op::Load) return false;
      break;
    default:
      return false;
  }
  return std::all_of(inst.operands.begin(), inst.operands.end(),
                     [&](ValueId v) { return is_shared(v); });
}

void Body::instruction(InstId id, const Mask& mask) {
  if (!all_) return write_instruction(id, mask);
  const Instruction& inst = m_[id];
  if (same_for_all(inst)) return once([&] { write_instruction(id, mask); });
  if (inst.op == Op::Store) return store(id, mask);
  if (inst.op == Op::If && group_uniform(inst.operands[0])) return branch(id, mask);
  if (inst.op == Op::For) {
    return diverges(kernel_, forms_, inst) ? loop_for_in_step(id) : loop_for(id, mask);
  }
  each([&] { write_instruction(id, mask); });
}

// ---- loops whose lanes part ---------------------------------------------------------------------

// Turns that all lanes of all SIMD-groups make come first, in step. The others, of which there are
// few or none, follow in a loop over the SIMD-groups.
void Body::loop_for_in_step(InstId id) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> args = m_[body].args;
  std::vector<V> trips;
  V common;
  each([&] {
    trips.push_back(trip_count(inst, true));
    V least = e_.least(trips.back());
    common = common ? e_.intrinsic("umin", {common, least}) : least;
  });
  std::vector<ValueId> first(inst.operands.begin() + 3, inst.operands.end());
  first.insert(first.begin(), inst.operands[0]);
  std::vector<V> state = all_formed(first, args);
  turns(inst, common, state, Mask{});

  V more;
  for (const V& t : trips) {
    V longer = e_.cmp("ne", t, e_.splat(common, kLanes));
    more = more ? more | longer : longer;
  }
  std::string rest = e_.new_label("rest"), end = e_.new_label("together"), before = e_.block();
  jump_if(e_.any(more), rest, end);
  e_.begin_block(rest);
  set_all(args, state);
  one_by_one(inst, trips, common);
  std::vector<V> after = all_formed(args, args);
  std::string last = e_.block();
  jump(end);
  e_.begin_block(end);
  set_all(args, phis(state, before, after, last));
  set_all(inst.results, all_formed(args.subspan(1), inst.results));
}

// The rest of a loop for one SIMD-group after the other. What each has of its own passes through
// the stack; the loop's arguments are then what they are after its last turn.
void Body::one_by_one(const Instruction& inst, const std::vector<V>& trips, const V& common) {
  std::span<const ValueId> args = m_[inst.regions[0]].args;
  std::vector<ValueId> own = own_values(inst.regions[0]);
  own.insert(own.end(), args.begin(), args.end());
  std::erase_if(own, [&](ValueId v) { return values_[v.index].groups.size() <= 1; });
  std::vector<Value> saved;
  for (ValueId v : own) saved.push_back(values_[v.index]);
  const std::vector<V> simds = simds_;
  const size_t width = simds.size();

  std::vector<std::string> memory;
  auto at = [&](size_t k, const V& simd, const V& x) {
    V offset = simd * e_.i64(stack_bytes(x));
    return e_.emit(Elem::Ptr, 1, concat("getelementptr i8, ptr ", memory[k], ", ", offset.typed()));
  };
  auto to_stack = [&](const std::vector<V>& xs) {  // one of each SIMD-group
    memory.push_back(stack(static_cast<int>(width) * stack_bytes(xs[0])));
    for (size_t k = 0; k < width; ++k) {
      put(at(memory.size() - 1, e_.i64(static_cast<int64_t>(k)), xs[k]), xs[k]);
    }
  };
  for (const Value& value : saved) {
    for (size_t part = 0; part < value.groups[0].parts.size(); ++part) {
      std::vector<V> xs;
      for (const Held& held : value.groups) xs.push_back(held.parts[part]);
      to_stack(xs);
    }
  }
  to_stack(trips);

  // All SIMD-groups of the threadgroup that go together are numbered from the first of them.
  std::string head = e_.new_label("one"), end = e_.new_label("all"), before = e_.block(),
              latch = e_.new_label("nextone");
  V next = e_.fresh(Elem::I64, 1);
  jump(head);
  e_.begin_block(head);
  V k = e_.emit(Elem::I64, 1,
                concat("phi i64 [ 0, %", before, " ], [ ", next.text, ", %", latch, " ]"));
  all_ = false;
  simd_ = simds[0] + e_.convert("trunc", k, Elem::I32);
  simds_ = {simd_};
  auto parts_of = [&](auto&& visit) {  // each part with its memory
    size_t slot = 0;
    for (size_t n = 0; n < own.size(); ++n) {
      for (size_t part = 0; part < saved[n].groups[0].parts.size(); ++part) visit(n, part, slot++);
    }
  };
  parts_of([&](size_t n, size_t part, size_t slot) {
    const V& like = saved[n].groups[0].parts[part];
    set(own[n], get(at(slot, k, like), like), static_cast<int>(part));
  });
  V mine = get(at(memory.size() - 1, k, trips[0]), trips[0]);
  set_all(args, turns_apart(inst, mine, common, all_formed(args, args), Mask{}));
  parts_of([&](size_t n, size_t part, size_t slot) {
    if (std::find(args.begin(), args.end(), own[n]) == args.end()) return;
    const V& x = raw(own[n], static_cast<int>(part));
    put(at(slot, k, x), x);
  });
  jump(latch);
  e_.begin_block(latch);
  e_.stmt(concat(next.text, " = add i64 ", k.text, ", 1"));
  jump_if(e_.cmp("ult", next, static_cast<double>(width)), head, end);
  e_.begin_block(end);

  simds_ = simds;
  all_ = true;
  for (size_t n = 0; n < own.size(); ++n) values_[own[n].index] = saved[n];
  parts_of([&](size_t n, size_t part, size_t slot) {
    if (std::find(args.begin(), args.end(), own[n]) == args.end()) return;
    size_t group = 0;
    each([&] {
      const V& like = saved[n].groups[0].parts[part];
      V place = at(slot, e_.i64(static_cast<int64_t>(group++)), like);
      set(own[n], get(place, like), static_cast<int>(part));
    });
  });
}

// What a region takes from outside of it.
std::vector<ValueId> Body::own_values(RegionId r) const {
  std::vector<ValueId> taken;
  std::unordered_set<uint32_t> seen;
  auto walk = [&](auto&& self, RegionId region) -> void {
    for (ValueId v : m_[region].args) seen.insert(v.index);
    for (InstId i : m_[region].insts) {
      for (ValueId v : m_[i].operands) {
        if (!m_.type(v).is_memory() && seen.insert(v.index).second) taken.push_back(v);
      }
      for (RegionId inner : m_[i].regions) self(self, inner);
      for (ValueId v : m_[i].results) seen.insert(v.index);
    }
  };
  walk(walk, r);
  return taken;
}

// ---- stack --------------------------------------------------------------------------------------

int Body::stack_bytes(const V& x) const {
  int bytes = std::max(8, bits(x.elem)) / 8 * x.lanes;
  return bytes;
}

std::string Body::stack(int bytes) {
  std::string name = concat("%stack", stacks_++);
  entry_.line(name, " = alloca [", bytes, " x i8], align 64");
  return name;
}

void Body::put(const V& pointer, const V& x) {
  V stored = x.elem == Elem::I1 ? e_.convert("zext", x, Elem::I8) : x;
  e_.stmt(concat("store ", stored.typed(), ", ", pointer.typed(), ", align ",
                 std::min(64, stack_bytes(x))));
}

V Body::get(const V& pointer, const V& like) {
  Elem elem = like.elem == Elem::I1 ? Elem::I8 : like.elem;
  V x = e_.emit(elem, like.lanes,
                concat("load ", llvm_type(elem, like.lanes), ", ", pointer.typed(), ", align ",
                       std::min(64, stack_bytes(like))));
  return like.elem == Elem::I1 ? e_.convert("trunc", x, Elem::I1) : x;
}

}  // namespace enigma::cpu
