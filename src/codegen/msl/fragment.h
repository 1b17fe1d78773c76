// Pieces of MSL expressions, with what is needed to put them together rightly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enigma/types.h"

namespace enigma::msl {

/// How tightly the outermost operator of an expression binds; later ones bind tighter.
enum class Prec : uint8_t {
  Assign,
  Ternary,
  Or,
  And,
  BitOr,
  BitXor,
  BitAnd,
  Equality,
  Relational,
  Shift,
  Additive,
  Multiplicative,
  Unary,
  Primary,
};

/// How the C++ type of the text relates to the type of the value. C++ promotes narrow integers to
/// int, and signed overflow is undefined there, so the text of a value may have another type.
enum class Form : uint8_t {
  Exact,     ///< the value's own type
  Unsigned,  ///< the value's bits, as the unsigned type of its width (signed, 32 or 64 bits)
  Promoted,  ///< the value, as an int (8 or 16 bits)
  Loose,     ///< as a 32-bit integer of which the low bits are the value's (8 or 16 bits)
};

constexpr uint32_t kNoVariable = UINT32_MAX;

/// The text of an expression.
struct Frag {
  std::string text;
  Prec prec = Prec::Primary;
  Form form = Form::Exact;
  bool atom = false;            ///< a name or number: may be written more than once
  bool loads = false;           ///< reads memory, so that no write may come before it
  std::vector<uint32_t> reads;  ///< variables that are assigned more than once
};

/// A new text that contains those of `parts`.
inline Frag make_frag(std::string text, Prec prec, Form form,
                      std::initializer_list<const Frag*> parts) {
  Frag f{std::move(text), prec, form, false, false, {}};
  for (const Frag* p : parts) {
    f.loads |= p->loads;
    f.reads.insert(f.reads.end(), p->reads.begin(), p->reads.end());
  }
  return f;
}

/// The text as an operand of an operator of precedence `parent`, in parentheses where C++, or a
/// reader, needs them.
std::string as_operand(const Frag& f, Prec parent, bool right);

/// A number of this type: `1.5f`, `4u`, `char(3)`, `as_type<float>(0x7fc00000u)`. `bits` holds it
/// in the low bits. Form::Unsigned gives the unsigned number of the same bits, Form::Promoted an
/// int.
Frag literal(DType t, uint64_t bits, Form form = Form::Exact);
/// The same as all components of a vector: `float4(1.5f)`.
Frag literal(Type t, uint64_t bits, Form form = Form::Exact);
/// The value of a float literal of any float type, as a number of type float.
Frag float_literal(DType t, uint64_t bits);

/// "float4" for a vector, "float2x3" for a matrix of 2 columns of 3, "simdgroup_float8x8" for a
/// SIMD-group matrix.
std::string type_name(Type t);
constexpr std::string_view name_of(DType t) { return info(t).msl; }
/// The type that memory has: bool is a byte there, since a byte that is not 0 or 1 read as a bool
/// is undefined.
constexpr std::string_view memory_name(DType t) { return t == DType::B1 ? "uchar" : name_of(t); }
constexpr bool is_narrow(DType t) { return is_integer(t) && info(t).bits < 32; }
/// Where C++ computes in int; vectors do not promote.
constexpr bool promotes(Type t) { return t.is_scalar() && is_narrow(t.dtype); }
/// Where arithmetic on the type itself would be undefined on overflow.
constexpr bool overflows(Type t) { return is_signed(t.dtype) && !promotes(t); }

/// The text with the first `what` in it, if any, replaced.
inline std::string replaced(std::string text, std::string_view what, std::string_view with) {
  if (size_t at = text.find(what); at != text.npos) text.replace(at, what.size(), with);
  return text;
}

}  // namespace enigma::msl
