// Vectors and matrices in the builder: made of their parts, and taken apart.

#include "enigma/builder.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/signature.h"

namespace enigma {

ValueId Builder::State::make(Op op, std::span<const Operand> parts, Type part) {
  ValueIds values;
  for (const Operand& x : parts) {
    const Literal* l = std::get_if<Literal>(&x);
    values.push_back(cast(l ? literal(part.dtype, *l, false) : std::get<ValueId>(x), part));
  }
  const Type made = made_of(part, values.size());
  return emit(op, std::move(values), made);
}

ValueId Builder::State::part(ValueId whole, uint64_t index) {
  return emit(Op::VecExtract, {whole}, part_type(type(whole)), index);
}

ValueId Builder::State::gather(std::span<const Operand> parts, Type type, std::string_view user) {
  int count = 0;
  bool good = true;
  for (const Operand& x : parts) {
    const ValueId* v = std::get_if<ValueId>(&x);
    if (v) check_value(*v);
    const Type t = v ? this->type(*v) : Type::scalar(natural_type(std::get<Literal>(x)));
    count += t.elements();
    good &= t.cols == 1 && (is_float(t.dtype) || is_integer(t.dtype)) &&
            (is_float(t.dtype) == is_float(type.dtype) || !v);
  }
  const Type part = Type::scalar(type.dtype);
  const bool one = parts.size() == 1 && count > 1;
  if (!good || count != type.rows || (parts.size() != type.rows && !one)) {
    fail(user, " takes ", to_string(type), " or ", int{type.rows}, " numbers, ", describe(parts),
         " was given");
  }
  if (one) return convert(parts[0], type);
  ValueIds components;
  for (const Operand& x : parts) components.push_back(convert(x, part));
  return emit(Op::MakeVec, std::move(components), type);
}

ValueId Builder::State::factor(const Operand& x, std::span<const Operand> factors,
                               std::string_view user) {
  const Operand* both[] = {&factors[0], &factors[1]};
  const Type element = Type::scalar(meet(both));
  const ValueId* v = std::get_if<ValueId>(&x);
  if (!v || type(*v).is_scalar() || !exists(Type::matrix(element.dtype, 2, 2))) {
    fail(user, " takes float or half matrices and vectors, ", describe(factors[0]), " and ",
         describe(factors[1]), " were given: ", signature_text(info(Op::MatMul)),
         "; write make_matrix(...), which takes the columns");
  }
  return cast(*v, type(*v).with(element.dtype));
}

namespace {

constexpr int kLargest = 4;

}  // namespace

ValueId Builder::make_vec(Operands parts) {
  State& s = *state_;
  std::vector<const Operand*> all;
  for (const Operand& x : parts) {
    if (const ValueId* v = std::get_if<ValueId>(&x)) s.check_value(*v);
    all.push_back(&x);
  }
  int count = 0;
  for (const Operand& x : parts) {
    const ValueId* v = std::get_if<ValueId>(&x);
    count += v ? s.type(*v).elements() : 1;
  }
  if (count < 2 || count > kLargest) {
    s.fail("make_vec takes 2 to 4 components, ", count, count == 1 ? " was given" : " were given");
  }
  return make_vec(Type::vector(s.meet(all), count), parts);
}

ValueId Builder::make_vec(Type type, Operands parts) {
  State& s = *state_;
  if (!type.is_vector() || !exists(type)) s.fail("make_vec() is given a type that is no vector");
  std::vector<Operand> components;
  for (const Operand& x : parts) {
    const ValueId* v = std::get_if<ValueId>(&x);
    if (v) s.check_value(*v);
    if (!v || s.type(*v).is_scalar()) {
      components.push_back(x);
      continue;
    }
    if (!s.type(*v).is_vector()) {
      s.fail("make_vec takes numbers and vectors, ", s.describe(*v), " was given");
    }
    for (int k = 0; k < s.type(*v).rows; ++k) {
      components.emplace_back(s.part(*v, static_cast<uint64_t>(k)));
    }
  }
  if (components.size() == 1) components.assign(type.rows, components[0]);
  if (components.size() != type.rows) {
    s.fail(to_string(type), " has ", int{type.rows}, " components, ", components.size(),
           " were given");
  }
  return s.make(Op::MakeVec, components, Type::scalar(type.dtype));
}

ValueId Builder::make_matrix(Operands columns) {
  State& s = *state_;
  std::vector<const Operand*> all;
  Type first;
  bool good = columns.size() >= 2 && columns.size() <= kLargest;
  for (const Operand& x : columns) {
    const ValueId* v = std::get_if<ValueId>(&x);
    if (v) s.check_value(*v);
    const Type t = v ? s.type(*v) : Type{};
    if (all.empty()) first = t;
    good &= t.is_vector() && t.rows == first.rows && is_float(t.dtype);
    all.push_back(&x);
  }
  const DType t = good ? s.meet(all) : DType::F32;
  if (!good || !exists(Type::matrix(t, 2, 2))) {
    s.fail("make_matrix takes 2 to 4 columns, which are float or half vectors of one size, ",
           s.describe(columns), columns.size() < 2 ? " was" : " were", " given");
  }
  return s.make(Op::MakeMatrix, columns, Type::vector(t, first.rows));
}

ValueId Builder::extract(ValueId whole, Operand index) {
  State& s = *state_;
  s.check_value(whole);
  const Type type = s.type(whole);
  if (type.is_scalar()) s.fail(s.describe(whole), " is one number, and has no components");
  const int count = part_count(type);
  if (const Literal* l = std::get_if<Literal>(&index)) {
    const bool whole_number =
        !std::holds_alternative<double>(*l) && !std::holds_alternative<bool>(*l);
    if (!whole_number || is_negative(*l) || literal_bits(DType::U64, *l) >= uint64_t(count)) {
      s.fail(s.describe(whole), " has the ", type.is_matrix() ? "columns" : "components", " 0 to ",
             count - 1, ", not ", to_string(*l));
    }
    return s.part(whole, literal_bits(DType::U64, *l));
  }
  ValueId which = s.index(index);
  ValueId found = s.part(whole, static_cast<uint64_t>(count - 1));
  for (int k = count - 2; k >= 0; --k) {
    ValueId here = apply("cmp_eq", {which, k});
    found = apply("where", {found, s.part(whole, static_cast<uint64_t>(k)), here});
  }
  return found;
}

}  // namespace enigma
