// The state of one emission: fragments of values not yet written, variables, names, and lines.
//
// Instructions are visited in order. A pure value or a load with one reader waits as text in
// `frags_` and becomes part of the reader's expression, also where that stands under a condition;
// all else becomes a statement. Before a statement that writes memory or assigns to a variable,
// waiting texts that would see the difference are written out as locals (settle), so that the order
// of the program is kept.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/msl/emit.h"
#include "codegen/msl/fragment.h"
#include "codegen/msl/names.h"
#include "codegen/msl/prelude.h"
#include "codegen/msl/variables.h"
#include "ir/lane_op.h"
#include "ir/ranges.h"
#include "support/text.h"

namespace enigma::msl {

/// How a kernel uses a memory, or-ed.
enum MemoryUse : uint8_t { kPlain = 1, kAtomic = 2, kVectors = 4, kConst = 8 };

class Writer {
 public:
  Writer(const Module& m, const Uniformity& uniformity, bool fast_math, bool escaped);
  MslCode kernel();

  // ---- for hand.cpp: operands of the instruction that is being written ----
  const Module& module() const { return m_; }
  const Ranges& ranges() const { return ranges_; }
  Type type(ValueId v) const { return m_.type(v); }
  DType dtype(ValueId v) const { return m_.type(v).dtype; }
  /// The text of a value. Each call stands for one use of it.
  Frag exact(ValueId v);                ///< of the value's own type
  Frag bits(ValueId v);                 ///< of the unsigned type of its width
  Frag in_range(ValueId v);             ///< of its type, or an int of the same value
  Frag index_of(ValueId v);             ///< between brackets
  Frag as_float(ValueId v);             ///< any float type, widened to float
  Frag to_exact(Frag f, Type t) const;  ///< converted to its own type where it is not of that
  /// Fit to be written more than once: a name or a number, through a local if need be.
  Frag atom(ValueId v);
  bool waits_unsigned(ValueId v) const;  ///< its text has the unsigned type
  /// `A[i]`, or `*(device float4*)(A + i)`: what a load or store with this attribute is of.
  std::string place(ValueId memory, const Frag& index, uint64_t lanes) const;
  Frag element(ValueId memory, const Frag& index, uint64_t lanes = 0) const;  ///< it, as a value
  /// Of an atomic; `bits`: as that of a uint.
  std::string address(const Instruction& inst, bool bits);
  /// A function of the prelude, for numbers or for vectors; its text comes before the kernel.
  std::string prelude(std::string_view function, DType t, int components = 1);
  std::string local(std::string_view wanted) { return names_.declare(wanted); }
  void line(std::string_view text);  ///< a line for the current instruction

 private:
  struct Assignment {
    uint32_t variable;
    Frag value;
  };

  // ---- expressions.cpp ----
  void value(InstId id);
  Frag map(const Instruction& inst);
  Frag operators(const Instruction& inst);
  Frag vector_operators(const Instruction& inst);
  Frag call(const Instruction& inst);
  Frag make(const Instruction& inst);
  Frag extract(const Instruction& inst);
  Frag load(const Instruction& inst);
  Frag raw(ValueId v);
  void define(InstId id, Frag f);
  bool stays_text(InstId id, const Frag& f) const;
  void write_local(InstId id, const Frag& f);
  std::string local_name(InstId id);
  void wait(ValueId v);
  void settle(std::vector<ValueId> texts);
  void settle_loads();
  void settle_reads(const std::set<uint32_t>& variables);

  // ---- lane_ops.cpp ----
  Frag lane(const Instruction& inst);
  Frag move(const Instruction& inst, const LaneOp& op, std::string function);
  Frag across_lanes(ValueId x, const std::function<std::string(std::string)>& call);
  bool names_one_lane(ValueId which, int width) const;
  bool needs_lane(const Instruction& inst) const;

  // ---- statements.cpp ----
  void region(RegionId r);
  void statement(InstId id);
  void store(const Instruction& inst);
  void async_copy(const Instruction& inst);
  void async_wait(const Instruction& inst);
  void events();
  void barrier(const Instruction& inst);
  void emit_for(InstId id);
  void emit_while(InstId id);
  void emit_if(InstId id);
  void before_region_op(InstId id);
  Frag repeated(ValueId v, const std::set<uint32_t>& assigned);
  void declare_carried(InstId id, size_t first_init, RegionId body, size_t first_arg);
  void yield(RegionId r, std::span<const ValueId> targets, size_t first_operand);
  void assign(std::vector<Assignment> work);
  std::string body_text(const std::function<void()>& write);
  std::set<uint32_t> assigned_in(InstId id) const;
  bool has_effects(InstId id) const;
  bool reads_any(const Frag& f, const std::set<uint32_t>& variables) const;
  Frag variable_frag(uint32_t variable) const;
  void declare_variable(uint32_t variable, const Frag* init);

  // ---- atomics.cpp ----
  void scan_atomic(const Instruction& inst);
  bool is_atomic_only(ValueId memory) const;
  void atomic(InstId id);

  // ---- simd_matrix.cpp ----
  void simd_matrix(InstId id);
  std::string matrix_variable(InstId id, const Frag* init);
  std::string matrix_text(const Instruction& inst, std::string_view result);

  // ---- emit.cpp ----
  void scan_memory();
  std::string parameters();
  std::string function_constants();
  void threadgroup_arrays();
  std::string comment();
  bool may_contract() const;

  const Module& m_;
  const Uniformity& uniformity_;
  const bool fast_math_;
  const bool escaped_;  // AIR's names
  Uses uses_;
  Variables variables_;
  Ranges ranges_;
  Namer names_;
  std::vector<Frag> frags_;  // per value
  // Values whose text is not yet written and would mean something else later: their numbers in
  // order, 0 for none; which of them load, and by variable which read it. What has been written or
  // used since is left in the lists.
  std::vector<uint32_t> waiting_;
  uint32_t waited_ = 0;
  std::vector<ValueId> loading_;
  std::vector<std::vector<ValueId>> reading_;
  std::vector<std::string> variable_names_;  // per variable; empty before it is declared
  std::vector<uint8_t> memory_use_;          // per value: kPlain, kAtomic, ...
  std::string function_;
  std::string lane_;                    // the parameter that holds the lane's number
  std::string_view device_ = "device";  // how device memory that is written is declared
  std::string events_;   // the array of the events of AIR's copies; empty where there are none
  std::string brought_;  // what they have brought into threadgroup memory
  size_t copies_ = 0;    // written so far
  std::set<PreludeUse> prelude_;
  Text text_;
  InstId at_;      // the instruction that is being written
  Loc commented_;  // the statement that the last comment named
  int depth_ = 1;  // of indentation
  bool in_condition_ = false;
  uint32_t version_ = 310;
};

/// The spelling of a row that says HAND; a row without one does not link.
template <Op op>
Frag hand(Writer& w, const Instruction& inst);

}  // namespace enigma::msl
