// What a Builder holds between calls, and the steps that its parts share.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "enigma/builder.h"
#include "ir/ranges.h"
#include "support/text.h"

namespace enigma {

struct Builder::State {
  explicit State(std::string kernel_name);

  /// A region that is open, innermost last in `open`.
  struct Open {
    enum class Kind : uint8_t { For, Condition, Body, Then, Else } kind;
    InstId inst;
    std::vector<std::optional<Literal>> literal_inits;  // loops: which carried values began so

    const char* closer() const {
      return kind == Kind::For         ? "end_for"
             : kind == Kind::Condition ? "while_body"
             : kind == Kind::Body      ? "end_while"
                                       : "end_if";
    }
  };

  /// What abandon() goes back to: sizes from before the outermost region was opened.
  struct Mark {
    size_t values, insts, regions, allocs, constants;
    uint64_t threadgroup_bytes;
  };

  Module m;
  uint32_t stamp;  // what makes this builder's values its own; a new one after abandon()
  Location where;
  Loc loc;
  std::vector<RegionId> home;    // parallel to m.values: the region that a value lives in
  std::vector<uint32_t> stamps;  // parallel to m.values
  std::vector<bool> is_open;     // parallel to m.regions
  std::vector<Open> open;
  RegionId at;  // where instructions go
  Mark mark{};
  std::unordered_map<std::string, uint32_t> name_numbers;
  uint64_t threadgroup_bytes = 0;
  size_t allocs = 0;     // threadgroup allocations, which stand first in the body
  size_t constants = 0;  // function constants, which follow
  Ranges ranges{m};      // of the integers so far

  template <class... Ts>
  [[noreturn]] void fail(const Ts&... pieces) const {
    throw Error(concat(pieces...), where);
  }
  void warn(std::string message);

  // ---- appending ----
  InstId append(Op op, ValueIds operands, uint64_t attr = 0);
  ValueId result(InstId inst, Type type);
  ValueId emit(Op op, ValueIds operands, Type type, uint64_t attr = 0) {
    return result(append(op, std::move(operands), attr), type);
  }
  RegionId region(InstId parent);
  ValueId value(const Value& v, RegionId lives_in);
  ValueId argument(RegionId r, Type type);
  ValueId parameter(std::string_view name, DType dtype, bool is_scalar,
                    std::optional<uint32_t> index);
  /// The result of a new instruction at this position of the kernel's body, visible everywhere.
  ValueId declare(Op op, Type type, uint64_t attr, size_t position);
  ValueId constant(Type type, uint64_t bits) { return emit(Op::Constant, {}, type, bits); }
  void set_name(ValueId v, std::string_view name);

  // ---- reading ----
  Type type(ValueId v) const { return m.type(v); }
  /// "x (i32)", "i32": a value as a message speaks of it; "the literal 300".
  std::string describe(const Operand& x) const;
  /// All of them, joined by "and"; "nothing" where there are none.
  std::string describe(std::span<const Operand> list) const;
  std::string describe_region(RegionId r) const;
  /// Error unless v is a value of this module.
  void check_known(ValueId v) const;
  void check_dtype(DType t) const;
  /// Error unless v may be used where instructions go now.
  void check_visible(ValueId v) const;
  /// The same, and v is no memory.
  void check_value(ValueId v) const;

  // ---- typing ----
  /// The type in which operands meet: typed ones promoted, literals as those beside them.
  DType meet(std::span<const Operand* const> operands) const;
  /// The literal as a constant of type t beside operands of that type; Error when it does not fit.
  /// `wraps`: the operation takes integers modulo 2^width, so that either sign will do.
  ValueId literal(DType t, const Literal& x, bool wraps);
  /// v as a value of type t: Cast, which also broadcasts a scalar to a vector.
  ValueId cast(ValueId v, Type t);
  ValueId convert(const Operand& x, Type t);
  /// The parts of a vector or matrix, all values converted to the type of one.
  ValueId make(Op op, std::span<const Operand> parts, Type part);
  ValueId part(ValueId whole, uint64_t index);
  /// One vector, or as many numbers as it has components, as a value of that type. Values that are
  /// no numbers of its kind, float or integer, are refused.
  ValueId gather(std::span<const Operand> parts, Type type, std::string_view user);
  /// A Composed row, by other rows.
  ValueId compose(Op op, std::span<const Operand> operands);
  /// A factor of a product, in the dtype in which the factors meet.
  ValueId factor(const Operand& x, std::span<const Operand> factors, std::string_view user);
  // Their messages show the signature of the row that is applied, if one is.
  ValueId condition(const Operand& x, Type shaped_like, std::string_view user,
                    const OpInfo* row = nullptr);
  ValueId index(const Operand& x, const OpInfo* row = nullptr);
  ValueId lane(const Operand& x, std::string_view user, const OpInfo* row = nullptr);
  ValueId memory(const Operand& x, std::string_view user);
  /// The attribute of an access of that many elements from an index on.
  uint64_t vector_access(ValueId memory, const Operand& index, int lanes) const;
  std::optional<Type> shared(const OpInfo& row, std::span<const Operand> operands) const;
  bool any_matrix(std::span<const Operand> operands) const;
  const char* advice(std::span<const Op> rows, std::span<const Operand> operands) const;
  std::pair<Op, Type> choose(std::span<const Op> rows, std::span<const Operand> operands) const;
  ValueId apply(std::span<const Op> rows, std::span<const Operand> operands, uint64_t attr);
  std::array<ValueId, 3> matrix_place(Op op, ValueId memory, const Operand& index,
                                      const Operand& row);
  void check_matrix(ValueId v, std::string_view user) const;
  void warn_if_constant(Op op, DType t, std::span<const ValueId> operands);

  // ---- regions ----
  /// Appends an instruction with a region, and opens that.
  InstId begin(Op op, ValueIds operands, Open::Kind kind);
  void begin_second(Open::Kind kind);
  void leave();
  Open& innermost(Open::Kind kind, const char* caller);
  /// Appends a loop's initial values to its operands; tells which were literals.
  std::vector<std::optional<Literal>> add_inits(std::span<const Operand> inits, ValueIds& operands);
  ValueId loop_bound(const Operand& x, const char* what, DType index_type);
  ValueId carry(const Operand& x, Type to, ValueId arg, const std::optional<Literal>& init);
  std::vector<ValueId> end_loop(std::span<const ValueId> args, std::span<const Operand> next);
};

}  // namespace enigma
