// The IR: one kernel as structured SSA. Typed 32-bit ids into vectors, regions instead of a control
// flow graph, and a source location for every instruction.
//
// A Module owns everything. Instructions, values and regions are only ever appended; a pass drops
// an instruction by leaving it out of its region's list, so an id stays valid for the module's
// life.
//
// Meaning, where the text form does not show it:
//   * Integers have signs. Arithmetic wraps; shift counts are taken modulo the width.
//   * A value may be used in the region that defines it, after its definition, and in regions
//     nested there. Region arguments belong to their region.
//   * `scf.for` runs i = lo, lo+step, ... while i < hi (step > 0) or i > hi (step < 0); with step 0
//     it does not run. Its results are the carried values after the last turn.
//   * `scf.while` runs its condition region on the carried values, then, while that holds, its
//     body.
//   * A load or store of `lanes(n)` is of a vector: the n elements from its index on. It promises
//     that the index is a multiple of n, and memory aligned to n elements.
//   * Loads and stores keep their order within a thread. Between threads only barriers order.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enigma/error.h"
#include "enigma/ops.h"
#include "enigma/short_list.h"
#include "enigma/types.h"

namespace enigma {

/// A 32-bit index into one of the module's vectors, of its own type for each vector.
template <class Tag>
struct Id {
  uint32_t index = UINT32_MAX;
  constexpr explicit operator bool() const { return index != UINT32_MAX; }
  friend constexpr auto operator<=>(Id, Id) = default;
};
using InstId = Id<struct InstTag>;
using RegionId = Id<struct RegionTag>;

/// A value, as its index in Module::values. Those that a Builder gives carry its stamp as well, so
/// that another builder refuses them; to compare two is to compare their indices.
struct ValueId {
  uint32_t index = UINT32_MAX;
  uint32_t stamp = 0;  ///< 0 for an id that was made by hand, of which the index alone is checked
  constexpr explicit operator bool() const { return index != UINT32_MAX; }
  friend constexpr bool operator==(ValueId a, ValueId b) { return a.index == b.index; }
  friend constexpr auto operator<=>(ValueId a, ValueId b) { return a.index <=> b.index; }
};

/// File (index into Module::files) and 1-based line of the statement that made an instruction.
struct Loc {
  uint32_t file = 0;
  uint32_t line = 0;
  friend constexpr bool operator==(Loc, Loc) = default;
};

struct Value {
  Type type;
  InstId def;  ///< the instruction whose result this is; none for parameters and region arguments
  RegionId region;  ///< the region whose argument this is; none otherwise
  uint32_t index;   ///< which result, argument or parameter
};

/// Operands: up to three for most instructions.
using ValueIds = ShortList<ValueId, 3>;

struct Instruction {
  Op op;
  uint64_t attr = 0;  ///< meaning by Shape (ops.h)
  ValueIds operands;
  ShortList<ValueId, 1> results;
  ShortList<RegionId, 2> regions;
};

struct Region {
  InstId parent;  ///< the instruction that holds it; none for the kernel's body
  std::vector<ValueId> args;
  std::vector<InstId> insts;
};

/// A parameter of the kernel, in order of declaration.
struct Param {
  std::string name;
  DType dtype;
  bool is_scalar = false;
  bool read = false;                   ///< filled by finish(): some instruction reads it
  bool written = false;                ///< filled by finish(): some instruction writes it
  ValueId value;                       ///< memory in device space, or the scalar itself
  std::optional<uint32_t> index = {};  ///< the MSL buffer index; none: the position
  uint64_t elements = 0;  ///< a buffer has at least so many: what the layouts on it reach
  /// Of a u32 that is a size, from 1 to kMaxSize (limits.h): what divides it. 0: any number.
  uint32_t multiple = 0;
};

/// One kernel.
struct Module {
  std::string name;
  std::vector<Param> params;
  std::vector<Value> values;
  std::vector<Instruction> insts;
  std::vector<Region> regions;
  RegionId body;

  std::vector<std::string> files;      ///< source files that locations refer to
  std::vector<Loc> locs;               ///< parallel to insts
  std::vector<uint32_t> value_names;   ///< parallel to values: index into names, 0 for none
  std::vector<std::string> names{""};  ///< Python names
  /// What the builder found suspicious, with its place; not part of the text form.
  std::vector<std::pair<std::string, Location>> warnings;

  const Value& operator[](ValueId v) const { return values[v.index]; }
  const Instruction& operator[](InstId i) const { return insts[i.index]; }
  Instruction& operator[](InstId i) { return insts[i.index]; }
  const Region& operator[](RegionId r) const { return regions[r.index]; }
  Region& operator[](RegionId r) { return regions[r.index]; }

  Type type(ValueId v) const { return values[v.index].type; }
  /// The instruction that defines v, or nullptr for parameters and region arguments.
  const Instruction* def(ValueId v) const {
    InstId d = values[v.index].def;
    return d ? &insts[d.index] : nullptr;
  }
  /// The bits of a value that is a constant; nothing for others.
  std::optional<uint64_t> constant(ValueId v) const {
    const Instruction* d = def(v);
    return d && d->op == Op::Constant ? std::optional(d->attr) : std::nullopt;
  }
  /// The Python name of a value, "" when it has none.
  const std::string& name_of(ValueId v) const { return names[value_names[v.index]]; }
  Location location(InstId i) const {
    Loc l = locs[i.index];
    return l.line ? Location{files[l.file], l.line} : Location{};
  }
};

/// The text form, in MLIR's manner; parse(print(m)) prints the same again.
std::string print(const Module& m);
/// Error names the line of the text and what was expected there.
Module parse(std::string_view text);

}  // namespace enigma
