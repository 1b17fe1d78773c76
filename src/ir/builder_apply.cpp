// Typing of operations: which row of a name takes the operands, and what they are converted to.

#include <algorithm>
#include <tuple>

#include "enigma/builder.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/signature.h"
#include "support/floats.h"

namespace enigma {
namespace {

// Operations whose low bits do not depend on the operands' sign: a literal of either sign will do.
bool takes_either_sign(Op op) {
  switch (op) {
    case Op::AddI:
    case Op::SubI:
    case Op::MulI:
    case Op::AndI:
    case Op::OrI:
    case Op::XorI:
      return true;
    default:
      return false;
  }
}

// An integer type that holds every value of t and the literal, for advice.
const char* wider_name(DType t, const Literal& x) {
  for (DType w : {DType::I32, DType::I64}) {
    const bool holds =
        info(w).bits > info(t).bits || (is_signed(t) && info(w).bits == info(t).bits);
    if (holds && fits(w, x)) return info(w).msl;
  }
  return "float";
}

}  // namespace

DType Builder::State::meet(std::span<const Operand* const> operands) const {
  std::optional<DType> typed;
  std::vector<const Literal*> literals;
  bool float_literal = false;
  bool number_literal = false;
  for (const Operand* x : operands) {
    if (const ValueId* v = std::get_if<ValueId>(x)) {
      typed = typed ? promote(*typed, type(*v).dtype) : type(*v).dtype;
      continue;
    }
    const Literal& l = std::get<Literal>(*x);
    float_literal |= std::holds_alternative<double>(l);
    number_literal |= !std::holds_alternative<bool>(l);
    literals.push_back(&l);
  }
  if (typed && is_float(*typed)) return *typed;
  if (float_literal) return DType::F32;
  if (!number_literal) return typed.value_or(DType::B1);
  if (typed && *typed != DType::B1) return *typed;
  for (DType t : {DType::I32, DType::U32, DType::I64}) {
    if (std::all_of(literals.begin(), literals.end(), [&](auto* l) { return fits(t, *l); }))
      return t;
  }
  return DType::U64;
}

ValueId Builder::State::literal(DType t, const Literal& x, bool wraps) {
  if (!(wraps ? fits_width(t, x) : fits(t, x))) {
    if (!is_integer(t)) {
      fail("the literal ", to_string(x), " does not fit ", info(t).mnemonic,
           "; write float(\"inf\") where infinity is meant");
    }
    fail("the literal ", to_string(x), " does not fit ", info(t).mnemonic,
         ", the type of the operand beside it; convert that operand first: metal_cast(x, \"",
         wider_name(t, x), "\")");
  }
  return constant(Type::scalar(t), literal_bits(t, x));
}

ValueId Builder::State::cast(ValueId v, Type t) {
  Type from = type(v);
  if (from == t) return v;
  const bool same_shape = from.is_value() && from.with(t.dtype) == t;
  const bool broadcast = from.is_value() && from.is_scalar() && t.is_vector();
  if ((!same_shape && !broadcast) || !exists(t)) {
    const bool takes_part = t.is_scalar() && from.is_vector();
    fail(describe(v), " cannot be converted to ", to_string(t),
         takes_part ? "; take one component of it, as v.x" : "");
  }
  return emit(Op::Cast, {v}, t);
}

ValueId Builder::State::convert(const Operand& x, Type t) {
  if (const ValueId* v = std::get_if<ValueId>(&x)) {
    check_value(*v);
    return cast(*v, t);
  }
  const Literal& l = std::get<Literal>(x);
  if (!fits_width(t.dtype, l)) {
    fail("the ", python_type(l), " ", to_string(l), " does not fit ", info(t.dtype).mnemonic);
  }
  return cast(constant(Type::scalar(t.dtype), literal_bits(t.dtype, l)), t);
}

namespace {
// How a message goes on after what was given, when a row is being applied.
// What Python writes without a name, as A[i], has no signature to show.
std::string of_row(const OpInfo* row) {
  return row && *row->python ? concat(": ", signature_text(*row)) : "";
}
}  // namespace

ValueId Builder::State::condition(const Operand& x, Type shaped_like, std::string_view user,
                                  const OpInfo* row) {
  ValueId v;
  if (const Literal* l = std::get_if<Literal>(&x)) {
    if (!std::holds_alternative<bool>(*l)) {
      fail(user, " takes a condition, ", describe(x), " was given", of_row(row),
           "; write a comparison or a bool");
    }
    v = constant(Type::scalar(DType::B1), literal_bits(DType::B1, *l));
  } else {
    v = std::get<ValueId>(x);
    check_value(v);
    if (type(v).dtype != DType::B1 || !type(v).is_value()) {
      const std::string& name = m.name_of(v);
      fail(user, " takes a condition, ", describe(v), " was given", of_row(row), "; write ",
           name.empty() ? "x" : name, " != 0");
    }
  }
  if (type(v).elements() > 1 && type(v).elements() != shaped_like.elements()) {
    fail(user, " takes one condition, ", describe(v), " was given", of_row(row));
  }
  return cast(v, shaped_like.with(DType::B1));
}

ValueId Builder::State::index(const Operand& x, const OpInfo* row) {
  if (const Literal* l = std::get_if<Literal>(&x)) {
    if (!std::holds_alternative<double>(*l) && !std::holds_alternative<bool>(*l)) {
      if (is_negative(*l)) fail("the index ", to_string(*l), " is negative; indices count from 0");
      DType t = fits(DType::U32, *l) ? DType::U32 : DType::U64;
      return constant(Type::scalar(t), literal_bits(t, *l));
    }
  } else {
    ValueId v = std::get<ValueId>(x);
    check_value(v);
    if (type(v).is_scalar() && is_integer(type(v).dtype)) return v;
  }
  fail("an index is an integer, ", describe(x), " was given", of_row(row),
       "; write metal_cast(i, \"uint\")");
}

ValueId Builder::State::lane(const Operand& x, std::string_view user, const OpInfo* row) {
  if (const Literal* l = std::get_if<Literal>(&x)) {
    if (std::holds_alternative<double>(*l) || !fits(DType::U32, *l)) {
      fail(user, " takes a uint here, ", describe(x), " was given", of_row(row));
    }
    return constant(Type::scalar(DType::U32), literal_bits(DType::U32, *l));
  }
  ValueId v = std::get<ValueId>(x);
  check_value(v);
  if (!type(v).is_scalar() || !is_integer(type(v).dtype)) {
    fail(user, " takes a uint here, ", describe(v), " was given", of_row(row),
         "; write metal_cast(x, \"uint\")");
  }
  return cast(v, Type::scalar(DType::U32));
}

ValueId Builder::State::memory(const Operand& x, std::string_view user) {
  const ValueId* v = std::get_if<ValueId>(&x);
  if (!v) fail(user, " takes a buffer, ", describe(x), " was given");
  check_visible(*v);
  if (type(*v).is_memory()) return *v;
  for (const Param& p : m.params) {
    if (p.value == *v) {
      fail(p.name,
           " is a scalar parameter, not a buffer: it is read as it is, without an index, "
           "and cannot be written; annotate it with ",
           info(p.dtype).mnemonic, " to make it a buffer");
    }
  }
  fail(user, " takes a buffer, ", describe(*v), " was given");
}

// T as a row has it for these operands: the type in which they meet, in the shape of the widest of
// them; none when that is not of the row's class.
std::optional<Type> Builder::State::shared(const OpInfo& row,
                                           std::span<const Operand> operands) const {
  std::vector<const Operand*> sharing;
  Type shape = Type::scalar(DType::F32);
  const char letter = class_of(row);
  for (size_t k = 0; k < operands.size(); ++k) {
    const char is = row.operands[k];
    const ValueId* v = std::get_if<ValueId>(&operands[k]);
    const Type t = v ? type(*v) : Type::scalar(DType::F32);
    if (is_class_letter(is) || is == 's') sharing.push_back(&operands[k]);
    if (is == 's' && !t.is_scalar()) return std::nullopt;
    if (is_matrix_class(letter) && is_class_letter(is) && !t.is_matrix()) return std::nullopt;
    if (!(is_class_letter(is) || is == 'b') || t.is_scalar()) continue;
    if (!shape.is_scalar() && t.with(shape.dtype) != shape) {
      if (t.is_matrix() || shape.is_matrix()) return std::nullopt;
      fail(user_name(row), " takes vectors of one size, ", describe(operands[0]), " and ",
           describe(*v), " were given");
    }
    shape = t.with(shape.dtype);
  }
  shape = shape.with(meet(sharing));
  return in_class(letter, shape) ? std::optional(shape) : std::nullopt;
}

bool Builder::State::any_matrix(std::span<const Operand> operands) const {
  return std::any_of(operands.begin(), operands.end(), [&](const Operand& x) {
    const ValueId* v = std::get_if<ValueId>(&x);
    return v && type(*v).is_matrix();
  });
}

// What would make the operands fit.
const char* Builder::State::advice(std::span<const Op> rows,
                                   std::span<const Operand> operands) const {
  bool any_number = false, any_part = false, all_float = true;
  for (const Operand& x : operands) {
    const ValueId* v = std::get_if<ValueId>(&x);
    any_number |= !v || type(*v).dtype != DType::B1;
    any_part |= !v || type(*v).is_scalar();
    all_float &= !v || is_float(type(*v).dtype);
  }
  bool takes_floats = false, takes_integers = false;
  for (Op op : rows) {
    takes_floats |= class_of(info(op)) == 'F';
    takes_integers |= class_of(info(op)) == 'I';
  }
  const char c = class_of(info(rows.front()));
  if (is_matrix_class(c)) return "make_matrix(...), which takes the columns";
  if (any_matrix(operands)) {
    return "a @ b for a product of matrices, or compute with their columns, as m[0]";
  }
  if ((c == 'V' && any_part) || (c == 'W' && all_float)) {
    return "make_vec(...), which takes the components";
  }
  if (c == 'V' && all_float) return "v.x, one component, for the operand that is no vector";
  if (takes_floats && any_number) return "metal_cast(x, \"float\")";
  return takes_integers ? "metal_cast(x, \"int\")" : "metal_cast(x, \"float\")";
}

// The first row whose class takes the operands, and T. Literals alone may become floats.
std::pair<Op, Type> Builder::State::choose(std::span<const Op> rows,
                                           std::span<const Operand> operands) const {
  for (Op op : rows) {
    if (auto t = shared(info(op), operands)) return {op, *t};
  }
  auto row_of_class = [&](char c) {
    return std::find_if(rows.begin(), rows.end(), [&](Op op) { return class_of(info(op)) == c; });
  };
  const bool only_numbers = std::all_of(operands.begin(), operands.end(), [](const Operand& x) {
    const Literal* l = std::get_if<Literal>(&x);
    return l && !std::holds_alternative<bool>(*l);
  });
  if (only_numbers && row_of_class('F') != rows.end()) {
    return {*row_of_class('F'), Type::scalar(DType::F32)};
  }
  const OpInfo& first = info(rows.front());
  const bool matrices = any_matrix(operands);
  Text accepted, signatures;
  for (Op op : rows) {
    const char c = class_of(info(op));
    if (is_matrix_class(c) && !matrices && op != rows.front()) continue;
    std::string kind = c == 'B' ? "bool" : concat(letter_text(c), "s");
    if (is_matrix_class(c)) kind = c == 'Q' ? "square float matrices" : "float matrices";
    if (accepted.str().find(kind) == std::string::npos) {
      accepted.add(op == rows.front() ? "" : " or ", kind);
    }
    signatures.add(op == rows.front() ? "" : ", ", signature_text(info(op)));
  }
  fail(user_name(first), " takes ", accepted.str(), ", not ", describe(operands), ": ",
       signatures.str(), "; write ", advice(rows, operands));
}

void Builder::State::warn_if_constant(Op op, DType t, std::span<const ValueId> operands) {
  enum { kLt, kLe, kGt, kGe } relation;
  switch (op) {
    case Op::CmpLtI:
    case Op::CmpUlt:
      relation = kLt;
      break;
    case Op::CmpLeI:
    case Op::CmpUle:
      relation = kLe;
      break;
    case Op::CmpGtI:
    case Op::CmpUgt:
      relation = kGt;
      break;
    case Op::CmpGeI:
    case Op::CmpUge:
      relation = kGe;
      break;
    default:
      return;
  }
  const bool as_unsigned = is_unsigned(t) || (op != Op::CmpLtI && op != Op::CmpLeI &&
                                              op != Op::CmpGtI && op != Op::CmpGeI);
  std::optional<uint64_t> left = m.constant(operands[0]), right = m.constant(operands[1]);
  if (left.has_value() == right.has_value()) return;
  if (left) {  // c < x is x > c
    right = left;
    relation = relation == kLt ? kGt : relation == kLe ? kGe : relation == kGt ? kLt : kLe;
  }
  const uint64_t all = mask_to(t, UINT64_MAX);
  const uint64_t least = as_unsigned ? 0 : all ^ (all >> 1);
  const uint64_t greatest = as_unsigned ? all : all >> 1;
  const char* always =
      (relation == kLt && *right == least) || (relation == kGt && *right == greatest)   ? "false"
      : (relation == kGe && *right == least) || (relation == kLe && *right == greatest) ? "true"
                                                                                        : nullptr;
  if (!always) return;
  ValueId x = left ? operands[1] : operands[0];
  const bool at_least = *right == least;
  warn(concat("this comparison is always ", always, ": ", describe(x),
              as_unsigned && at_least ? " is unsigned and never below 0" : " cannot be ",
              as_unsigned && at_least ? ""
              : at_least              ? "less than the constant"
                                      : "greater than the constant"));
}

ValueId Builder::State::apply(std::span<const Op> rows, std::span<const Operand> operands,
                              uint64_t attr) {
  const OpInfo& first = info(rows.front());
  std::string_view user = user_name(first);
  if (first.result == '?' || first.shape == Shape::Yield || first.shape == Shape::SimdMatrix) {
    fail(first.mnemonic,
         " is not built by apply(): constants, casts, allocations, SIMD-group matrices and ",
         "control flow have functions of their own");
  }
  if (first.shape == Shape::Composed) return compose(rows.front(), operands);
  if (operands.size() != first.operands.size()) {
    fail(user, " takes ", first.operands.size(), " operands, ", operands.size(),
         " were given: ", signature_text(first));
  }
  for (size_t k = 0; k < operands.size(); ++k) {
    const ValueId* v = std::get_if<ValueId>(&operands[k]);
    if (!v || first.operands[k] == 'm') continue;
    check_value(*v);
    if (!type(*v).is_value()) fail(user, " does not take ", describe(*v));
  }
  Op op = rows.front();
  Type shape = Type::scalar(DType::F32);
  if (class_of(first)) std::tie(op, shape) = choose(rows, operands);
  const OpInfo& row = info(op);

  ValueIds values;
  ValueId mem;
  for (size_t k = 0; k < operands.size(); ++k) {
    const Operand& x = operands[k];
    switch (row.operands[k]) {
      case 'b':
        values.push_back(condition(x, mem ? Type::scalar(DType::B1) : shape, user, &row));
        break;
      case 'f':
        values.push_back(convert(x, shape.with(DType::F32)));
        break;
      case 'u':
        values.push_back(lane(x, user, &row));
        break;
      case 'x':
        values.push_back(index(x, &row));
        break;
      case 'm':
        values.push_back(mem = memory(x, user));
        break;
      case 'e':
        values.push_back(convert(x, accessed(row, type(mem), attr)));
        break;
      case 'p':
        values.push_back(factor(x, operands, user));
        break;
      default: {
        const Type t = row.operands[k] == 's' ? Type::scalar(shape.dtype) : shape;
        const Literal* l = std::get_if<Literal>(&x);
        ValueId v = l ? literal(t.dtype, *l, takes_either_sign(op)) : std::get<ValueId>(x);
        values.push_back(cast(v, t));
      }
    }
  }
  warn_if_constant(op, shape.dtype, values);
  std::vector<Type> types;
  for (ValueId v : values) types.push_back(type(v));
  const Type result = result_type(row, types, attr);
  if (row.result == 'p' && !result.is_value()) {
    fail(user, " takes factors whose inner sizes agree, ", describe(operands[0]), " and ",
         describe(operands[1]), " were given: ", signature_text(row),
         "; write transpose(m) where rows and columns are meant the other way");
  }
  // What matrices of half add up is added in float.
  const bool in_float = result.dtype == DType::F16 && row.result != 't' &&
                        (is_matrix_class(class_of(row)) || row.result == 'p');
  if (in_float) {
    for (ValueId& v : values) v = cast(v, type(v).with(DType::F32));
    return cast(emit(op, std::move(values), result.with(DType::F32), attr), result);
  }
  if (result.is_value()) return emit(op, std::move(values), result, attr);
  append(op, std::move(values), attr);
  return {};
}

ValueId Builder::apply(std::string_view name, Operands operands) {
  auto rows = overloads(name);
  if (rows.empty()) {
    state_->fail("no operation is called ", name, "; the column python of enigma/ops.def has the ",
                 "names");
  }
  return state_->apply(rows, operands, 0);
}

ValueId Builder::apply(Op op, Operands operands) {
  return state_->apply(std::span(&op, 1), operands, 0);
}

ValueId Builder::cast(Operand x, DType to) {
  State& s = *state_;
  s.check_dtype(to);
  if (const Literal* l = std::get_if<Literal>(&x)) {
    const DType from = natural_type(*l);
    // By way of the literal's own type, as a traced value would go; floats are rounded only once.
    if (is_float(to) || is_float(from) || fits(to, *l)) {
      return s.constant(Type::scalar(to), literal_bits(to, *l));
    }
    return s.cast(s.constant(Type::scalar(from), literal_bits(from, *l)), Type::scalar(to));
  }
  ValueId v = std::get<ValueId>(x);
  s.check_value(v);
  return s.cast(v, s.type(v).with(to));
}

ValueId Builder::as_type(Operand x, DType to) {
  State& s = *state_;
  s.check_dtype(to);
  ValueId v;
  if (const Literal* l = std::get_if<Literal>(&x)) {
    v = constant(*l);
  } else {
    v = std::get<ValueId>(x);
    s.check_value(v);
  }
  const Type from = s.type(v);
  if (!from.is_value() || from.dtype == DType::B1 || to == DType::B1 ||
      info(from.dtype).bits != info(to).bits) {
    s.fail("as_type keeps the bits, so both types have the same width; ", s.describe(v), " has ",
           from.dtype == DType::B1 ? 1 : int{info(from.dtype).bits}, " bits and ",
           info(to).mnemonic, " has ", to == DType::B1 ? 1 : int{info(to).bits}, ": ",
           signature_text(info(Op::AsType)), "; metal_cast(x, dtype) converts the value");
  }
  if (from.dtype == to) return v;
  return s.emit(Op::AsType, {v}, from.with(to));
}

ValueId Builder::convert(Operand x, Type to) {
  if (!exists(to)) state_->fail("convert() is given a type that does not exist");
  return state_->convert(x, to);
}

}  // namespace enigma
