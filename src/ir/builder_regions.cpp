// Control flow in the builder: for, while and if, their carried values and results.

#include "enigma/builder.h"
#include "ir/builder_state.h"
#include "ir/literal.h"
#include "ir/verify.h"
#include "support/floats.h"

namespace enigma {
namespace {

// Whether conversion keeps every value; an integer may become any float.
bool keeps_value(DType from, DType to) {
  if (from == to || from == DType::B1) return true;
  if (is_float(to)) return !is_float(from) || promote(from, to) == to;
  if (is_float(from) || to == DType::B1) return false;
  const int spare = info(to).bits - info(from).bits;
  return is_signed(to) == is_signed(from) ? spare >= 0 : is_signed(to) && spare > 0;
}

}  // namespace

InstId Builder::State::begin(Op op, ValueIds operands, Open::Kind kind) {
  if (open.size() + 2 > kMaxDepth) {  // with the body and the one that begins here
    fail("control flow is nested more than ", kMaxDepth - 1,
         " deep; move a part of it out of the loops and conditions around it");
  }
  if (open.empty()) {
    mark = {m.values.size(), m.insts.size(), m.regions.size(),
            allocs,          constants,      threadgroup_bytes};
  }
  InstId inst = append(op, std::move(operands));
  RegionId r = region(inst);
  open.push_back({kind, inst, {}});
  is_open[r.index] = true;
  at = r;
  return inst;
}

// Closes the innermost region and opens the second one of the same instruction.
void Builder::State::begin_second(Open::Kind kind) {
  is_open[at.index] = false;
  Open& o = open.back();
  o.kind = kind;
  at = region(o.inst);
  is_open[at.index] = true;
}

void Builder::State::leave() {
  is_open[at.index] = false;
  open.pop_back();
  at = m.body;
  if (open.empty()) return;
  const Open& outer = open.back();
  const bool second = outer.kind == Open::Kind::Body || outer.kind == Open::Kind::Else;
  at = m[outer.inst].regions[second ? 1 : 0];
}

Builder::State::Open& Builder::State::innermost(Open::Kind kind, const char* caller) {
  if (open.empty() || open.back().kind != kind) {
    if (open.empty()) fail(caller, "() closes nothing: no region is open");
    fail(caller, "() does not fit here: ", describe_region(at), " is open, which ",
         open.back().closer(), "() closes");
  }
  return open.back();
}

// ---- carried values ----

std::vector<std::optional<Literal>> Builder::State::add_inits(std::span<const Operand> inits,
                                                              ValueIds& operands) {
  std::vector<std::optional<Literal>> literals;
  for (const Operand& x : inits) {
    if (const Literal* l = std::get_if<Literal>(&x)) {
      literals.push_back(*l);
      operands.push_back(literal(natural_type(*l), *l, false));
    } else {
      literals.push_back(std::nullopt);
      check_value(std::get<ValueId>(x));
      operands.push_back(std::get<ValueId>(x));
    }
  }
  return literals;
}

ValueId Builder::State::carry(const Operand& x, Type to, ValueId arg,
                              const std::optional<Literal>& init) {
  const ValueId* v = std::get_if<ValueId>(&x);
  if (v) check_value(*v);
  if (!init) return convert(x, to);
  // The value began as a literal, so its type was a guess: one that loses the next value is wrong.
  const Type next = v ? type(*v) : Type::scalar(natural_type(std::get<Literal>(x)));
  const bool kept =
      v ? next.is_scalar() && keeps_value(next.dtype, to.dtype)
        : fits(to.dtype, std::get<Literal>(x)) && (is_float(to.dtype) || !is_float(next.dtype));
  if (!kept) {
    const std::string& name = m.name_of(arg);
    std::string typed = concat(info(next.dtype).mnemonic, "(", to_string(*init), ")");
    if (next.is_vector()) {
      typed = concat("make_vec(", to_string(*init));
      for (int k = 1; k < next.rows; ++k) typed += concat(", ", to_string(*init));
      typed += ")";
    }
    if (next.is_matrix()) typed = "make_matrix(...), which takes the columns,";
    fail(name.empty() ? "a carried value" : name, " starts as the ", python_type(*init),
         " literal ", to_string(*init), " (", to_string(to), ") but becomes ", to_string(next),
         " in the loop; write enigma.", typed, " before the loop");
  }
  return convert(x, to);
}

std::vector<ValueId> Builder::State::end_loop(std::span<const ValueId> args,
                                              std::span<const Operand> next) {
  if (next.size() != args.size()) {
    fail(describe_region(at), " carries ", args.size(), args.size() == 1 ? " value" : " values",
         ", and ", open.back().closer(), "() is given ", next.size());
  }
  const InstId inst = open.back().inst;
  ValueIds yielded;
  for (size_t k = 0; k < args.size(); ++k) {
    yielded.push_back(carry(next[k], type(args[k]), args[k], open.back().literal_inits[k]));
  }
  append(Op::Yield, std::move(yielded));
  leave();
  std::vector<ValueId> results;
  for (ValueId a : args) results.push_back(result(inst, type(a)));
  return results;
}

// ---- for ----

ValueId Builder::State::loop_bound(const Operand& x, const char* what, DType index_type) {
  if (const Literal* l = std::get_if<Literal>(&x)) {
    if (std::holds_alternative<double>(*l)) {
      fail("the ", what, " of a loop is an integer, ", describe(x), " was given");
    }
    if (!fits(index_type, *l)) {
      fail("the ", what, " of the loop, ", to_string(*l), ", does not fit its index type ",
           info(index_type).mnemonic, "; give for_range another dtype, such as ",
           is_unsigned(index_type) ? "\"int\"" : "\"long\"");
    }
  } else {
    ValueId v = std::get<ValueId>(x);
    check_value(v);
    if (!type(v).is_scalar() || !is_integer(type(v).dtype)) {
      fail("the ", what, " of a loop is an integer, ", describe(v),
           " was given; write metal_cast(x, \"", info(index_type).msl, "\")");
    }
  }
  if (const ValueId* v = std::get_if<ValueId>(&x);
      v && info(type(*v).dtype).bits > info(index_type).bits) {
    warn(concat("the ", what, " of the loop, ", describe(x), ", is cut to the ",
                int{info(index_type).bits}, " bits of the loop's index; give for_range dtype=\"",
                info(type(*v).dtype).msl, "\""));
  }
  return convert(x, Type::scalar(index_type));
}

Builder::Loop Builder::begin_for(Operand lo, Operand hi, Operand step, DType index_type,
                                 Operands inits) {
  State& s = *state_;
  s.check_dtype(index_type);
  if (!is_integer(index_type)) {
    s.fail("the index of a loop is an integer, dtype ", info(index_type).mnemonic, " was given");
  }
  ValueIds operands{s.loop_bound(lo, "start", index_type), s.loop_bound(hi, "end", index_type),
                    s.loop_bound(step, "step", index_type)};
  if (s.m.constant(operands[2]) == uint64_t{0}) {
    s.fail("the step of a loop is 0, so that it would never end; give a step other than 0");
  }
  auto literals = s.add_inits(inits, operands);
  s.begin(Op::For, operands, State::Open::Kind::For);
  s.open.back().literal_inits = std::move(literals);
  Loop loop{s.argument(s.at, Type::scalar(index_type)), {}};
  for (size_t k = 3; k < operands.size(); ++k) {
    loop.args.push_back(s.argument(s.at, s.type(operands[k])));
  }
  return loop;
}

std::vector<ValueId> Builder::end_for(Operands next) {
  State& s = *state_;
  s.innermost(State::Open::Kind::For, "end_for");
  const std::vector<ValueId> args = s.m[s.at].args;
  return s.end_loop(std::span(args).subspan(1), next);
}

// ---- while ----

Builder::Loop Builder::begin_while(Operands inits) {
  State& s = *state_;
  ValueIds operands;
  auto literals = s.add_inits(inits, operands);
  s.begin(Op::While, operands, State::Open::Kind::Condition);
  s.open.back().literal_inits = std::move(literals);
  Loop loop;
  for (ValueId v : operands) loop.args.push_back(s.argument(s.at, s.type(v)));
  return loop;
}

Builder::Loop Builder::while_body(Operand condition) {
  State& s = *state_;
  s.innermost(State::Open::Kind::Condition, "while_body");
  const std::vector<ValueId> args = s.m[s.at].args;
  ValueId c = s.condition(condition, Type::scalar(DType::B1), "while_");
  s.append(Op::Condition, {c});
  s.begin_second(State::Open::Kind::Body);
  Loop loop;
  for (ValueId a : args) {
    loop.args.push_back(s.argument(s.at, s.type(a)));
    s.set_name(loop.args.back(), s.m.name_of(a));
  }
  return loop;
}

std::vector<ValueId> Builder::end_while(Operands next) {
  State& s = *state_;
  s.innermost(State::Open::Kind::Body, "end_while");
  const std::vector<ValueId> args = s.m[s.at].args;
  return s.end_loop(args, next);
}

// ---- if ----

void Builder::begin_if(Operand condition) {
  State& s = *state_;
  ValueId c = s.condition(condition, Type::scalar(DType::B1), "if_");
  s.begin(Op::If, {c}, State::Open::Kind::Then);
}

void Builder::begin_else() {
  State& s = *state_;
  s.innermost(State::Open::Kind::Then, "begin_else");
  s.begin_second(State::Open::Kind::Else);
}

std::vector<ValueId> Builder::end_if(Operands then, Operands otherwise) {
  State& s = *state_;
  if (!s.open.empty() && s.open.back().kind == State::Open::Kind::Then) begin_else();
  s.innermost(State::Open::Kind::Else, "end_if");
  if (then.size() != otherwise.size()) {
    s.fail("the arms of ", s.describe_region(s.at), " hand over ", then.size(), " and ",
           otherwise.size(), " values; each result has one of either arm");
  }
  const InstId inst = s.open.back().inst;
  const auto arms = s.m[inst].regions;
  const std::span<const Operand> given[] = {then, otherwise};
  // Instructions may still be added to either arm: each is opened in turn.
  auto reopen = [&](int arm) {
    s.is_open[arms[arm].index] = true;
    s.is_open[arms[1 - arm].index] = false;
    s.at = arms[arm];
  };
  for (int arm : {0, 1}) {
    reopen(arm);
    for (const Operand& x : given[arm]) {
      if (const ValueId* v = std::get_if<ValueId>(&x)) s.check_value(*v);
    }
  }
  std::vector<Type> types;
  for (size_t k = 0; k < then.size(); ++k) {
    Type shape = Type::scalar(DType::F32);
    for (const Operand* x : {&then[k], &otherwise[k]}) {
      const ValueId* v = std::get_if<ValueId>(x);
      if (v && !s.type(*v).is_scalar()) shape = s.type(*v);
    }
    const Operand* pair[] = {&then[k], &otherwise[k]};
    types.push_back(shape.with(s.meet(pair)));
  }
  for (int arm : {0, 1}) {
    reopen(arm);
    ValueIds yielded;
    for (size_t k = 0; k < types.size(); ++k) {
      const Operand& x = given[arm][k];
      const Literal* l = std::get_if<Literal>(&x);
      ValueId v = l ? s.literal(types[k].dtype, *l, false) : std::get<ValueId>(x);
      yielded.push_back(s.cast(v, types[k]));
    }
    s.append(Op::Yield, std::move(yielded));
  }
  s.leave();
  std::vector<ValueId> results;
  for (Type t : types) results.push_back(s.result(inst, t));
  return results;
}

}  // namespace enigma
