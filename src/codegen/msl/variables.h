// Which SSA values share a mutable variable of the text: carried values, results of conditions, and
// the values that can be computed straight into them.
#pragma once

#include <initializer_list>
#include <string>
#include <unordered_map>
#include <vector>

#include "codegen/msl/fragment.h"
#include "enigma/ir.h"

namespace enigma::msl {

/// Instructions that matter, where they stand, and who uses a value.
struct Uses {
  explicit Uses(const Module& m);

  struct Place {
    RegionId region;
    int position = -1;  ///< in the region's list; -1 is the region's start
  };
  std::vector<bool> live;                  ///< per instruction: has an effect, or leads to one
  std::vector<Place> places;               ///< per instruction
  std::vector<std::vector<InstId>> users;  ///< per value: live instructions, once for each operand
  std::vector<uint32_t> order;             ///< per instruction: its number in the text
  std::vector<uint32_t> end;               ///< per instruction: the last number inside it

  bool encloses(RegionId outer, RegionId inner) const;
  /// Whether an instruction stands in a region, or in conditions there that hold: it is reached at
  /// most once each time the region is gone through.
  bool in_or_under(RegionId region, InstId inst) const;
  /// Where a value comes into being.
  Place definition(ValueId v) const;
  /// Whether v, defined before `at`, is still read by something that runs after it.
  bool live_after(ValueId v, Place at) const;
  /// The number in the text after which nothing reads v any more.
  uint32_t last_use(ValueId v) const;
  /// The position within `region` of the instruction that is, or contains, `inst`; -1 for none.
  int position_in(RegionId region, InstId inst) const;

 private:
  void mark(InstId inst);
  bool mark_effects(RegionId region);
  void number(RegionId region, uint32_t& next);
  const Module& m_;
};

/// A variable is assigned at the definition of each of its values, or at the end of the region that
/// yields them. Two of its values are never wanted at the same time.
class Variables {
 public:
  Variables(const Module& m, const Uses& uses);
  /// The variable that holds a value, or kNoVariable.
  uint32_t of(ValueId v) const { return of_[v.index]; }
  Type type(uint32_t variable) const { return m_.type(first_[variable]); }
  /// The Python name, or a word for what it is.
  std::string_view name(uint32_t variable) const;
  size_t count() const { return first_.size(); }

 private:
  void visit(RegionId region);
  void carry(const Instruction& inst, RegionId outer);
  void merge(const Instruction& inst, RegionId outer);
  bool join(std::initializer_list<ValueId> group, uint32_t variable);
  void release(ValueId v);
  void add(ValueId v, uint32_t variable);
  uint32_t adopt(ValueId v, const std::string& name);
  uint32_t fresh(ValueId v, RegionId declared_in);
  void rebind(InstId id);
  void accumulate(InstId id);
  void assign_there(ValueId next, RegionId region, uint32_t variable);
  bool assignable(ValueId v) const;
  bool interferes(ValueId a, ValueId b) const;

  const Module& m_;
  const Uses& uses_;
  std::vector<uint32_t> of_;
  // Per variable: its first value, the first that has a Python name, those that may still be
  // wanted, and where it is declared.
  std::vector<ValueId> first_, named_;
  std::vector<std::vector<ValueId>> active_;
  std::vector<RegionId> declared_in_;
  uint32_t now_ = 0;  // the number of the instruction that is being looked at
  std::unordered_map<std::string_view, std::vector<uint32_t>> by_name_;
};

}  // namespace enigma::msl
