// What passes share: replacing values, taking the carried values of a region apart.
#pragma once

#include <vector>

#include "enigma/ir.h"

namespace enigma {

/// Replacements of values by others, applied when operands are read.
class Rewrites {
 public:
  explicit Rewrites(Module& m) : m_(m), to_(m.values.size()) {}

  /// Every use of `from` is to be `to`. A Python name is kept where `to` has none.
  void replace(ValueId from, ValueId to);
  ValueId operator()(ValueId v);
  void apply(Instruction& inst) {
    for (ValueId& v : inst.operands) v = (*this)(v);
  }
  /// All operands of a region and those inside it.
  void apply(RegionId r);

 private:
  Module& m_;
  std::vector<ValueId> to_;  // parallel to values: none where a value stays
};

/// Leaves the results of an instruction out for which keep[k] is false, with all that belongs to
/// them: the arguments, initial values and yielded values of a loop, the yielded values of an if.
void keep_results(Module& m, InstId i, const std::vector<bool>& keep);

/// Makes new parts of a module. Instructions are appended to it and to nothing else: the caller
/// puts them into a region.
class Appender {
 public:
  explicit Appender(Module& m) : m_(m) {}

  Loc where;  ///< of the instructions that are made

  InstId inst(Op op, ValueIds operands, uint64_t attr = 0);
  /// The next result of an instruction; `name` as in Module::value_names.
  ValueId result(InstId i, Type type, uint32_t name = 0);
  /// An instruction with a result, at the end of `insts`.
  ValueId emit(std::vector<InstId>& insts, Op op, ValueIds operands, Type type, uint64_t attr = 0) {
    insts.push_back(inst(op, std::move(operands), attr));
    return result(insts.back(), type);
  }
  ValueId constant(std::vector<InstId>& insts, Type type, uint64_t bits) {
    return emit(insts, Op::Constant, {}, type, bits);
  }
  RegionId region(InstId parent);
  ValueId argument(RegionId r, Type type, uint32_t name = 0);

 private:
  ValueId value(const Value& v, uint32_t name);

  Module& m_;
};

/// Constants of both kinds, queries, arithmetic and casts: they give the same wherever
/// they stand.
inline bool moves_freely(const Instruction& inst) {
  switch (info(inst.op).shape) {
    case Shape::Constant:
    case Shape::FunctionConstant:
    case Shape::Query:
    case Shape::Map:
    case Shape::Whole:
    case Shape::Make:
    case Shape::Extract:
    case Shape::Cast:
      return true;
    default:
      return false;
  }
}

}  // namespace enigma
