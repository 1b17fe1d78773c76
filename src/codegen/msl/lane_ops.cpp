// Operations across the lanes of a SIMD-group or a quad, with what Metal lacks or leaves open.
#include "ir/lane_op.h"

#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"
#include "enigma/limits.h"

namespace enigma::msl {
namespace {

bool by_distance(LaneOp::Kind kind) {
  return kind == LaneOp::ShuffleUp || kind == LaneOp::ShuffleDown;
}

bool is_bitwise(LaneOp::Kind kind) {
  return kind == LaneOp::And || kind == LaneOp::Or || kind == LaneOp::Xor;
}

}  // namespace

// Metal's functions take integers of up to 32 bits, float and half; `call` makes the text of one
// from that of its first argument.
Frag Writer::across_lanes(ValueId x, const std::function<std::string(std::string)>& call) {
  const Type t = m_.type(x);
  auto by_way_of = [&](DType other, const std::string& text) {
    return concat(type_name(t), "(", call(concat(type_name(t.with(other)), "(", text, ")")), ")");
  };
  if (info(t.dtype).bits == 64) {
    // Two words for each component.
    Frag f = t.is_scalar() ? exact(x) : atom(x);
    auto one = [&](const std::string& part) {
      return concat("as_type<", name_of(t.dtype), ">(", call(concat("as_type<uint2>(", part, ")")),
                    ")");
    };
    std::string text = t.is_scalar() ? one(f.text) : "";
    for (int c = 0; c < t.rows && !t.is_scalar(); ++c) {
      text += concat(c ? ", " : "", one(concat(f.text, ".", "xyzw"[c])));
    }
    if (!t.is_scalar()) text = concat(type_name(t), "(", text, ")");
    return make_frag(std::move(text), Prec::Primary, Form::Exact, {&f});
  }
  Frag f = exact(x);
  std::string text = t.dtype == DType::BF16 ? by_way_of(DType::F32, f.text)
                     : t.dtype == DType::B1 ? by_way_of(DType::U32, f.text)
                                            : call(f.text);
  return make_frag(std::move(text), Prec::Primary, Form::Exact, {&f});
}

Frag Writer::lane(const Instruction& inst) {
  const LaneOp& op = lane_op(inst.op);
  std::string_view text = spelling(inst.op).text;
  std::string function(text.substr(0, text.find('(')));
  if (op.form == LaneOp::Move) return move(inst, op, std::move(function));
  ValueId x = inst.operands[0];
  const Type t = m_.type(x);
  // Metal has no sums of 64 bits, and leaves open what its extremes make of NaN.
  const bool is_extreme = op.kind == LaneOp::Min || op.kind == LaneOp::Max;
  const bool ours = info(t.dtype).bits == 64 ? !is_bitwise(op.kind)
                                             : !fast_math_ && is_float(t.dtype) && is_extreme;
  if (!ours) {
    return across_lanes(x, [&](std::string arg) { return concat(function, "(", arg, ")"); });
  }
  const bool widened = t.dtype == DType::BF16;
  function = prelude(concat("enigma_", function), widened ? DType::F32 : t.dtype, t.rows);
  Frag arg = widened ? as_float(x) : exact(x);
  std::string out = concat(function, "(", arg.text, ")");
  if (widened) out = concat(type_name(t), "(", out, ")");
  return make_frag(std::move(out), Prec::Primary, Form::Exact, {&arg});
}

// Whether all lanes are known to name one lane, or one distance, that exists.
bool Writer::names_one_lane(ValueId which, int width) const {
  return uniformity_[which] <= Level::Simd && ranges_[which].within({0, width - 1});
}

// Moves by a distance that Metal leaves open read the lane that they mean.
bool Writer::needs_lane(const Instruction& inst) const {
  if (info(inst.op).shape != Shape::Lane) return false;
  const LaneOp& op = lane_op(inst.op);
  if (op.kind == LaneOp::ShuffleXor) return uniformity_[inst.operands[1]] == Level::Varying;
  return by_distance(op.kind) && !names_one_lane(inst.operands[1], op.width);
}

Frag Writer::move(const Instruction& inst, const LaneOp& op, std::string function) {
  ValueId which = inst.operands[1];
  const bool quad = op.width == kQuadWidth;
  const std::string_view scope = quad ? "quad_" : "simd_";
  const std::string last = concat(op.width - 1, "u");
  Frag n = needs_lane(inst) && by_distance(op.kind) ? atom(which) : exact(which);
  std::string lane = n.text, masked = as_operand(n, Prec::BitAnd, false);
  if (op.kind == LaneOp::Broadcast && uniformity_[which] == Level::Varying) {
    lane = masked = concat(scope, "broadcast_first(", n.text, ")");
  }
  if (needs_lane(inst)) {
    const std::string self = quad ? concat("(", lane_, " & 3u)") : lane_;
    function = concat(scope, "shuffle");
    if (op.kind == LaneOp::ShuffleUp) {
      lane = concat(n.text, " <= ", self, " ? ", self, " - ", n.text, " : ", self);
    } else if (op.kind == LaneOp::ShuffleDown) {
      lane = concat(n.text, " < ", op.width, "u - ", self, " ? ", self, " + ", n.text, " : ", self);
    } else {
      lane = concat("(", lane_, " ^ ", as_operand(n, Prec::BitXor, true), ") & ", last);
    }
  } else if (const auto c = m_.constant(which)) {
    lane = literal(DType::U32, *c % op.width).text;
  } else if (!ranges_[which].within({0, op.width - 1})) {
    lane = concat(masked, " & ", last);
  }
  Frag f = across_lanes(inst.operands[0],
                        [&](std::string x) { return concat(function, "(", x, ", ", lane, ")"); });
  return make_frag(std::move(f.text), Prec::Primary, Form::Exact, {&f, &n});
}

}  // namespace enigma::msl
