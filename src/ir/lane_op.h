// What an operation across lanes does, read off the name of its row.
#pragma once

#include "enigma/ops.h"

namespace enigma {

struct LaneOp {
  enum Form : uint8_t {
    Reduce,     ///< joins all lanes
    Inclusive,  ///< joins the lanes up to this one
    Exclusive,  ///< joins the lanes below this one
    Move,       ///< takes the value of another lane
  };
  enum Kind : uint8_t {
    Sum,
    Product,
    Min,
    Max,
    And,
    Or,
    Xor,
    Shuffle,  // this one and those below move values
    ShuffleUp,
    ShuffleDown,
    ShuffleXor,
    Broadcast,
  };
  Form form;
  Kind kind;
  int width;  ///< lanes that belong together: of a SIMD-group or a quad-group
};

/// Of a row whose shape is Lane.
const LaneOp& lane_op(Op op);

}  // namespace enigma
