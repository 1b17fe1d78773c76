// Values to MSL expressions: which wait as text, which become locals, and how operators are
// spelled.
#include <algorithm>

#include "codegen/msl/prelude.h"
#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"

namespace enigma::msl {
namespace {

constexpr size_t kLongestText = 72;  // longer expressions are split over locals
constexpr size_t kLongestSum = 24;   // of a name and a number that is written wherever it is used

using Hand = Frag (*)(Writer&, const Instruction&);

constexpr bool kIsHand[] = {
#define HAND ""
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc)                       \
  std::string_view(msl).empty() && (Shape::shape == Shape::Map || Shape::shape == Shape::Cast || \
                                    Shape::shape == Shape::Load || Shape::shape == Shape::Atomic),
#include "enigma/ops.def"
#undef HAND
};

template <size_t I>
constexpr Hand hand_of() {
  if constexpr (kIsHand[I]) {
    return &hand<static_cast<Op>(I)>;
  } else {
    return nullptr;
  }
}

template <size_t... I>
Hand find_hand(Op op, std::index_sequence<I...>) {
  static constexpr Hand kHands[] = {hand_of<I>()...};
  return kHands[static_cast<size_t>(op)];
}

Hand hand_for(Op op) { return find_hand(op, std::make_index_sequence<std::size(kIsHand)>()); }

// "$0" and "$u0" replaced by the operands' texts.
std::string fill(std::string_view text, const std::vector<Frag>& args) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      out += text[i];
      continue;
    }
    if (text[++i] == 'u') ++i;
    out += args[static_cast<size_t>(text[i] - '0')].text;
  }
  return out;
}

Frag joined(std::string text, Prec prec, Form form, const std::vector<Frag>& parts) {
  Frag f{std::move(text), prec, form, false, false, {}};
  for (const Frag& p : parts) {
    f.loads |= p.loads;
    f.reads.insert(f.reads.end(), p.reads.begin(), p.reads.end());
  }
  return f;
}

// Half overloads that some of Apple's compilers lack.
bool lacks_half(Op op) {
  return op == Op::Sinh || op == Op::Cosh || op == Op::Tanh || op == Op::Atan2;
}

// What Metal's fast functions get wrong, not just less exact: tanh of large numbers, powers of
// negative ones, remainders, and angles of points on an axis. The precise ones are for float only.
bool fails_fast(Op op) {
  return op == Op::Tanh || op == Op::PowF || op == Op::Fmod || op == Op::Atan2;
}

bool is_bitwise(Op op) { return op == Op::AndI || op == Op::OrI || op == Op::XorI; }

}  // namespace

// ---- operands
// ------------------------------------------------------------------------------------

Frag Writer::raw(ValueId v) {
  if (const auto c = m_.constant(v)) return literal(type(v), *c);
  waiting_[v.index] = 0;
  return frags_[v.index];
}

Frag Writer::to_exact(Frag f, Type t) const {
  if (f.form == Form::Exact) return f;
  return make_frag(concat(type_name(t), "(", f.text, ")"), Prec::Primary, Form::Exact, {&f});
}

Frag Writer::exact(ValueId v) { return to_exact(raw(v), type(v)); }

Frag Writer::bits(ValueId v) {
  Type t = type(v);
  if (is_unsigned(t.dtype)) return exact(v);
  Type twin = t.with(unsigned_of(t.dtype));
  if (const auto c = m_.constant(v)) {
    return promotes(t) ? literal(twin, *c) : literal(t, *c, Form::Unsigned);
  }
  Frag f = raw(v);
  if (f.form == Form::Unsigned) return f;
  return make_frag(concat(type_name(twin), "(", f.text, ")"), Prec::Primary, Form::Unsigned, {&f});
}

Frag Writer::in_range(ValueId v) {
  if (const auto c = m_.constant(v); c && promotes(type(v))) {
    return literal(dtype(v), *c, Form::Promoted);
  }
  Frag f = raw(v);
  return f.form == Form::Promoted ? f : to_exact(std::move(f), type(v));
}

// A number needs no suffix in brackets.
Frag Writer::index_of(ValueId v) {
  Frag f = in_range(v);
  Range r = ranges_[v];
  if (m_.constant(v) && r.within({0, INT32_MAX})) f.text = concat(static_cast<int32_t>(r.lo));
  return f;
}

Frag Writer::as_float(ValueId v) {
  Type wide = type(v).with(DType::F32);
  if (const auto c = m_.constant(v)) {
    Frag f = float_literal(dtype(v), *c);
    if (!wide.is_scalar()) f.text = concat(type_name(wide), "(", f.text, ")");
    return f;
  }
  Frag f = exact(v);
  if (dtype(v) == DType::F32) return f;
  return make_frag(concat(type_name(wide), "(", f.text, ")"), Prec::Primary, Form::Exact, {&f});
}

Frag Writer::atom(ValueId v) {
  Frag f = exact(v);
  if (f.atom) return f;
  const Value& value = m_[v];
  std::string name = value.def ? local_name(value.def) : names_.declare("value");
  line(concat("const ", type_name(value.type), " ", name, " = ", f.text, ";"));
  Frag out;
  out.text = name;
  out.atom = true;
  return out;
}

bool Writer::waits_unsigned(ValueId v) const { return frags_[v.index].form == Form::Unsigned; }

Frag Writer::element(ValueId memory, const Frag& index, uint64_t lanes) const {
  Frag f = make_frag(place(memory, index, lanes), lanes ? Prec::Unary : Prec::Primary, Form::Exact,
                     {&index});
  f.loads = true;
  if (m_.type(memory).dtype == DType::B1) {
    f.text += " != 0";
    f.prec = Prec::Equality;
  }
  return f;
}

std::string Writer::prelude(std::string_view function, DType t, int components) {
  check_prelude(function, t);
  std::string name(function);
  prelude_.emplace(name, t, components);
  if (!name.ends_with("_T")) return name;
  return concat(name.substr(0, name.size() - 1), name_of(t));
}

// ---- one instruction
// -----------------------------------------------------------------------------

void Writer::value(InstId id) {
  const Instruction& inst = m_[id];
  switch (info(inst.op).shape) {
    case Shape::Query: {
      Frag f = frags_[inst.results[0].index];  // set by parameters()
      define(id, std::move(f));
      return;
    }
    case Shape::Map:
    case Shape::Whole:
    case Shape::Cast:
      define(id, map(inst));
      return;
    case Shape::Make:
      define(id, make(inst));
      return;
    case Shape::Extract:
      define(id, extract(inst));
      return;
    case Shape::Lane:
      define(id, lane(inst));
      return;
    case Shape::Load:
      define(id, load(inst));
      return;
    default:
      throw InternalError(concat("no MSL for ", info(inst.op).mnemonic));
  }
}

Frag Writer::map(const Instruction& inst) {
  switch (spelling(inst.op).syntax) {
    case Syntax::Hand:
      return hand_for(inst.op)(*this, inst);
    case Syntax::Call:
      return call(inst);
    default:
      return type(inst.operands[0]).is_scalar() ? operators(inst) : vector_operators(inst);
  }
}

Frag Writer::operators(const Instruction& inst) {
  const Spelling& s = spelling(inst.op);
  DType t = dtype(inst.operands[0]);
  Op op = inst.op;
  Form form = Form::Exact;
  auto take = &Writer::exact;
  if (s.text.find("$u") != s.text.npos) {
    take = &Writer::bits;
  } else if (is_narrow(t)) {
    take = &Writer::in_range;
    bool wraps = info(op).has(flag::WRAPS) && !ranges_.fits(inst);
    if (info(op).result == 'T') form = wraps ? Form::Loose : Form::Promoted;
  } else if (overflows(Type::scalar(t))) {
    bool unsigned_text =
        is_bitwise(op) && (waits_unsigned(inst.operands[0]) || waits_unsigned(inst.operands[1]));
    if (unsigned_text || (info(op).has(flag::WRAPS) && !ranges_.fits(inst))) {
      take = &Writer::bits;
      form = Form::Unsigned;
    }
  }
  if (s.syntax == Syntax::Prefix) {
    Frag x = (this->*take)(inst.operands[0]);
    return joined(concat(s.text[0], as_operand(x, s.prec, false)), s.prec, form, {x});
  }
  ValueId right = inst.operands[1];
  std::string_view symbol = s.text.substr(3, s.text.rfind(' ') - 3);
  if (s.text[1] == 'u') symbol = s.text.substr(4, s.text.rfind(' ') - 4);
  Frag a = (this->*take)(inst.operands[0]), b;
  const auto c = m_.constant(right);
  Range::Wide x = c && op == Op::AddI ? ranges_[right].lo : 0;
  if (x < 0 && x > range_of(t).lo) {  // a + (-3) is a - 3
    symbol = "-";
    Form of_number = form == Form::Unsigned ? Form::Unsigned
                     : is_narrow(t)         ? Form::Promoted
                                            : Form::Exact;
    b = literal(t, static_cast<uint64_t>(-x), of_number);
  } else {
    b = (this->*take)(right);
  }
  if (op == Op::MulI && t == DType::U16 && form == Form::Loose) {
    // As ints, 65535 * 65535 would overflow.
    a = make_frag(concat("uint(", a.text, ")"), Prec::Primary, Form::Loose, {&a});
  }
  return joined(concat(as_operand(a, s.prec, false), " ", symbol, " ", as_operand(b, s.prec, true)),
                s.prec, form, {a, b});
}

// Operators on vectors: no promotion, but operators that are for numbers alone, and no arithmetic
// of bfloats.
Frag Writer::vector_operators(const Instruction& inst) {
  const Spelling& s = spelling(inst.op);
  Type t = type(inst.operands[0]);
  Op op = inst.op;
  const bool widened = t.dtype == DType::BF16;
  const bool wraps = overflows(t) && info(op).has(flag::WRAPS) && !ranges_.fits(inst);
  auto take = widened                                     ? &Writer::as_float
              : wraps || s.text.find("$u") != s.text.npos ? &Writer::bits
                                                          : &Writer::exact;
  Frag a = (this->*take)(inst.operands[0]), out;
  if (op == Op::NotB) {
    Frag no = literal(t, 0);
    out = joined(concat(as_operand(a, Prec::Equality, false), " == ", no.text), Prec::Equality,
                 Form::Exact, {a});
  } else if (s.syntax == Syntax::Prefix) {
    out = joined(concat(s.text[0], as_operand(a, s.prec, false)), s.prec, Form::Exact, {a});
  } else {
    Frag b = (this->*take)(inst.operands[1]);
    size_t from = s.text.find(' ') + 1;
    std::string_view symbol = s.text.substr(from, s.text.rfind(' ') - from);
    Prec prec = s.prec;
    if (op == Op::AndB || op == Op::OrB) {
      symbol.remove_suffix(1);
      prec = op == Op::AndB ? Prec::BitAnd : Prec::BitOr;
    }
    out = joined(concat(as_operand(a, prec, false), " ", symbol, " ", as_operand(b, prec, true)),
                 prec, Form::Exact, {a, b});
  }
  if (wraps) out.form = Form::Unsigned;
  if (!widened || info(op).result == 'b') return out;
  return joined(concat(type_name(t), "(", out.text, ")"), Prec::Primary, Form::Exact, {out});
}

Frag Writer::make(const Instruction& inst) {
  std::vector<Frag> parts;
  std::string text;
  for (ValueId v : inst.operands) {
    parts.push_back(exact(v));
    text += concat(text.empty() ? "" : ", ", parts.back().text);
  }
  return joined(concat(type_name(type(inst.results[0])), "(", text, ")"), Prec::Primary,
                Form::Exact, parts);
}

Frag Writer::extract(const Instruction& inst) {
  Frag x = exact(inst.operands[0]);
  std::string part = type(inst.operands[0]).is_matrix() ? concat("[", inst.attr, "]")
                                                        : concat(".", "xyzw"[inst.attr]);
  Frag f =
      joined(concat(as_operand(x, Prec::Primary, false), part), Prec::Primary, Form::Exact, {x});
  f.atom = x.atom;
  return f;
}

Frag Writer::call(const Instruction& inst) {
  std::string_view text = spelling(inst.op).text;
  const bool whole = info(inst.op).shape == Shape::Whole;
  const bool geometry = whole && type(inst.operands[0]).is_vector();
  DType t = dtype(inst.operands[0]);
  // A bfloat would round Metal's float below 1 up to 1.
  if (inst.op == Op::Fract && t == DType::BF16) text = "enigma_fract($0)";
  std::string_view function = text.substr(0, text.find('('));
  bool ours = function.starts_with("enigma_");
  // There is no bfloat library; ours is for float.
  bool precise = fast_math_ && fails_fast(inst.op);
  bool widened =
      t == DType::BF16 || (t == DType::F16 && (geometry || ours || precise || lacks_half(inst.op)));
  std::vector<Frag> args;
  for (ValueId v : inst.operands) args.push_back(widened ? as_float(v) : exact(v));
  std::string out = concat(precise ? "precise::" : "", fill(text, args));
  if (ours) prelude(function, widened ? DType::F32 : t, whole ? 1 : type(inst.operands[0]).rows);
  Type result = type(inst.results[0]);
  if (widened && result.dtype == t) out = concat(type_name(result), "(", out, ")");
  return joined(std::move(out), Prec::Primary, Form::Exact, args);
}

Frag Writer::load(const Instruction& inst) {
  if (spelling(inst.op).syntax == Syntax::Hand) return hand_for(inst.op)(*this, inst);
  Frag index = index_of(inst.operands[1]);
  return element(inst.operands[0], index, inst.attr);
}

// ---- text or local
// -------------------------------------------------------------------------------

bool Writer::stays_text(InstId id, const Frag& f) const {
  const Instruction& inst = m_[id];
  ValueId v = inst.results[0];
  if (info(inst.op).shape == Shape::Lane || info(inst.op).shape == Shape::Atomic) return false;
  if (type(v).dtype == DType::B1 && type(v).is_vector() && !f.atom) return false;
  if (type(v).is_matrix() && !f.atom) return false;
  const std::vector<InstId>& users = uses_.users[v.index];
  bool named = !m_.name_of(v).empty();
  if (named && !(in_condition_ && users.size() == 1)) return false;
  if (f.atom && f.reads.empty()) return true;
  // `uint(n)` reads better than a name for it.
  bool cheap = info(inst.op).shape == Shape::Cast && !f.loads && f.reads.empty() &&
               f.text.size() <= 16 && f.text.find_first_of(" [") == f.text.npos;
  // And so does `row + 8u`.
  cheap |= inst.op == Op::AddI && m_.constant(inst.operands[1]) && f.form == Form::Exact &&
           !f.loads && f.reads.empty() && f.text.size() <= kLongestSum &&
           frags_[inst.operands[0].index].atom;
  if (cheap) return true;
  return users.size() == 1 && f.text.size() <= kLongestText &&
         uses_.in_or_under(uses_.places[id.index].region, users[0]);
}

void Writer::define(InstId id, Frag f) {
  ValueId v = m_[id].results[0];
  uint32_t variable = variables_.of(v);
  if (variable != kNoVariable) {
    f = to_exact(std::move(f), type(v));
    if (variable_names_[variable].empty()) {
      declare_variable(variable, &f);
    } else {
      settle_reads({variable});
      line(concat(variable_names_[variable], " = ", f.text, ";"));
    }
    frags_[v.index] = variable_frag(variable);
    return;
  }
  if (stays_text(id, f)) {
    frags_[v.index] = std::move(f);
    return wait(v);
  }
  write_local(id, to_exact(std::move(f), type(v)));
}

void Writer::write_local(InstId id, const Frag& f) {
  ValueId v = m_[id].results[0];
  InstId before = std::exchange(at_, id);
  std::string name = local_name(id);
  line(concat("const ", type_name(m_.type(v)), " ", name, " = ", f.text, ";"));
  at_ = before;
  Frag out;
  out.text = name;
  out.atom = true;
  frags_[v.index] = std::move(out);
}

// The Python name, or a word for what the operation gives.
std::string Writer::local_name(InstId id) {
  const Instruction& inst = m_[id];
  if (const std::string& given = m_.name_of(inst.results[0]); !given.empty()) {
    return names_.declare(given);
  }
  const OpInfo& row = info(inst.op);
  if (row.shape == Shape::Load || inst.op == Op::AtomicLoad) {
    return names_.declare(concat(frags_[inst.operands[0].index].text, "_value"));
  }
  if (inst.op == Op::AtomicCas) return names_.declare("exchanged");
  if (row.shape == Shape::Atomic) return names_.declare("old");
  if (inst.op == Op::SimdMatrixLoad) {
    return names_.declare(concat(frags_[inst.operands[0].index].text, "_8x8"));
  }
  if (row.shape == Shape::SimdMatrix) {
    return names_.declare(inst.op == Op::SimdMatrixFill ? "filled" : "product");
  }
  if (row.shape == Shape::Cast)
    return names_.declare(concat("as_", type_name(type(inst.results[0]))));
  std::string_view python = row.python;
  if (row.shape == Shape::Lane) return names_.declare(concat("lane_", python.substr(5)));
  if (dtype(inst.results[0]) == DType::B1) return names_.declare("test");
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"+", "sum"},
      {"-", "difference"},
      {"*", "product"},
      {"/", "quotient"},
      {"//", "quotient"},
      {"%", "remainder"},
      {"&", "bits"},
      {"|", "bits"},
      {"^", "bits"},
      {"~", "bits"},
      {"<<", "shifted"},
      {">>", "shifted"},
      {"neg", "negative"},
      {"where", "choice"},
      {"make_vec", "vector"},
      {"make_matrix", "matrix"},
      {"vec_extract", "component"}};
  for (auto [symbol, word] : kWords) {
    if (python == symbol) return names_.declare(word);
  }
  return names_.declare(concat(python.empty() ? "op" : python, "_value"));
}

// ---- order
// ---------------------------------------------------------------------------------------

void Writer::wait(ValueId v) {
  const Frag& f = frags_[v.index];
  if (!f.loads && f.reads.empty()) return;  // it means the same everywhere
  waiting_[v.index] = ++waited_;
  if (f.loads) loading_.push_back(v);
  for (uint32_t variable : f.reads) reading_[variable].push_back(v);
}

void Writer::settle(std::vector<ValueId> texts) {
  std::sort(texts.begin(), texts.end(),
            [&](ValueId a, ValueId b) { return waiting_[a.index] < waiting_[b.index]; });
  for (ValueId v : texts) {
    if (std::exchange(waiting_[v.index], 0)) {
      write_local(m_[v].def, to_exact(frags_[v.index], type(v)));
    }
  }
}

void Writer::settle_loads() { settle(std::exchange(loading_, {})); }

void Writer::settle_reads(const std::set<uint32_t>& variables) {
  std::vector<ValueId> texts;
  for (uint32_t variable : variables) {
    for (ValueId v : std::exchange(reading_[variable], {})) texts.push_back(v);
  }
  settle(std::move(texts));
}

}  // namespace enigma::msl
