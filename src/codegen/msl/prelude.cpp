// Picks functions from prelude.metal and writes them for a type.
#include "codegen/msl/prelude.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "codegen/msl/fragment.h"
#include "enigma/error.h"
#include "support/text.h"

namespace enigma::msl {
namespace {

// A function of the prelude: "// name (class): what it does", then its text up to a blank line.
struct Function {
  std::string name;
  std::string_view kind, doc, body;
  std::string_view word;  // what G or S stands for, if anything
};

template <class Visit>  // bool(Function); true ends the walk
bool walk(Visit visit) {
  std::string_view rest = kMslPrelude;
  while (!rest.empty()) {
    size_t end = rest.find("\n\n");
    std::string_view block = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 2);
    while (block.starts_with('\n')) block.remove_prefix(1);
    if (!block.starts_with("// enigma_")) continue;
    size_t open = block.find(" ("), close = block.find("): "), line = block.find('\n');
    Function f{std::string(block.substr(3, open - 3)), block.substr(open + 2, close - open - 2),
               block.substr(close + 3, line - close - 3), block.substr(line + 1), ""};
    while (f.body.ends_with('\n')) f.body.remove_suffix(1);
    const bool by_space = f.name.ends_with("_S");
    if (!by_space && !f.name.starts_with("enigma_G_")) {
      if (visit(f)) return true;
      continue;
    }
    constexpr std::string_view kWords[2][2] = {{"simd", "quad"}, {"device", "threadgroup"}};
    const size_t letter = by_space ? f.name.size() - 1 : std::string_view("enigma_").size();
    const std::string name = f.name;
    for (std::string_view word : kWords[by_space]) {
      f.name = concat(name.substr(0, letter), word, name.substr(letter + 1));
      f.word = word;
      if (visit(f)) return true;
    }
  }
  return false;
}

bool takes(std::string_view kind, DType t) {
  if (kind == "float") return is_float(t);
  if (kind == "signed") return is_signed(t);
  if (kind == "unsigned") return is_unsigned(t);
  return kind == "integer" && is_integer(t);
}

// T is the type, U its unsigned twin, W the unsigned type that C++ computes with; a name may end in
// _T or _S as well. G begins or stands within a name; N has a bit for each of its lanes. `device`
// is what S is by itself when it is that.
std::string instantiate(std::string_view body, DType t, std::string_view word,
                        std::string_view device = "device") {
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    bool starts = i == 0 || !is_word(body[i - 1]) || body[i - 1] == '_';
    bool ends = i + 1 == body.size() || !is_word(body[i + 1]);
    char c = starts && ends ? body[i] : 0;
    if (starts && body.substr(i).starts_with("G_")) {
      out += word;
    } else if (c == 'N') {
      out += word == "quad" ? "0xfu" : "0xffffffffu";
    } else if (c == 'T') {
      out += name_of(t);
    } else if (c == 'U') {
      out += name_of(unsigned_of(t));
    } else if (c == 'W') {
      out += info(t).bits == 64 ? "ulong" : "uint";
    } else if (c == 'S') {
      out += (i > 0 && body[i - 1] == '_') || word != "device" ? word : device;
    } else {
      out += body[i];
    }
  }
  return out;
}

// The function for vectors of n, by way of the one for their components. A parameter whose type is
// spelled as an integer's is one for all components.
std::string for_vectors(const Function& f, DType t, int n) {
  std::string_view body = f.body;
  auto instantiated = [&](std::string_view text) { return instantiate(text, t, f.word); };
  constexpr std::string_view kInline = "inline ";
  const size_t from = body.find(kInline) + kInline.size();  // behind the rest of a comment
  std::string_view head = body.substr(from, body.find(") {") - from);
  size_t open = head.find('('), name = head.rfind(' ', open) + 1;
  std::string result = concat(instantiated(head.substr(0, name - 1)), n);
  std::string function = instantiated(head.substr(name, open - name));
  std::string params, parts;
  std::vector<std::string> arguments(static_cast<size_t>(n));
  for (std::string_view list = head.substr(open + 1); !list.empty();) {
    std::string_view param = list.substr(0, list.find(", "));
    list.remove_prefix(std::min(list.size(), param.size() + 2));
    size_t space = param.rfind(' ');
    std::string_view type = param.substr(0, space), word = param.substr(space + 1);
    bool shared = type == "int" || type == "uint";
    std::string_view comma = params.empty() ? "" : ", ";
    params += concat(comma, instantiated(type), shared ? "" : concat(n), " ", word);
    for (size_t c = 0; c < arguments.size(); ++c) {
      arguments[c] += concat(comma, word, shared ? "" : concat(".", "xyzw"[c]));
    }
  }
  for (const std::string& a : arguments) {
    parts += concat(parts.empty() ? "" : ", ", function, "(", a, ")");
  }
  return concat("inline ", result, " ", function, "(", params, ") {\n    return ", result, "(",
                parts, ");\n}");
}

}  // namespace

void check_prelude(std::string_view name, DType t) {
  if (!walk([&](const Function& f) { return f.name == name && takes(f.kind, t); })) {
    throw InternalError(concat("prelude.metal has no ", name, " for ", info(t).mnemonic));
  }
}

std::string prelude_text(const std::set<PreludeUse>& used, std::string_view device) {
  std::string out;
  walk([&](const Function& f) {
    bool first = true;
    auto add = [&](std::string text) {
      if (first) out += concat("// ", f.doc, "\n");
      first = false;
      out += concat(text, "\n\n");
    };
    for (const DTypeInfo& row : kDTypes) {
      if (!takes(f.kind, row.dtype)) continue;
      auto uses = [&](int n) { return used.contains({f.name, row.dtype, n}); };
      const bool on_vectors = uses(2) || uses(3) || uses(4);
      if (uses(1) || on_vectors) add(instantiate(f.body, row.dtype, f.word, device));
      for (int n : {2, 3, 4}) {
        if (uses(n)) add(for_vectors(f, row.dtype, n));
      }
    }
    return false;
  });
  return out;
}

}  // namespace enigma::msl
