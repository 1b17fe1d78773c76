// A ring of equal tiles in threadgroup memory, so that one is filled while another is used.
#pragma once

#include <cstdint>
#include <optional>

#include "enigma/builder.h"

namespace enigma {

/// One threadgroup allocation of stages × size elements, and the arithmetic of its rotation. What
/// rotates is the slot, the tile that is stage 0 now: 0 at first, and `next(slot)` after each
/// advance. It is an Operand for the caller to keep, as a loop's carried value where the loop
/// advances:
///
///     Pipeline pipe(b, DType::F32, 256, 3);
///     auto loop = b.begin_for(0, turns, 1, DType::I32, {slot});
///     ... b.load(pipe.memory(), b.apply("+", {pipe.offset(loop.args[0], 0), i})) ...
///     slot = b.end_for({pipe.next(loop.args[0])})[0];
///
/// While the slot is a number nothing is emitted. compile() makes it one in loops of a known number
/// of turns: it unrolls them by the stages.
class Pipeline {
 public:
  /// Error for less than 2 stages, and when the tiles do not fit into threadgroup memory.
  Pipeline(Builder& b, DType dtype, int64_t size, int64_t stages);

  ValueId memory() const { return memory_; }
  int64_t stages() const { return stages_; }
  /// The slot after an advance. Error for a number that is no slot.
  Operand next(Operand slot) const;
  /// Where in memory() the tile of a stage begins; Error for a stage that does not exist.
  Operand offset(Operand slot, int64_t stage) const;

 private:
  std::optional<int64_t> number(const Operand& slot) const;
  Operand wrapped(Operand slot, int64_t by) const;

  Builder* builder_;
  int64_t size_, stages_;
  ValueId memory_;
};

}  // namespace enigma
