// The builder: appends instructions to a module, applies Enigma's type rules, and refuses what the
// table does not allow, at the user's line.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

/// A number that has no type yet: it takes the type of the operand beside it. Any number of C++
/// makes one; unsigned numbers are held as uint64_t only above INT64_MAX.
class Literal : public std::variant<bool, int64_t, uint64_t, double> {
 public:
  Literal() = default;
  template <class T>
    requires std::is_arithmetic_v<T>
  Literal(T x) : variant(held(x)) {}

 private:
  template <class T>
  static variant held(T x) {
    if constexpr (std::is_same_v<T, bool>) {
      return x;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(x);
    } else {
      if (std::is_unsigned_v<T> && static_cast<uint64_t>(x) > INT64_MAX) {
        return static_cast<uint64_t>(x);
      }
      return static_cast<int64_t>(x);
    }
  }
};

/// What an operation takes: a value of this builder, or a number of C++.
class Operand : public std::variant<ValueId, Literal> {
 public:
  Operand() = default;
  Operand(ValueId v) : variant(v) {}
  Operand(Literal x) : variant(x) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Operand(T x) : variant(Literal(x)) {}
};

/// Operands as a call takes them: `{x, 2.0}` or a vector, read before the call returns.
class Operands : public std::span<const Operand> {
 public:
  using span::span;
  Operands(std::span<const Operand> list) : span(list) {}
  Operands(std::initializer_list<Operand> list) : span(list.begin(), list.size()) {}
};

/// Builds one kernel. Not thread-safe; one builder belongs to one trace, and builders of different
/// threads have nothing to do with each other.
///
///     Builder b("scale");
///     b.set_location();  // errors, and comments of the MSL, name this line from here on
///     ValueId x = b.buffer("X", DType::F32), y = b.buffer("Y", DType::F32);
///     ValueId i = b.query(Op::ThreadPositionInGrid);
///     b.store(y, i, b.apply("*", {b.load(x, i), 2.0}));
///     Module m = b.finish();  // compile.h takes it from here
///
/// Operations are applied by name: that of ops.def's column `python`, where the rows are described
/// (`"+"`, `"fma"`, `"cmp_lt"`, `"simd_sum"`), or by their enumerator.
///
/// A mistake throws Error at the location last set, and the instruction is not built: operands of
/// types that no row takes; a value of another builder, or of a region that has ended (it is not
/// visible there any more); an end_x that does not close the region that is open. What only the
/// whole kernel shows is told by compile(). A builder that was moved from can only be destroyed or
/// assigned to.
class Builder {
 public:
  explicit Builder(std::string kernel_name);
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  // ---- where and what ----
  /// The place that the instructions and errors that follow belong to; line 0: not known.
  void set_location(std::string_view file, uint32_t line);
  /// The line of C++ that calls this.
  void set_location(std::source_location here = std::source_location::current()) {
    set_location(here.file_name(), here.line());
  }
  const Location& location() const;
  /// Gives a value the name that it has in the MSL, changed where Metal would refuse it; the first
  /// name wins. Parameters keep their own.
  void set_name(ValueId v, std::string_view name);
  const Module& module() const;
  Type type(ValueId v) const;
  /// Comparisons that the types make constant and the like; finish() hands them to the module.
  const std::vector<std::pair<std::string, Location>>& warnings() const;

  // ---- parameters; at most 31, each with a name of its own ----
  /// Device memory of any number of elements, which the launch gives. Read or written, or both:
  /// that shows from the kernel.
  /// `index` is its MSL buffer index, if not its position among the parameters.
  ValueId buffer(std::string_view name, DType dtype, std::optional<uint32_t> index = {});
  /// A number that each launch gives.
  ValueId scalar(std::string_view name, DType dtype, std::optional<uint32_t> index = {});
  /// The same of a u32 that is a size: a launch refuses what is not from 1 to kMaxSize (limits.h),
  /// and a multiple of `multiple`.
  ValueId size(std::string_view name, uint32_t multiple = 1, std::optional<uint32_t> index = {});
  /// A launch refuses memory of fewer elements for this buffer. The most that was told counts.
  void set_elements(ValueId buffer, uint64_t elements);

  // ---- values ----
  /// A literal by itself: int is i32 (u32, then i64, then u64, where it does not fit), float f32,
  /// bool b1.
  ValueId constant(Literal x);
  /// A literal as the given type; integers wrap, as numpy's astype does. Out of range is an Error.
  ValueId constant(DType dtype, Literal x);
  /// A position or size of the grid, a u32; dim 0, 1, 2 is x, y, z.
  ValueId query(Op op, int dim = 0);
  /// A number that is given when the kernel is prepared. Error for an index above 65535, and where
  /// the index has another type already.
  ValueId function_constant(DType dtype, int64_t index);
  /// The row of this name whose class takes the operands, after promotion of the operands that
  /// share T. Error shows the rows' signatures when none does. None in a row without a result.
  ValueId apply(std::string_view name, Operands operands);
  /// The same of one row.
  ValueId apply(Op op, Operands operands);
  /// Integers modulo 2^width; float to integer truncates and saturates, NaN is 0.
  ValueId cast(Operand x, DType to);
  /// The same bits as another type of the same width; Error when the widths differ.
  ValueId as_type(Operand x, DType to);
  /// x as a value of type `to`, converted when it is of another: what stores and carries do.
  ValueId convert(Operand x, Type to);

  // ---- vectors and matrices ----
  /// A vector of 2 to 4 components: numbers, and the components of vectors, of the type in which
  /// they meet.
  ValueId make_vec(Operands parts);
  /// The same of the given type; a number alone is all its components.
  ValueId make_vec(Type type, Operands parts);
  /// A matrix of 2 to 4 columns: f32 or f16 vectors of one size.
  ValueId make_matrix(Operands columns);
  /// A component of a vector or a column of a matrix. Error for a number that does not exist; where
  /// a traced one does not, it is the last.
  ValueId extract(ValueId whole, Operand index);

  // ---- what is known of integers while the kernel is built ----
  /// Closed bounds; what lies beyond 64 signed bits counts as their ends.
  struct Bounds {
    int64_t least, greatest;
  };
  /// Bounds of an integer value, as far as one look at each instruction proves them.
  Bounds bounds(ValueId v);
  /// A sum with a number, where an integer value of at least 32 bits is one: what the number is
  /// added to, and the number; else the value and 0. Indices keep their numbers apart, so that
  /// places near each other differ by nothing else.
  struct Sum {
    ValueId rest;
    int64_t known = 0;
  };
  Sum apart(ValueId v) const;
  /// Tells that the kernel will run over this grid of threads, in threadgroups of this size, and
  /// no other: bounds() then knows positions and sizes. A 0 of the grid is any number.
  void set_launch(std::array<uint32_t, 3> grid, std::array<uint32_t, 3> threads);

  // ---- memory: indices count elements; a value stored is converted to the element's type ----
  /// Threadgroup memory. Error when the kernel's total would exceed 32 KiB.
  ValueId threadgroup_alloc(DType dtype, int64_t elements);
  // An access of 2 or 4 `lanes` is of a vector: that many elements, no bools and of at most 16
  // bytes together, from the index on, which is a multiple of them, as the memory's alignment is.
  ValueId load(ValueId memory, Operand index, int lanes = 1);
  /// The element where the mask holds, `otherwise` elsewhere; memory is not touched there.
  ValueId load_if(ValueId memory, Operand index, Operand mask, Operand otherwise, int lanes = 1);
  void store(ValueId memory, Operand index, Operand value, int lanes = 1);
  void store_if(ValueId memory, Operand index, Operand value, Operand mask, int lanes = 1);
  /// An atomic row, on memory of i32, u32 or f32 (and, or and xor: no f32); `values` are converted
  /// to its type. Empty result for atomic_store. A load cannot release, nor a store acquire.
  std::optional<ValueId> atomic(Op op, ValueId memory, Operand index, Operands values,
                                MemoryOrder order = MemoryOrder::Relaxed);
  /// Rows of elements at equal distances, the pitch, from an offset on.
  struct Tile {
    ValueId memory;
    Operand offset, pitch;
  };
  /// Begins to copy a tile of columns x rows between device and threadgroup memory, which a whole
  /// SIMD-group does together; a u32, the event, for async_wait(). Until then the target is not to
  /// be used, nor the source written.
  ValueId async_copy(const Tile& to, const Tile& from, Operand columns, Operand rows);
  /// The event of a copy that has ended already.
  static constexpr uint32_t kCopyDone = UINT32_MAX;
  /// Waits until that copy has ended. Other SIMD-groups see what it brought after a barrier.
  void async_wait(Operand event);
  /// Op::Barrier or Op::SimdBarrier; `mem_flags` are MemFlags, or-ed. All threads must reach it.
  void barrier(Op op, uint8_t mem_flags);

  // ---- 8 x 8 matrices of float, half or bfloat that the 32 lanes of a SIMD-group hold together
  // ---- All lanes must get here together and give the same memory, index and number of elements.
  ValueId simd_matrix(DType dtype, Operand value);  ///< filled with one value
  /// From an index on, with `row` elements from one row to the next, of one column if `transpose`.
  /// The matrix has the memory's type.
  ValueId simd_matrix_load(ValueId memory, Operand index, Operand row, bool transpose = false);
  void simd_matrix_store(ValueId matrix, ValueId memory, Operand index, Operand row,
                         bool transpose = false);
  /// a @ b + c. Error for types that Metal does not multiply: all three are the same, or c is f32.
  ValueId simd_matrix_multiply(ValueId a, ValueId b, ValueId c);

  // ---- control flow: begin_x opens a region, end_x closes it and gives the results ----
  // A carried value that begins as a literal has that literal's own type: 0 is i32, 0.0 is f32.
  struct Loop {
    ValueId index;              ///< none for while
    std::vector<ValueId> args;  ///< the carried values inside the region
  };
  Loop begin_for(Operand lo, Operand hi, Operand step, DType index_type, Operands inits = {});
  /// `next[k]` is converted to the type of args[k]. Gives the loop's results.
  std::vector<ValueId> end_for(Operands next = {});
  Loop begin_while(Operands inits);    ///< opens the condition region
  Loop while_body(Operand condition);  ///< closes it, opens the body
  std::vector<ValueId> end_while(Operands next);
  void begin_if(Operand condition);  ///< opens the then region
  void begin_else();
  /// Results of both arms, in order; each pair is promoted to one type. begin_else() may be left
  /// out when `otherwise` needs no instructions of its own.
  std::vector<ValueId> end_if(Operands then = {}, Operands otherwise = {});
  /// Regions open at the moment, the kernel's body not counted.
  int depth() const;
  /// Drops every open region and what was built since: for a trace that failed inside one.
  void abandon();

  /// Ends the kernel and gives it away; Error while a region is open. The builder is empty
  /// afterwards, as a new one without a name.
  Module finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace enigma
