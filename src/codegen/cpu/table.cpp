// The cpu column of ops.def, checked while it is compiled: a template uses its row's operands, and
// a Map row that says HAND names a function that has to exist.
#include "codegen/cpu/table.h"

namespace enigma::cpu {
namespace {

constexpr std::string_view kHand = "";

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Every operand is used, none that the row does not have, and every letter is known.
constexpr bool uses_its_operands(std::string_view t, std::string_view signature) {
  if (t == kHand) return true;
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

template <Op op, Shape shape, bool by_hand>
constexpr Rule make_rule(std::string_view text) {
  if constexpr (shape == Shape::Map && by_hand) {
    return {text, &hand<op>, nullptr};
  } else if constexpr (shape == Shape::Whole) {
    return {text, nullptr, &whole<op>};
  } else {
    return {text, nullptr, nullptr};
  }
}

#define HAND kHand
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc) \
  static_assert(uses_its_operands(cpu, signature), "the CPU template of " #Enum " is wrong");
#include "enigma/ops.def"

constexpr Rule kRules[] = {
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc) \
  make_rule<Op::Enum, Shape::shape, std::string_view(cpu).empty()>(cpu),
#include "enigma/ops.def"
};
#undef HAND

std::string suffix(const V& x) {
  std::string s = x.elem == Elem::F32   ? "f32"
                  : x.elem == Elem::F64 ? "f64"
                                        : concat("i", bits(x.elem));
  return x.lanes == 1 ? s : concat("v", x.lanes, s);
}

}  // namespace

const Rule& rule(Op op) { return kRules[static_cast<size_t>(op)]; }

std::string fill(std::string_view t, std::span<const V> x, DType dtype, const std::string& result) {
  Text out;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '$') {
      out.add(t[i]);
      continue;
    }
    char c = t[++i];
    if (is_digit(c)) {
      out.add(x[c - '0'].text);
    } else if (c == 'T') {
      bool numbered = i + 1 < t.size() && is_digit(t[i + 1]);
      out.add(x[numbered ? t[++i] - '0' : 0].type());
    } else if (c == 'R') {
      out.add(result);
    } else if (c == 's') {
      out.add(is_signed(dtype) ? 's' : 'u');
    } else {
      out.add(suffix(x[0]));
    }
  }
  return std::move(out.str());
}

}  // namespace enigma::cpu
