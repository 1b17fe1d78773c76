// The MSL column of ops.def, read at compile time: precedence, and that no operand is forgotten.
#include "codegen/msl/table.h"

namespace enigma::msl {
namespace {

constexpr std::string_view kHand = "";

struct Operator {
  std::string_view text;
  Prec prec;
};
constexpr Operator kInfix[] = {
    {"*", Prec::Multiplicative}, {"/", Prec::Multiplicative}, {"%", Prec::Multiplicative},
    {"+", Prec::Additive},       {"-", Prec::Additive},       {"<<", Prec::Shift},
    {">>", Prec::Shift},         {"<", Prec::Relational},     {"<=", Prec::Relational},
    {">", Prec::Relational},     {">=", Prec::Relational},    {"==", Prec::Equality},
    {"!=", Prec::Equality},      {"&", Prec::BitAnd},         {"^", Prec::BitXor},
    {"|", Prec::BitOr},          {"&&", Prec::And},           {"||", Prec::Or},
};

constexpr Spelling read(std::string_view t) {
  if (t == kHand) return {t, Syntax::Hand, Prec::Primary};
  if (t.find('$') == t.npos) return {t, Syntax::Name, Prec::Primary};
  if (t.find('[') != t.npos) return {t, Syntax::Index, Prec::Primary};
  if (t[0] == '-' || t[0] == '!' || t[0] == '~') return {t, Syntax::Prefix, Prec::Unary};
  if (t[0] != '$') return {t, Syntax::Call, Prec::Primary};
  size_t from = t.find(' ') + 1;
  std::string_view op = t.substr(from, t.find(' ', from) - from);
  for (const Operator& o : kInfix) {
    if (o.text == op) return {t, Syntax::Infix, o.prec};
  }
  throw "this template has an operator that table.cpp does not know";
}

// Every operand is used, and none that the row does not have.
constexpr bool uses_its_operands(std::string_view t, std::string_view signature) {
  if (t == kHand) return true;
  size_t count = signature.find(':');
  bool used[8] = {};
  for (size_t i = 0; i + 1 < t.size(); ++i) {
    if (t[i] != '$') continue;
    char c = t[i + 1];
    if (c == 'u' && i + 2 < t.size()) c = t[i + 2];
    if (c == 'a') used[0] = used[1] = true;
    if (c < '0' || c > '9') continue;
    if (static_cast<size_t>(c - '0') >= count) return false;
    used[c - '0'] = true;
  }
  for (size_t k = 0; k < count; ++k) {
    if (!used[k]) return false;
  }
  return true;
}

#define HAND kHand
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc) \
  static_assert(uses_its_operands(msl, signature),                         \
                "the MSL template of " #Enum " misses an operand");
#include "enigma/ops.def"

constexpr Spelling kSpellings[] = {
#define OP(Enum, mnemonic, shape, signature, flags, msl, cpu, python, doc) read(msl),
#include "enigma/ops.def"
};
#undef HAND

}  // namespace

const Spelling& spelling(Op op) { return kSpellings[static_cast<size_t>(op)]; }

}  // namespace enigma::msl
