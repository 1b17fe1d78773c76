// Writes the code of one threadgroup: the plan of phases.h, instruction by instruction.
//
// A value is written in its LaneForm: a scalar when Uniform, the scalar of lane 0 when Linear, 32
// lanes when a Vector. Lanes that are not active compute along, but touch no memory.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "codegen/cpu/expr.h"
#include "codegen/cpu/homes.h"
#include "codegen/cpu/lanes.h"
#include "codegen/cpu/phases.h"
#include "ir/lane_op.h"
#include "ir/locations.h"
#include "ir/signature.h"
#include "ir/verify.h"
#include "support/cpu_abi.h"

namespace enigma::cpu {

/// The active lanes; all of them when `v` is empty. At least one is active where code runs.
struct Mask {
  V v;            ///< <32 x i1>
  V bits;         ///< the same as i32
  V first, last;  ///< lowest and highest active lane, i32
  bool all() const { return !v; }
};

/// Threadgroup memory at the beginning of scratch, and what follows it.
struct ScratchLayout {
  std::vector<uint32_t> allocs;   ///< by value: offset of the allocation
  std::vector<uint32_t> numbers;  ///< by value: number of the allocation
  uint32_t agree;                 ///< two words for checks that all threads agree
  uint32_t end;
};
ScratchLayout lay_out_scratch(const Module& m);

/// By value: buffers whose contents may go past the caches.
std::vector<bool> streamed_memories(const Module& m);

/// What is to be read ahead of a load: so many elements further, times the parameter `by` if there
/// is one. 0 where nothing is.
struct Ahead {
  int64_t times = 0;
  ValueId by;
};
/// By instruction. `streams` is CpuVariant's.
std::vector<Ahead> reads_ahead(const Module& m, const GroupShape& shape, const Plan& plan,
                               bool streams);

/// The element that a value of this dtype has in memory: integers for narrow floats and bool.
Elem storage_elem(DType t);

class Body {
 public:
  /// `symbol`.fault is the function that fills the fault record.
  /// The code takes %args, %scratch, and the i32 %gx, %gy, %gz and, at an edge, %ex, %ey, %ez.
  Body(const Verified& kernel, const GroupShape& shape, const CpuVariant& variant,
       const ScratchLayout& scratch, std::string symbol);

  /// The code; it starts with the block `first` and goes on to the block `then`, or, after a fault,
  /// to the block `failed`.
  void write(std::string_view first, std::string_view then);
  Expr& expr() { return e_; }
  const std::string& text() const { return out_.str(); }
  std::string take_text() { return std::move(out_.str()); }
  /// Instructions that belong to the function's first block: arguments, sizes, stack memory.
  const std::string& entry() const { return entry_.str(); }
  uint32_t scratch_bytes() const { return plan_.scratch_end; }
  /// Integers of the ABI's argument words.
  V word(uint32_t index);

 private:
  // ---- group.cpp: once per threadgroup ----
  void steps(RegionId r);
  void phase(const Phase& p);
  void import(ValueId v);
  void export_value(ValueId v);
  void construct(InstId id);
  void group_for(InstId id);
  void group_while(InstId id);
  void group_if(InstId id);
  V at_group(ValueId v, int component = 0);
  V slot_pointer(const Slot& slot, int component, Elem elem);
  V load_slot(ValueId v, const Slot& slot, int component);
  void store_slot(ValueId from, ValueId to, const Slot& slot);
  void copy(const std::vector<Copy>& copies);
  void begin_agreement();
  void check_agreement(const Phase& p, const Mask& mask);
  void end_agreement(InstId id);
  V agreement_word(int k);
  V agreed_value(InstId id);
  std::vector<V> group_values(std::span<const ValueId> values, std::span<const ValueId> as);
  void set_group(std::span<const ValueId> values, std::span<const V> xs);

  // ---- overlap.cpp: copies of the next turn ----
  struct Overlap {
    const Phase *copying = nullptr, *computing = nullptr;
    const Instruction* within = nullptr;  // the loop that computes
    int64_t turns = 0, panels = 0;        // of it; the first panels that take part
    // What copies: a loop's turns, or, without a loop, all of it for one SIMD-group. One such item
    // is in each piece, or in one of several.
    struct Share {
      const Instruction* loop;
      int64_t every;
    };
    std::vector<Share> shares;
    struct Tile {
      ValueId memory;
      uint32_t second;  // offset in scratch of the other one
      V other;          // which is being filled
    };
    std::vector<Tile> tiles;
    // While it is written: the loop's index, what it is in the next turn, if there is one, and the
    // panel of the loop that computes.
    ValueId index;
    V after, more;
    int64_t panel = 0;
  };
  std::optional<int64_t> known_turns(const Instruction& loop) const;
  std::optional<Overlap> find_overlap(InstId id) const;
  void copy_first(Overlap& o, ValueId index, const V& first);
  void overlapping_turn(Overlap& o, const V& now, const V& after, const V& more, const V& flipped);
  void copy_ahead(const V& turn);

  // ---- jam.cpp: several SIMD-groups in step ----
  /// How many go together in this phase; 1 where that does not pay.
  int in_step(const Phase& p) const;
  bool deals_rows(const Instruction& loop) const;
  bool will_be_shared(ValueId v, int depth = 0) const;
  bool has_other_vectors(const Instruction& loop) const;
  /// Writes for one after the other of the SIMD-groups that go together.
  void each(const std::function<void()>& write);
  /// Writes what they share.
  void once(const std::function<void()>& write);
  /// Whichever of the two the value asks for.
  void for_copies(ValueId v, const std::function<void()>& write);
  bool group_uniform(ValueId v) const;
  bool is_shared(ValueId v) const;
  bool same_for_all(const Instruction& inst) const;
  void loop_for_in_step(InstId id);
  void one_by_one(const Instruction& inst, const V& common);
  struct Turns {
    V common;  ///< that all lanes make
    V more;    ///< whether a lane makes more
  };
  Turns count_in_step(const Instruction& loop);
  std::optional<int64_t> stride(ValueId v) const;
  std::optional<int64_t> stride_of_result(const Instruction& inst) const;
  std::vector<ValueId> own_values(RegionId r) const;
  std::string stack(int bytes);
  int stack_bytes(const V& x) const;
  void put(const V& pointer, const V& x);
  V get(const V& pointer, const V& like);

  // ---- control.cpp: regions inside a phase ----
  void region(RegionId r, const Mask& mask);
  void loop_for(InstId id, const Mask& mask);
  void loop_for_apart(InstId id, const Mask& mask);
  void loop_while(InstId id, const Mask& mask);
  void branch(InstId id, const Mask& mask);
  void branch_apart(InstId id, const Mask& mask);
  std::vector<V> branch_masked(const Instruction& inst, const V& cond, const Mask& mask);
  bool is_cheap(RegionId r) const;
  bool worth_two_copies(const Instruction& inst) const;
  std::vector<V> first_index(const Instruction& inst);
  size_t set_index(const Instruction& inst, const std::vector<V>& now);
  using Turn = std::function<std::vector<V>(const std::vector<V>& carried)>;
  void turns(const Instruction& inst, const V& count, std::vector<V>& state, const Turn& turn);
  Turn whole_body(const Instruction& loop, const Mask& mask);
  std::vector<V> turns_apart(const Instruction& inst, const V& trips, const V& turn,
                             std::vector<V> start, const Mask& mask);
  /// Iterations of lo, lo+step, ... before hi, as an unsigned number of the same width.
  V trip_count(const V& lo, const V& hi, const V& step, DType dtype, std::optional<int64_t> known);
  V trip_count(const Instruction& loop, bool wide);

  // ---- values.cpp ----
  // Threadgroup memory that a float was loaded from, when so much had been written.
  struct Source {
    V pointer;
    size_t since = 0;
  };
  // What the SIMD-groups have for a value: its parts for all of them, or those of each one after
  // the other.
  struct Value {
    std::vector<V> parts;
    std::vector<V> wide;            // the 32 lanes of scalar parts, if written in...
    uint32_t wide_block = 0;        // ...this block
    uint32_t groups = 0;            // how many have parts of their own; 1 where they share them
    std::vector<Source> sources;    // by SIMD-group; empty where nothing has one
    std::optional<int64_t> stride;  // from one of those to the next, where it is known
    size_t each() const { return parts.size() / groups; }
  };
  size_t group_of(const Value& value) const { return value.groups == 1 ? 0 : one_; }
  size_t place_of(const Value& value, int component) const;
  void instruction(InstId id, const Mask& mask);
  void write_instruction(InstId id, const Mask& mask);
  void query(const Instruction& inst);
  V position(int dim);
  bool position_is_shared(int dim) const;
  V group_size(int dim);
  V group_origin(int dim);
  void map(const Instruction& inst);
  void whole_op(const Instruction& inst);
  void rename(const Instruction& inst);
  void cast_value(const Instruction& inst);
  V constant(Type type, uint64_t bits);
  LaneForm form(ValueId v) const { return forms_[v.index]; }
  bool uniform(ValueId v) const { return form(v).kind == LaneForm::Uniform; }
  int components(ValueId v) const { return parts_of(m_.type(v)); }
  /// As written: a scalar (of lane 0) or 32 lanes.
  const V& raw(ValueId v, int component = 0);
  /// All 32 lanes.
  V lanes(ValueId v, int component = 0);
  /// In the form of `as`, which is the same or a wider one.
  V formed(ValueId v, ValueId as, int component);
  void set(ValueId v, V x, int component = 0);
  std::vector<V> all_formed(std::span<const ValueId> values, std::span<const ValueId> as);
  void set_all(std::span<const ValueId> values, const std::vector<V>& xs);
  V simdgroups();

  // ---- masks and blocks ----
  Mask make_mask(const V& v);
  Mask narrowed(const Mask& mask, const V& cond);
  V mask_vector(const Mask& mask);
  void jump(std::string_view label);
  void jump_if(const V& cond, std::string_view yes, std::string_view no);
  std::vector<V> phis(const std::vector<V>& a, std::string_view from_a, const std::vector<V>& b,
                      std::string_view from_b);
  /// Names that a loop's latch will define, for the phis at its head.
  std::vector<V> promise(const std::vector<V>& like);
  void keep(const std::vector<V>& promised, const std::vector<V>& values);

  // ---- memory.cpp ----
  // An access that failed: the block that found out, and what it hands to report_faults.
  struct FaultSite {
    std::string block;
    uint64_t where;  // location << 32 | memory << 16 | unused bits << 8 | listed << 1 | signed
    std::string base;
    int64_t stride;
    std::string size, mask, simd;
    // Of SIMD-groups in step: how far they are apart, and how many follow the first one.
    int64_t distance = 0, groups = 0;
  };
  struct Rows {
    V first, length;  ///< i64: index of the first element, elements from one row to the next
  };
  struct Place {
    enum Kind { One, Run, Reversed, Each } kind;
    V pointer;  ///< of the one element, of lane 0's (of lane 31's when Reversed), or of each lane's
  };
  Place place(ValueId memory, ValueId index, const Mask& mask, InstId at);
  std::vector<Place> places_in_step(ValueId memory, ValueId index, InstId at);
  Place place_one(ValueId memory, ValueId index, const Mask& mask, InstId at);
  Place place_run(ValueId memory, ValueId index, const Mask& mask, InstId at);
  Place place_each(ValueId memory, ValueId index, const Mask& mask, InstId at);
  void load(InstId id, const Mask& mask);
  V load_from(const Place& p, DType dtype, const Mask& mask);
  void remember_source(ValueId v, ValueId memory, const Place& p);
  void read_ahead_in_turns(ValueId index, int64_t step, std::span<const InstId> insts);
  void read_ahead(InstId load, DType dtype, const Place& place, const Mask& mask);
  void store(InstId id, const Mask& mask);
  struct Runs {
    std::vector<V> pointers, values;
  };
  void store_one(InstId id, const Place& p, const Mask& mask, Runs& runs);
  void store_runs(const Runs& runs, int align, bool streamed);
  void store_past(const V& pointer, const V& x);
  void scatter(const V& pointers, const V& value, const Mask& mask, int align);
  V extend_index(const V& index, DType dtype);
  V memory_pointer(ValueId memory);
  V memory_size(ValueId memory);
  V memory_limit(ValueId memory, DType index, int64_t further);
  V buffer(int k);
  V stack_memory(const std::string& name, int bytes = 256);
  V memory_limit_32(ValueId memory, DType index);
  bool first_use(ValueId memory, ValueId index);
  void forget_checks(size_t since);
  void guard(const V& ok, ValueId memory, ValueId index, const Mask& mask, InstId at);

  void guard(const V& ok, ValueId memory, InstId at,
             const std::function<void(FaultSite& site)>& ask);
  V element(const V& base, DType dtype, const V& index);
  std::string fault_block() const;
  void report_faults();
  void fault_unless(const V& ok, cpu_abi::FaultKind kind, InstId at);
  void call_fault(cpu_abi::FaultKind kind, const V& where, const V& base, const V& stride,
                  const V& size, const V& mask, const V& simd);
  void for_each_lane(const Mask& mask, const std::vector<V>& xs,
                     const std::function<void(const V& lane, const std::vector<V>& x)>& body);
  V lane_of(const V& x, const V& lane);

  // ---- load_if.cpp ----
  V holds_for_all(ValueId cond);
  void load_if(InstId id, const Mask& mask);
  V load_part(InstId id, const Mask& mask);
  V load_active(InstId id, const Mask& mask);

  // ---- simd_matrix.cpp ----
  void simd_matrix(InstId id, const Mask& mask);
  V for_all_lanes(ValueId v, const Mask& mask, InstId at);
  Rows matrix_rows(const Instruction& inst, const Mask& mask, InstId at);
  void load_matrix(InstId id, const Mask& mask);
  void store_matrix(InstId id, const Mask& mask);
  V home(ValueId v);
  V floats(const V& pointer, int lanes);
  bool are_neighbours(std::span<const ValueId> values);
  std::vector<V> rows_of(const V& home);
  void put_rows(const V& home, const std::vector<V>& rows);
  void hand_on(std::span<const ValueId> from, std::span<const ValueId> to);

  // ---- matrix_product.cpp ----
  // 64 numbers in memory: the first, and how many elements further each row and column begins.
  struct Factor {
    V first, row, column;
  };
  using Panel = std::vector<InstId>;  // products of one left factor, side by side
  void multiply_pending();
  Panel take_panel(std::vector<InstId>& products) const;
  std::vector<InstId> products_of(const Instruction& loop) const;
  int64_t number_of_panels(const Instruction& loop) const;
  Factor factor(ValueId v);
  std::vector<V> sums_of(const Panel& panel);
  std::vector<V> add_products(const Panel& panel, const std::vector<V>& sums);
  void keep_sums(const Panel& panel, const std::vector<V>& sums);
  bool side_by_side(const Panel& panel) const;
  bool awaits_product(const Instruction& inst) const;
  bool accumulates(const Instruction& loop) const;
  void loop_accumulating(InstId id);
  std::vector<bool> needed_by(const Panel& panel, RegionId body) const;

  // ---- atomics.cpp ----
  void atomic(InstId id, const Mask& mask);
  V atomic_one(const Instruction& inst, const V& pointer, const V& x, const V& desired);

  // ---- lane_ops.cpp ----
  void lane_op(const Instruction& inst, const Mask& mask);
  V reduce(Op op, V x, DType dtype, const Mask& mask);
  V permute(const V& x, const V& from);
  V first_of_quads(const V& n, const Mask& mask);
  V moved(const Instruction& inst, const LaneOp& op, const V& x, const Mask& mask);

  const Verified& kernel_;
  const Module& m_;
  const GroupShape shape_;
  const ScratchLayout& scratch_;
  const std::string symbol_;
  const std::vector<LaneForm> forms_;
  const int vectors_;                 // see CpuVariant
  const std::vector<bool> streamed_;  // by value: memory that is written past the caches
  const Homes homes_;
  Plan plan_;
  std::vector<Ahead> ahead_;
  const LocationTable locations_;
  Text out_{2};
  Text entry_{2};
  Expr e_;
  std::set<std::string> entry_names_;

  std::vector<FaultSite> faults_;  // that nothing reports yet
  uint32_t reports_ = 0;

  // Products of matrices that are not written yet, so that those which share a factor are written
  // together; nothing has taken their results so far.
  std::vector<InstId> pending_;
  std::vector<bool> is_pending_;  // by value
  // By value: the number of its home, where that outlives its phase, or among those of a phase.
  std::unordered_map<uint32_t, uint32_t> home_number_, stack_home_;
  std::unordered_map<uint32_t, Factor> in_place_;  // by value: see Homes

  // An access known to be in bounds.
  struct Check {
    ValueId memory, index;
    size_t group;     // which of the SIMD-groups in step
    uint32_t before;  // the number of the check before that has this index, as in last_check_
  };
  std::vector<Check> checks_;
  std::vector<uint32_t> last_check_;  // by value: 1 + the last check that has this index; 0: none
  size_t hidden_checks_ = 0;          // so many, the first ones, do not count at the moment

  std::vector<Value> values_;
  std::vector<uint32_t> uses_;              // by value: how often instructions take it
  std::unordered_map<uint32_t, V> agreed_;  // by instruction: what all threads agree on
  V simd_;                                  // number of the SIMD-group; empty outside a phase
  V own_homes_;                             // where the homes of its matrices begin
  std::vector<V> simds_;                    // of those that go together in this phase
  size_t one_ = 0;                          // which of them code is written for
  bool all_ = false;                        // instructions are written for all of them
  bool shared_ = false;                     // what is being written serves all of them
  Overlap* overlap_ = nullptr;              // whose turn is being written
  // By value: threadgroup memory that is not where it was laid out.
  std::unordered_map<uint32_t, V> tile_at_;
  size_t written_ = 0;  // rises with regions and with what writes memory
  int stacks_ = 0;
  int copies_ = 0;  // how often the code being written is a second copy
  // By instruction: the turn of a loop whose index differs by thread.
  std::unordered_map<uint32_t, V> turn_of_;
};

}  // namespace enigma::cpu
