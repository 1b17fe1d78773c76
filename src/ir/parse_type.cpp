// The parser of types, as to_string() writes them.

#include "ir/parse_type.h"

#include "ir/signature.h"
#include "support/text.h"

namespace enigma {
namespace {

DType dtype(Lexer& lex) {
  const std::string_view word = lex.word("a type");
  for (const DTypeInfo& row : kDTypes) {
    if (word == row.mnemonic) return row.dtype;
  }
  lex.fail("expected a type, found \"", word, "\"");
}

int size(Lexer& lex) {
  const uint64_t n = lex.number("a number of components");
  if (n < 1 || n > 4) lex.fail("expected 1 to 4");
  return static_cast<int>(n);
}

}  // namespace

Type parse_type(Lexer& lex) {
  if (lex.accept_word("memref")) {
    lex.expect("<");
    const DType t = dtype(lex);
    lex.expect(",");
    const std::string_view space = lex.word("an address space");
    lex.expect(">");
    for (int s = 0; s < 4; ++s) {
      const Type memory = Type::memory(t, static_cast<AddressSpace>(s));
      if (to_string(memory) == concat("memref<", info(t).mnemonic, ", ", space, ">")) return memory;
    }
    lex.fail("expected device, constant, threadgroup or thread, found \"", space, "\"");
  }
  if (lex.accept_word("vector")) {
    lex.expect("<");
    const int n = size(lex);
    lex.expect("x");
    const Type t = Type::vector(dtype(lex), n);
    lex.expect(">");
    return t;
  }
  if (lex.accept_word("matrix")) {
    lex.expect("<");
    const int rows = size(lex);
    lex.expect("x");
    const int cols = size(lex);
    lex.expect("x");
    const Type t = Type::matrix(dtype(lex), rows, cols);
    lex.expect(">");
    if (!exists(t)) lex.fail("expected a matrix of f32 or f16 of at least two rows");
    return t;
  }
  if (lex.accept_word("simdgroup_matrix")) {
    lex.expect("<");
    if (lex.number("8 rows") != 8) lex.fail("expected 8 rows");
    lex.expect("x");
    if (lex.number("8 columns") != 8) lex.fail("expected 8 columns");
    lex.expect("x");
    const Type t = Type::simd_matrix(dtype(lex));
    lex.expect(">");
    return t;
  }
  return Type::scalar(dtype(lex));
}

}  // namespace enigma
