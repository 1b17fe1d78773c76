// Bounds of integer values, as far as one look at each instruction proves them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "enigma/ir.h"

namespace enigma {

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
  explicit Ranges(const Module& m) : m_(m) {}
  /// Of a whole module.
  void visit();
  /// Of a module that is being built: the values that were made since the last call.
  void update();
  /// Forgets the values from this number on.
  void truncate(size_t values) { ranges_.resize(std::min(values, ranges_.size())); }
  /// Of values that are made after this: the kernel runs over this grid of threads, and no other.
  void set_launch(std::array<uint32_t, 3> grid, std::array<uint32_t, 3> threads) {
    launch_ = {grid, threads};
  }
  Range operator[](ValueId v) const { return ranges_[v.index]; }
  /// The result of an integer sum, difference, product or negation before it wraps.
  Range exact(const Instruction& inst) const;
  /// Whether that result always fits its type.
  bool fits(const Instruction& inst) const;

 private:
  void visit(RegionId region);
  void learn(ValueId v);
  Range value(const Value& v) const;
  Range index(const Instruction& loop) const;
  Range result(const Instruction& inst) const;

  Range query(const Instruction& inst) const;
  unsigned group_sizes(ValueId v) const;

  struct Launch {
    std::array<uint32_t, 3> grid{}, threads{};
  };
  const Module& m_;
  std::vector<Range> ranges_;
  Launch launch_;  // zeros: any; threads are known with each other
};

}  // namespace enigma
