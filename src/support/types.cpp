// What the table of types says: names to types, promotion, the IR's spelling.

#include "enigma/types.h"

#include <array>

#include "enigma/error.h"
#include "support/text.h"

namespace enigma {
namespace {

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    size_t end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
  return false;
}

DType integer_of_width(DType t, DTypeKind kind) {
  for (const DTypeInfo& row : kDTypes) {
    if (row.kind == kind && row.bits == info(t).bits) return row.dtype;
  }
  throw InternalError(concat("no integer of the width of ", info(t).mnemonic));
}

constexpr std::array<const char*, 4> kSpaces = {"device", "constant", "threadgroup", "thread"};

}  // namespace

DType parse_dtype(std::string_view name) {
  for (const DTypeInfo& row : kDTypes) {
    if (name == row.mnemonic || name == row.msl || name == row.numpy ||
        (!name.empty() && has_word(row.aliases, name))) {
      return row.dtype;
    }
  }
  Text known;
  for (const DTypeInfo& row : kDTypes) {
    known.add(&row == kDTypes ? "" : ", ", row.mnemonic, " (", row.msl);
    if (std::string_view(row.numpy) != row.msl) known.add(" or ", row.numpy);
    known.add(")");
  }
  throw Error(concat("unknown dtype \"", name, "\"; the known ones are ", known.str()));
}

DType unsigned_of(DType t) { return integer_of_width(t, DTypeKind::Unsigned); }
DType signed_of(DType t) { return integer_of_width(t, DTypeKind::Signed); }

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::B1) return b;
  if (b == DType::B1) return a;
  if (is_float(a) != is_float(b)) return is_float(a) ? a : b;
  if (is_float(a)) return DType::F32;  // two floats that differ: neither half holds the other
  if (info(a).bits != info(b).bits) return info(a).bits > info(b).bits ? a : b;
  return unsigned_of(a);
}

std::string to_string(Type t) {
  const char* dtype = info(t.dtype).mnemonic;
  switch (t.kind) {
    case Type::Kind::None:
      return "none";
    case Type::Kind::Value:
      if (t.is_scalar()) return dtype;
      if (t.is_vector()) return concat("vector<", int{t.rows}, "x", dtype, ">");
      return concat("matrix<", int{t.rows}, "x", int{t.cols}, "x", dtype, ">");
    case Type::Kind::SimdMatrix:
      return concat("simdgroup_matrix<8x8x", dtype, ">");
    case Type::Kind::Event:
      return "event";
    case Type::Kind::Memory:
      return concat("memref<", dtype, ", ", kSpaces[t.rows % kSpaces.size()], ">");
  }
  throw InternalError("a type of unknown kind");
}

}  // namespace enigma
