// The cpu column of ops.def, checked while it is compiled: a template uses its row's operands, an
// expression calls rows that exist and take what they are given, and a Map row that says HAND names
// a function that has to exist.
#include "codegen/cpu/table.h"

#include <charconv>
#include <limits>

#include "codegen/cpu/expression.h"
#include "enigma/error.h"
#include "ir/signature.h"

namespace enigma::cpu {
namespace {

constexpr std::string_view kHand = "";
constexpr std::string_view kExpression = "= ";

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_expression(std::string_view cpu) { return cpu.starts_with(kExpression); }

// ---- templates ----------------------------------------------------------------------------------

// Every operand is used, none that the row does not have, and every letter is known.
constexpr bool uses_its_operands(std::string_view t, std::string_view signature) {
  size_t count = signature.find(':');
  bool used[8] = {};
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '$') continue;
    if (++i == t.size()) return false;
    if (t[i] == 'T' && i + 1 < t.size() && is_digit(t[i + 1])) {
      if (static_cast<size_t>(t[i + 1] - '0') >= count) return false;
    } else if (is_digit(t[i])) {
      if (static_cast<size_t>(t[i] - '0') >= count) return false;
      used[t[i] - '0'] = true;
    } else if (t[i] != 'T' && t[i] != 'R' && t[i] != 's' && t[i] != 'm') {
      return false;
    }
  }
  for (size_t k = 0; k < count; ++k) {
    if (!used[k]) return false;
  }
  return true;
}

std::string suffix(const V& x) {
  std::string s = x.elem == Elem::F32   ? "f32"
                  : x.elem == Elem::F64 ? "f64"
                                        : concat("i", bits(x.elem));
  return x.lanes == 1 ? s : concat("v", x.lanes, s);
}

// The template with its operands filled in; `result` is the type of the new value.
std::string fill(std::string_view t, const MapArgs& args, const std::string& result) {
  Text out;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '$') {
      out.add(t[i]);
      continue;
    }
    char c = t[++i];
    if (is_digit(c)) {
      out.add(args.x[c - '0'].text);
    } else if (c == 'T') {
      bool numbered = i + 1 < t.size() && is_digit(t[i + 1]);
      out.add(args.x[numbered ? t[++i] - '0' : 0].type());
    } else if (c == 'R') {
      out.add(result);
    } else if (c == 's') {
      out.add(is_signed(args.dtype) ? 's' : 'u');
    } else {
      out.add(suffix(args.x[0]));
    }
  }
  return std::move(out.str());
}

// ---- expressions --------------------------------------------------------------------------------

struct Column {
  std::string_view python, signature, cpu;
  Shape shape;
};
#define HAND kHand
constexpr Column kColumns[] = {
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc) \
  {python, signature, cpu, Shape::shape},
#include "enigma/ops.def"
};

constexpr char class_letter(std::string_view signature) {
  for (char c : signature.substr(0, signature.find(':'))) {
    if (is_class_letter(c)) return c;
  }
  return 0;
}

// Follows an expression without making code. A value is the letter of a class that stands for T,
// 'b' or 'u', or '#' for a number, which takes the type beside it.
struct Checker {
  using Value = char;
  std::string_view signature;
  int depth;
  bool used[4] = {};

  constexpr Value number(std::string_view) { return '#'; }
  constexpr Value operand(size_t k) {
    if (k >= signature.find(':')) throw "an expression uses an operand that its row has not";
    used[k] = true;
    return signature[k];
  }
  constexpr Value apply(std::string_view name, std::span<const Value> values) {
    Value shared = '#';
    for (const Column& row : kColumns) {
      if (row.python != name || row.shape != Shape::Map) continue;
      if (row.signature.find(':') != values.size()) continue;
      shared = '#';
      for (size_t k = 0; k < values.size(); ++k) {
        if (is_class_letter(row.signature[k]) && shared == '#') shared = values[k];
      }
      if (shared == '#') shared = class_letter(signature);
      const char letter = shared == 'b' ? 'B' : shared == 'u' ? 'I' : shared;
      const char takes = class_letter(row.signature);
      if (takes != letter && takes != 'A') continue;
      for (size_t k = 0; k < values.size(); ++k) {
        char wanted = is_class_letter(row.signature[k]) ? shared : row.signature[k];
        if (values[k] != wanted && values[k] != '#') throw "a row does not take this operand";
      }
      check(row, depth + 1);
      const char result = row.signature.back();
      if (result == 'T') return shared;
      if (result == 'b' || result == 'u') return result;
      throw "the result of this row has no use in an expression";
    }
    throw "no row of this name takes these operands";
  }

  static constexpr void check(const Column& row, int depth) {
    if (!is_expression(row.cpu)) return;
    if (depth > 8) throw "expressions use each other in a circle";
    Checker checker{row.signature, depth};
    Value value = ExpressionReader<Checker>(row.cpu.substr(kExpression.size()), checker).read();
    const char result = row.signature.back();
    const char wanted = result == 'T' || result == 'U' ? class_letter(row.signature) : result;
    if (value != wanted && value != '#') throw "an expression gives another type than its row";
    for (size_t k = 0; k < row.signature.find(':'); ++k) {
      if (!checker.used[k]) throw "an expression misses an operand";
    }
  }
};

constexpr bool is_right(const Column& row) {
  if (row.cpu == kHand) return true;
  if (!is_expression(row.cpu)) return uses_its_operands(row.cpu, row.signature);
  Checker::check(row, 0);
  return row.shape == Shape::Map;
}
#define OP(Enum, ...)                                           \
  static_assert(is_right(kColumns[static_cast<int>(Op::Enum)]), \
                "the CPU column of " #Enum " is wrong");
#include "enigma/ops.def"

DType in_registers(DType t) { return is_float(t) ? DType::F32 : t; }

DType result_dtype(const OpInfo& row, DType t) {
  return row.result == 'b'   ? DType::B1
         : row.result == 'u' ? DType::U32
         : row.result == 'U' ? unsigned_of(t)
                             : t;
}

// Writes the code of an expression.
struct Emitter {
  struct Value {
    V v;  ///< none for a number that has not met its type yet
    DType dtype = DType::F32;
    double number = 0;
  };
  Expr& e;
  const OpInfo& row;
  const MapArgs& args;

  Value number(std::string_view text) {
    double x = std::numeric_limits<double>::infinity();
    if (text != "inf") std::from_chars(text.data(), text.data() + text.size(), x);
    return {V{}, DType::F32, x};
  }
  Value operand(size_t k) {
    const char letter = row.operands[k];
    const DType t = letter == 'b' ? DType::B1 : letter == 'u' ? DType::U32 : args.dtype;
    return {args.x[k], in_registers(t)};
  }
  V meet(const Value& x, DType t) const {
    if (x.v) return x.v;
    const int lanes = args.x[0].lanes;
    if (is_float(t)) return e.f32(x.number, lanes);
    return e.integer(elem_of(t), static_cast<int64_t>(x.number), lanes);
  }
  Value apply(std::string_view name, std::span<const Value> values) {
    DType t = in_registers(args.dtype);
    for (Op op : overloads(name)) {
      const OpInfo& called = info(op);
      if (called.operands.size() != values.size()) continue;
      for (size_t k = values.size(); k-- > 0;) {
        if (is_class_letter(called.operands[k]) && values[k].v) t = values[k].dtype;
      }
      if (!in_class(class_of(called), Type::scalar(t))) continue;
      MapArgs operands{{}, t};
      for (size_t k = 0; k < values.size(); ++k) {
        const char letter = called.operands[k];
        operands.x[k] = meet(values[k], letter == 'b' ? DType::B1 : letter == 'u' ? DType::U32 : t);
      }
      V v = lower(e, op, operands);
      return {v, result_dtype(called, t)};
    }
    throw InternalError(concat("no row ", name, " for ", info(t).mnemonic));
  }
};

V evaluate(Expr& e, Op op, std::string_view text, const MapArgs& args) {
  Emitter emitter{e, info(op), args};
  Emitter::Value value = ExpressionReader<Emitter>(text, emitter).read();
  return emitter.meet(value, in_registers(args.dtype));
}

// ---- all of them --------------------------------------------------------------------------------

using Hand = V (*)(Expr& e, const MapArgs& args);

template <Op op>
constexpr Hand hand_of() {
  constexpr Column row = kColumns[static_cast<size_t>(op)];
  if constexpr (row.shape == Shape::Map && row.cpu == kHand) {
    return &hand<op>;
  } else {
    return nullptr;
  }
}

constexpr Hand kHands[] = {
#define OP(Enum, ...) hand_of<Op::Enum>(),
#include "enigma/ops.def"
};

using Whole = std::vector<V> (*)(Expr& e, const WholeArgs& args);

template <Op op>
constexpr Whole whole_of() {
  if constexpr (kColumns[static_cast<size_t>(op)].shape == Shape::Whole) {
    return &whole<op>;
  } else {
    return nullptr;
  }
}

constexpr Whole kWholes[] = {
#define OP(Enum, ...) whole_of<Op::Enum>(),
#include "enigma/ops.def"
};
#undef HAND

std::string_view column(Op op) { return kColumns[static_cast<size_t>(op)].cpu; }

}  // namespace

bool is_instruction(Op op) { return column(op) != kHand && !is_expression(column(op)); }

V lower(Expr& e, Op op, const MapArgs& args) {
  if (Hand by_hand = kHands[static_cast<size_t>(op)]) return by_hand(e, args);
  std::string_view text = column(op);
  if (is_expression(text)) return evaluate(e, op, text.substr(kExpression.size()), args);
  const Elem elem = elem_of(result_dtype(info(op), args.dtype));
  const int lanes = args.x[0].lanes;
  return e.emit(elem, lanes, fill(text, args, llvm_type(elem, lanes)));
}

std::vector<V> lower_whole(Expr& e, Op op, const WholeArgs& args) {
  return kWholes[static_cast<size_t>(op)](e, args);
}

}  // namespace enigma::cpu
