// The Python names of operations across lanes, taken apart at compile time.
#include "ir/lane_op.h"

#include <utility>

#include "enigma/limits.h"

namespace enigma {
namespace {

constexpr std::pair<std::string_view, LaneOp::Kind> kKinds[] = {
    {"sum", LaneOp::Sum},
    {"product", LaneOp::Product},
    {"min", LaneOp::Min},
    {"max", LaneOp::Max},
    {"and", LaneOp::And},
    {"or", LaneOp::Or},
    {"xor", LaneOp::Xor},
    {"shuffle", LaneOp::Shuffle},
    {"shuffle_up", LaneOp::ShuffleUp},
    {"shuffle_down", LaneOp::ShuffleDown},
    {"shuffle_xor", LaneOp::ShuffleXor},
    {"broadcast", LaneOp::Broadcast},
};

constexpr bool remove(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

constexpr LaneOp read(Shape shape, std::string_view name) {
  if (shape != Shape::Lane) return {};
  LaneOp op{};
  if (remove(name, "simd_")) op.width = kSimdWidth;
  if (remove(name, "quad_")) op.width = kQuadWidth;
  if (remove(name, "prefix_inclusive_")) op.form = LaneOp::Inclusive;
  if (remove(name, "prefix_exclusive_")) op.form = LaneOp::Exclusive;
  for (const auto& [kind_name, kind] : kKinds) {
    if (name != kind_name || op.width == 0) continue;
    op.kind = kind;
    if (kind >= LaneOp::Shuffle) op.form = LaneOp::Move;
    return op;
  }
  throw "the name of this row says nothing that lane_op.cpp knows";
}

constexpr LaneOp kLaneOps[] = {
#define HAND ""
#define OP(Enum, mnemonic, Form, signature, flags, msl, cpu, python, doc) read(Shape::Form, python),
#include "enigma/ops.def"
#undef HAND
};

}  // namespace

const LaneOp& lane_op(Op op) { return kLaneOps[static_cast<size_t>(op)]; }

}  // namespace enigma
