// MSL of the operations that a template cannot spell, one function per row that says HAND.
#include "codegen/msl/writer.h"

namespace enigma::msl {
namespace {

Frag infix(const Frag& a, std::string_view symbol, const Frag& b, Prec prec, Form form) {
  return make_frag(concat(as_operand(a, prec, false), " ", symbol, " ", as_operand(b, prec, true)),
                   prec, form, {&a, &b});
}

Frag wrapped(std::string_view function, const Frag& x, Form form = Form::Exact) {
  return make_frag(concat(function, "(", x.text, ")"), Prec::Primary, form, {&x});
}

Frag called(std::string_view function, const std::vector<Frag>& args) {
  Frag f = make_frag(concat(function, "("), Prec::Primary, Form::Exact, {});
  for (const Frag& x : args) {
    f = make_frag(concat(f.text, &x == &args.front() ? "" : ", ", x.text), Prec::Primary,
                  Form::Exact, {&f, &x});
  }
  f.text += ")";
  return f;
}

// Metal's function where the field, of the last two operands, is known to lie within the width.
Frag bit_field(Writer& w, const Instruction& inst, std::string_view function) {
  const Type t = w.type(inst.operands[0]);
  const size_t count = inst.operands.size();
  const Range offset = w.ranges()[inst.operands[count - 2]];
  const Range bits = w.ranges()[inst.operands[count - 1]];
  std::vector<Frag> args;
  for (ValueId v : inst.operands) args.push_back(w.exact(v));
  if (offset.hi + bits.hi <= info(t.dtype).bits) return called(function, args);
  return called(w.prelude(concat("enigma_", function), t.dtype, t.rows), args);
}

Form operator_form(Type t) { return promotes(t) ? Form::Promoted : Form::Exact; }

// A quotient or remainder: the operator where it means what the row says, a function elsewhere.
Frag divide(Writer& w, const Instruction& inst, std::string_view symbol, std::string_view function,
            bool plain) {
  Type t = w.type(inst.operands[0]);
  if (plain) {
    Frag a = w.in_range(inst.operands[0]), b = w.in_range(inst.operands[1]);
    return infix(a, symbol, b, Prec::Multiplicative, operator_form(t));
  }
  Frag a = w.exact(inst.operands[0]), b = w.exact(inst.operands[1]);
  return make_frag(concat(w.prelude(function, t.dtype, t.rows), "(", a.text, ", ", b.text, ")"),
                   Prec::Primary, Form::Exact, {&a, &b});
}

// Truncation and floor agree on numbers that are not negative. What C++ leaves undefined, or Metal
// unspecified, is a divisor of 0.
bool natural(Writer& w, const Instruction& inst) {
  return w.ranges()[inst.operands[0]].lo >= 0 && w.ranges()[inst.operands[1]].lo > 0;
}

// The count of a shift, taken modulo the width; C++ would promote narrow types first.
// For vectors it has the type of what is shifted, which `as_bits` is unsigned.
Frag shift_count(Writer& w, const Instruction& inst, bool as_bits) {
  ValueId count = inst.operands[1];
  Type t = w.type(count);
  uint64_t mask = info(t.dtype).bits - 1;
  const bool is_small = w.ranges()[count].within({0, static_cast<Range::Wide>(mask)});
  Form form = operator_form(t);
  if (!t.is_scalar() && as_bits) form = Form::Unsigned;
  if (const auto c = w.module().constant(count)) return literal(t, *c & mask, form);
  if (!t.is_scalar()) {
    Frag n = as_bits ? w.bits(count) : w.exact(count);
    return is_small ? n : infix(n, "&", literal(t, mask, form), Prec::BitAnd, form);
  }
  if (is_small) return w.in_range(count);
  if (w.waits_unsigned(count)) {
    return infix(w.bits(count), "&", literal(t, mask, Form::Unsigned), Prec::BitAnd,
                 Form::Unsigned);
  }
  return infix(w.in_range(count), "&", literal(t, mask, form), Prec::BitAnd, form);
}

Frag int_to_int(Writer& w, ValueId x, Type from, Type to) {
  int width = info(to.dtype).bits, had = info(from.dtype).bits;
  if (width == had && overflows(is_signed(to.dtype) ? to : from)) {  // another sign: the same bits
    Frag f = w.bits(x);
    f.form = is_signed(to.dtype) ? Form::Unsigned : Form::Exact;
    return f;
  }
  Frag f = width < had && had >= 32 && w.waits_unsigned(x) ? w.bits(x) : w.in_range(x);
  if (to == Type::scalar(DType::I32) && f.form == Form::Promoted) {  // already an int
    f.form = Form::Exact;
    return f;
  }
  return wrapped(type_name(to), f);
}

Frag differs_from_zero(Writer& w, ValueId x, Type t) {
  if (is_float(t.dtype)) {
    return infix(w.as_float(x), "!=", literal(t.with(DType::F32), 0), Prec::Equality, Form::Exact);
  }
  return infix(w.in_range(x), "!=", literal(t, 0, operator_form(t)), Prec::Equality, Form::Exact);
}

// To another element type, of the same shape.
Frag convert(Writer& w, ValueId x, Type from, Type to) {
  if (from == to) return w.exact(x);
  if (to.dtype == DType::B1) return differs_from_zero(w, x, from);
  const std::string name = type_name(to);
  if (is_float(to.dtype)) {
    if (is_float(from.dtype))
      return to.dtype == DType::F32 ? w.as_float(x) : wrapped(name, w.as_float(x));
    const bool integer = is_integer(from.dtype);
    Frag f = integer ? w.in_range(x) : w.exact(x);
    constexpr Range kExact{-(1 << 24), 1 << 24};
    if (to.dtype == DType::BF16 && integer && !w.ranges()[x].within(kExact)) {
      // By way of the nearest float it would be rounded twice.
      f = wrapped(w.prelude("enigma_odd_float", from.dtype, from.rows), w.exact(x));
    } else if (to.dtype == DType::BF16 ||
               (to.dtype == DType::F16 && integer && info(from.dtype).bits > 8)) {
      // Only float becomes bfloat, and is rounded to the nearest half.
      f = wrapped(type_name(to.with(DType::F32)), f);
    }
    return wrapped(name, f);
  }
  if (from.dtype == DType::B1) return wrapped(name, w.exact(x));
  if (is_float(from.dtype)) {
    return wrapped(w.prelude("enigma_to_T", to.dtype, to.rows), w.as_float(x));
  }
  return int_to_int(w, x, from, to);
}

}  // namespace

template <>
Frag hand<Op::DivI>(Writer& w, const Instruction& inst) {
  Range b = w.ranges()[inst.operands[1]];
  return divide(w, inst, "/", "enigma_div", b.lo > 0 || b.hi < -1);
}

template <>
Frag hand<Op::FloorDivI>(Writer& w, const Instruction& inst) {
  bool is_floor = is_signed(w.dtype(inst.operands[0]));
  return divide(w, inst, "/", is_floor ? "enigma_floordiv" : "enigma_div", natural(w, inst));
}

template <>
Frag hand<Op::FloorModI>(Writer& w, const Instruction& inst) {
  bool is_floor = is_signed(w.dtype(inst.operands[0]));
  return divide(w, inst, "%", is_floor ? "enigma_floormod" : "enigma_mod", natural(w, inst));
}

template <>
Frag hand<Op::Shl>(Writer& w, const Instruction& inst) {
  Type t = w.type(inst.operands[0]);
  // A negative number must not be shifted as such.
  Frag x = is_signed(t.dtype) ? w.bits(inst.operands[0]) : w.in_range(inst.operands[0]);
  Form form = promotes(t) ? Form::Loose : is_signed(t.dtype) ? Form::Unsigned : Form::Exact;
  return infix(x, "<<", shift_count(w, inst, is_signed(t.dtype)), Prec::Shift, form);
}

template <>
Frag hand<Op::Shr>(Writer& w, const Instruction& inst) {
  Form form = operator_form(w.type(inst.operands[0]));
  Frag x = w.in_range(inst.operands[0]);
  return infix(x, ">>", shift_count(w, inst, false), Prec::Shift, form);
}

template <>
Frag hand<Op::AbsI>(Writer& w, const Instruction& inst) {
  Frag x = w.exact(inst.operands[0]);
  return is_unsigned(w.dtype(inst.operands[0])) ? x : wrapped("abs", x);
}

template <>
Frag hand<Op::AbsDiffUnary>(Writer& w, const Instruction& inst) {
  Type t = w.type(inst.operands[0]), result = w.type(inst.results[0]);
  Frag x = w.exact(inst.operands[0]);
  return t == result ? x : wrapped(type_name(result), wrapped("abs", x));
}

template <>
Frag hand<Op::Rotate>(Writer& w, const Instruction& inst) {
  const Type type = w.type(inst.operands[0]);
  const uint64_t mask = info(type.dtype).bits - 1;
  Frag x = w.exact(inst.operands[0]), count;
  if (const auto c = w.module().constant(inst.operands[1])) {
    count = literal(DType::U32, *c & mask);
  } else {
    count =
        infix(w.exact(inst.operands[1]), "&", literal(DType::U32, mask), Prec::BitAnd, Form::Exact);
  }
  if (type != Type::scalar(DType::U32)) count = wrapped(type_name(type), count);
  return called("rotate", {x, count});
}

// Metal leaves open what bits beyond the width are; the functions of the prelude leave them out.
template <>
Frag hand<Op::ExtractBits>(Writer& w, const Instruction& inst) {
  return bit_field(w, inst, "extract_bits");
}

template <>
Frag hand<Op::InsertBits>(Writer& w, const Instruction& inst) {
  return bit_field(w, inst, "insert_bits");
}

template <>
Frag hand<Op::Select>(Writer& w, const Instruction& inst) {
  Frag no = w.exact(inst.operands[0]), yes = w.exact(inst.operands[1]);
  Frag test = w.exact(inst.operands[2]);
  if (Type t = w.type(inst.operands[0]); !t.is_scalar()) {
    // Bools have no select, and bfloats go by their bits.
    if (t.dtype == DType::B1) no = wrapped(type_name(t.with(DType::U8)), no);
    if (t.dtype == DType::B1) yes = wrapped(type_name(t.with(DType::U8)), yes);
    const std::string as_bits = concat("as_type<", type_name(t.with(DType::U16)), ">");
    if (t.dtype == DType::BF16) no = wrapped(as_bits, no), yes = wrapped(as_bits, yes);
    Frag f = make_frag(concat("select(", no.text, ", ", yes.text, ", ", test.text, ")"),
                       Prec::Primary, Form::Exact, {&no, &yes, &test});
    if (t.dtype == DType::BF16) return wrapped(concat("as_type<", type_name(t), ">"), f);
    if (t.dtype != DType::B1) return f;
    return infix(f, "!=", literal(t.with(DType::U8), 0), Prec::Equality, Form::Exact);
  }
  std::string middle = yes.prec == Prec::Ternary ? concat("(", yes.text, ")") : yes.text;
  return make_frag(concat(as_operand(test, Prec::Ternary, true), " ? ", middle, " : ", no.text),
                   Prec::Ternary, Form::Exact, {&no, &yes, &test});
}

template <>
Frag hand<Op::Cast>(Writer& w, const Instruction& inst) {
  ValueId x = inst.operands[0];
  Type from = w.type(x), to = w.type(inst.results[0]);
  if (from.is_scalar() && !to.is_scalar()) {  // all components are the number
    Type one = Type::scalar(to.dtype);
    Frag f = convert(w, x, from, one);
    return wrapped(type_name(to), w.to_exact(std::move(f), one));
  }
  if (!to.is_matrix()) return convert(w, x, from, to);
  Frag m = w.atom(x);
  std::string columns;
  for (int c = 0; c < to.cols; ++c) {
    const std::string column = type_name(Type::vector(to.dtype, to.rows));
    columns += concat(c ? ", " : "", column, "(", m.text, "[", c, "])");
  }
  return make_frag(concat(type_name(to), "(", columns, ")"), Prec::Primary, Form::Exact, {&m});
}

template <>
Frag hand<Op::AsType>(Writer& w, const Instruction& inst) {
  ValueId x = inst.operands[0];
  Type from = w.type(x), to = w.type(inst.results[0]);
  bool has_bits = !is_float(from.dtype) && !is_float(to.dtype);
  if (from == to || has_bits) return convert(w, x, from, to);
  return wrapped(concat("as_type<", type_name(to), ">"), w.exact(x));
}

// The element is read where the mask holds alone: elsewhere its index may be outside, or another
// thread may write what is there.
template <>
Frag hand<Op::LoadIf>(Writer& w, const Instruction& inst) {
  Frag value = w.element(inst.operands[0], w.index_of(inst.operands[1]), inst.attr);
  Frag mask = w.exact(inst.operands[2]), other = w.exact(inst.operands[3]);
  return make_frag(concat(as_operand(mask, Prec::Ternary, true), " ? ", value.text, " : ",
                          as_operand(other, Prec::Ternary, true)),
                   Prec::Ternary, Form::Exact, {&mask, &value, &other});
}

}  // namespace enigma::msl
