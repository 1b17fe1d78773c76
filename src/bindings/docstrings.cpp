// Docstrings of the operations, from their rows.
#include <cctype>

#include "bindings.h"

namespace enigma {
namespace {

/// The letters of a row that stand for several types, and what those are.
constexpr std::pair<char, const char*> kClasses[] = {
    {'F', "float is f32, f16 or bf16"},
    {'I', "integer is i8 to i64 or u8 to u64"},
    {'B', "bool is b1"},
    {'A', "any is a float, an integer or b1"},
};

const char* default_name(char letter, size_t position) {
  constexpr const char* kLetters[] = {"x", "y", "z", "w"};
  return letter == 'm'   ? "buffer"
         : letter == 'x' ? (position == 1 ? "index" : "elements_per_row")
         : letter == 'e' ? "value"
                         : kLetters[position];
}

}  // namespace

std::vector<std::string> operand_names(const OpInfo& row) {
  std::vector<std::string> names;
  std::string_view doc = row.doc, name = row.python;
  if (!name.empty() && doc.starts_with(name) && doc.substr(name.size()).starts_with("(")) {
    std::string_view list = doc.substr(name.size() + 1);
    list = list.substr(0, list.find(')'));
    while (!list.empty()) {
      size_t comma = list.find(", ");
      names.emplace_back(list.substr(0, comma));
      list = comma == std::string_view::npos ? "" : list.substr(comma + 2);
    }
  }
  if (names.size() != row.operands.size()) {
    names.clear();
    for (char letter : row.operands) names.emplace_back(default_name(letter, names.size()));
  }
  return names;
}

std::string msl_text(const OpInfo& row) {
  std::vector<std::string> names = operand_names(row);
  for (std::string& name : names) name = name.substr(0, name.find('='));
  std::string out;
  std::string_view t = row.msl;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '$') {
      out += t[i];
      continue;
    }
    const char c = t[++i];
    if (std::isdigit(static_cast<unsigned char>(c))) {
      out += names.at(c - '0');
    } else if (c == 'u') {
      out += "U(" + names.at(t[++i] - '0') + ")";
    } else if (c == 'a') {
      out += "&" + names.at(0) + "[" + names.at(1) + "]";
    } else if (c != 'x') {  // what follows where memory is transposed
      out += c == 'o' ? "order" : c == 'f' ? "flags" : c == 'r' ? "result" : "T";
    }
  }
  return out;
}

std::string docstring(const OpInfo& row) {
  if (row.operands.empty()) return row.doc;
  std::string out = std::string(row.doc) + "\n", letters;
  for (Op op : overloads(row.python)) {
    const OpInfo& one = info(op);
    letters += one.operands;
    out += "\n" + signature_text(one);
    const std::string msl = msl_text(one);
    if (!msl.empty()) out += ", in MSL " + msl;
    if (std::string_view(one.doc) != row.doc) out += ": " + std::string(one.doc);
    out += ".";
  }
  std::string types;
  for (const auto& [letter, text] : kClasses) {
    if (letters.find(letter) == std::string::npos) continue;
    types += (types.empty() ? "" : "; ") + std::string(text);
  }
  const bool atomic = row.shape == Shape::Atomic;
  if (atomic) types = row.has(flag::WORDS) ? "element is i32 or u32" : "element is i32, u32 or f32";
  if (!types.empty()) out += "\nHere " + types + ".";
  if (atomic)
    return out + "\n\nErrors: EnigmaError for memory of other types, and for other orders.";
  return out + "\n\nErrors: EnigmaError, with the signature, for operands of other types.";
}

}  // namespace enigma
