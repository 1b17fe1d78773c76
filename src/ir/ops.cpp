// The operation table: ops.def as data, its signatures checked while compiling, and its indices.

#include "enigma/ops.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "enigma/error.h"

namespace enigma {
namespace {

constexpr std::string_view kOperandLetters = "FIBAVWMQspbfu42qdxvmeg";
constexpr std::string_view kResultLetters = "Tspbfu42qdeUgt-?";

constexpr std::string_view operands_of(std::string_view signature) {
  return signature.substr(0, signature.find(':'));
}

constexpr bool is_class(char c) { return c >= 'A' && c <= 'Z'; }

// What the rest of the code relies on in a row.
constexpr bool well_formed(std::string_view signature, Shape shape) {
  size_t colon = signature.find(':');
  if (colon == std::string_view::npos || colon + 2 != signature.size() || colon > 8) return false;
  if (kResultLetters.find(signature[colon + 1]) == std::string_view::npos) return false;
  char capital = 0;
  for (size_t i = 0; i < colon; ++i) {
    char c = signature[i];
    if (kOperandLetters.find(c) == std::string_view::npos) return false;
    if (c == 'm' && i != 0 && shape != Shape::Async) return false;
    if (c == 'e' && signature[0] != 'm') return false;
    if (is_class(c)) {
      if (capital && capital != c) return false;  // all capitals are one type
      capital = c;
    }
  }
  char result = signature[colon + 1];
  if ((result == 'T' || result == 's' || result == 'U' || result == 't') && !capital) return false;
  if (result == 'e' && signature[0] != 'm') return false;
  bool memory = shape == Shape::Load || shape == Shape::Store || shape == Shape::Atomic;
  if (shape == Shape::SimdMatrix || shape == Shape::Async) return true;
  return memory == (signature[0] == 'm');
}

using namespace flag;
#define HAND ""
constexpr OpInfo kOps[] = {
#define OP(Enum, mnemonic, Form, signature, flags, msl, cpu, python, doc) \
  {Op::Enum,                                                              \
   #Enum,                                                                 \
   mnemonic,                                                              \
   Shape::Form,                                                           \
   #Form,                                                                 \
   operands_of(signature),                                                \
   std::string_view(signature).back(),                                    \
   flags,                                                                 \
   msl,                                                                   \
   python,                                                                \
   doc},
#include "enigma/ops.def"
};
#undef HAND
constexpr size_t kNumOps = std::size(kOps);

#define OP(Enum, mnemonic, Form, signature, ...)     \
  static_assert(well_formed(signature, Shape::Form), \
                "signature of " mnemonic " is not well formed");
#include "enigma/ops.def"

// Row numbers in the order of a key; rows with one key keep the table's order.
template <class Key>
constexpr std::array<Op, kNumOps> sorted_by(Key key) {
  std::array<Op, kNumOps> order{};
  for (size_t i = 0; i < kNumOps; ++i) order[i] = static_cast<Op>(i);
  std::sort(order.begin(), order.end(), [&](Op a, Op b) {
    const int c = key(kOps[static_cast<size_t>(a)]).compare(key(kOps[static_cast<size_t>(b)]));
    return c < 0 || (c == 0 && a < b);
  });
  return order;
}

constexpr auto mnemonic_of = [](const OpInfo& row) { return std::string_view(row.mnemonic); };
constexpr auto python_of = [](const OpInfo& row) { return std::string_view(row.python); };
constexpr auto kByMnemonic = sorted_by(mnemonic_of);
constexpr auto kByPython = sorted_by(python_of);

constexpr bool mnemonics_differ() {
  for (size_t i = 1; i < kNumOps; ++i) {
    if (mnemonic_of(kOps[static_cast<size_t>(kByMnemonic[i - 1])]) ==
        mnemonic_of(kOps[static_cast<size_t>(kByMnemonic[i])])) {
      return false;
    }
  }
  return true;
}
static_assert(mnemonics_differ(), "two rows of ops.def have the same mnemonic");

template <class Key>
std::span<const Op> equal_range(const std::array<Op, kNumOps>& order, Key key,
                                std::string_view name) {
  auto first = std::lower_bound(order.begin(), order.end(), name,
                                [&](Op op, std::string_view n) { return key(info(op)) < n; });
  auto last = first;
  while (last != order.end() && key(info(*last)) == name) ++last;
  return {first, last};
}

}  // namespace

const OpInfo& info(Op op) {
  const auto number = static_cast<size_t>(op);
  if (number >= kNumOps) {
    throw InternalError("no operation has the number " + std::to_string(number));
  }
  return kOps[number];
}

std::span<const OpInfo> all_ops() { return kOps; }

const OpInfo* find_mnemonic(std::string_view mnemonic) {
  auto found = equal_range(kByMnemonic, mnemonic_of, mnemonic);
  return found.empty() ? nullptr : &info(found.front());
}

std::span<const Op> overloads(std::string_view python_name) {
  if (python_name.empty()) return {};
  return equal_range(kByPython, python_of, python_name);
}

}  // namespace enigma
