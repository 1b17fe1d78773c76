// The builder: appends instructions to a module, applies Enigma's type rules, and refuses what the
// table does not allow, at the user's line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

/// A number that has no type yet: it takes the type of the operand beside it.
/// `wide` holds an integer above INT64_MAX.
using Literal = std::variant<bool, int64_t, uint64_t, double>;

/// What an operation takes: a traced value or a literal.
using Operand = std::variant<ValueId, Literal>;

/// Builds one kernel. Not thread-safe; one builder belongs to one trace.
///
/// Every call that adds an instruction uses the location last set, throws Error at that location
/// for a user's mistake, and checks that each operand is visible where the instruction stands
/// (a value of an inner region is not visible after that region has ended).
class Builder {
 public:
  explicit Builder(std::string kernel_name);
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  // ---- where and what ----
  void set_location(std::string_view file, uint32_t line);
  const Location& location() const;
  /// Gives a value its Python name; the first name wins. Parameters keep their own.
  void set_name(ValueId v, std::string_view name);
  const Module& module() const;
  Type type(ValueId v) const;
  /// Comparisons that the types make constant and the like; finish() hands them to the module.
  const std::vector<std::pair<std::string, Location>>& warnings() const;

  // ---- parameters; at most 31 ----
  ValueId buffer(std::string_view name, DType dtype);
  ValueId scalar(std::string_view name, DType dtype);

  // ---- values ----
  /// A literal by itself: int is i32 (u32, then i64, then u64, where it does not fit), float f32,
  /// bool b1.
  ValueId constant(Literal x);
  /// A literal as the given type; integers wrap, as numpy's astype does. Out of range is an Error.
  ValueId constant(DType dtype, Literal x);
  ValueId query(Op op, int dim = 0);
  /// A number that is given when the kernel is prepared. Error for an index above 65535, and where
  /// the index has another type already.
  ValueId function_constant(DType dtype, int64_t index);
  /// The row of this name whose class takes the operands, after promotion of the operands that
  /// share T. Error shows the rows' signatures when none does.
  ValueId apply(std::string_view python_name, std::span<const Operand> operands);
  ValueId apply(Op op, std::span<const Operand> operands, uint64_t attr = 0);
  ValueId apply(Op op, std::initializer_list<Operand> operands, uint64_t attr = 0) {
    return apply(op, std::span<const Operand>(operands.begin(), operands.size()), attr);
  }
  ValueId cast(Operand x, DType to);
  ValueId as_type(Operand x, DType to);
  /// x as a value of type `to`, converted when it is of another: what stores and carries do.
  ValueId convert(Operand x, Type to);

  // ---- memory ----
  /// Threadgroup memory. Error when the kernel's total would exceed 32 KiB.
  ValueId threadgroup_alloc(DType dtype, int64_t elements);
  ValueId load(ValueId memory, Operand index);
  ValueId load_if(ValueId memory, Operand index, Operand mask, Operand otherwise);
  void store(ValueId memory, Operand index, Operand value);
  void store_if(ValueId memory, Operand index, Operand value, Operand mask);
  /// An atomic row; `values` are converted to the memory's element type. Empty result for
  /// atomic_store.
  std::optional<ValueId> atomic(Op op, ValueId memory, Operand index,
                                std::span<const Operand> values,
                                MemoryOrder order = MemoryOrder::Relaxed);
  void barrier(Op op, uint8_t mem_flags);

  // ---- control flow: begin_x opens a region, end_x closes it and gives the results ----
  struct Loop {
    ValueId index;              ///< none for while
    std::vector<ValueId> args;  ///< the carried values inside the region
  };
  Loop begin_for(Operand lo, Operand hi, Operand step, DType index_type,
                 std::span<const Operand> inits);
  /// `next[k]` is converted to the type of args[k]. Gives the loop's results.
  std::vector<ValueId> end_for(std::span<const Operand> next);
  Loop begin_while(std::span<const Operand> inits);  ///< opens the condition region
  Loop while_body(Operand condition);                ///< closes it, opens the body
  std::vector<ValueId> end_while(std::span<const Operand> next);
  void begin_if(Operand condition);  ///< opens the then region
  void begin_else();
  /// Results of both arms, in order; each pair is promoted to one type. begin_else() may be left
  /// out when `otherwise` needs no instructions of its own.
  std::vector<ValueId> end_if(std::span<const Operand> then, std::span<const Operand> otherwise);
  /// Regions open at the moment, the kernel's body not counted.
  int depth() const;
  /// Drops every open region and what was built since: for a trace that failed inside one.
  void abandon();

  /// Ends the kernel and gives it away. The builder is empty afterwards.
  Module finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace enigma
