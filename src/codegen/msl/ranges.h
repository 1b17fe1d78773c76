// Bounds of integer values, as far as one look at each instruction proves them.
#pragma once

#include <vector>

#include "enigma/ir.h"

namespace enigma::msl {

/// Closed, and wide enough for every type.
struct Range {
  __extension__ typedef __int128 Wide;
  Wide lo = 0, hi = 0;
  constexpr bool within(Range r) const { return r.lo <= lo && hi <= r.hi; }
};

/// All that an integer type can hold.
Range range_of(DType t);

class Ranges {
 public:
  explicit Ranges(const Module& m);
  Range operator[](ValueId v) const { return ranges_[v.index]; }
  /// The result of an integer sum, difference, product or negation before it wraps.
  Range exact(const Instruction& inst) const;
  /// Whether that result always fits its type.
  bool fits(const Instruction& inst) const;

 private:
  void visit(RegionId region);
  void visit_for(const Instruction& inst);
  Range result(const Instruction& inst) const;

  const Module& m_;
  std::vector<Range> ranges_;
};

}  // namespace enigma::msl
