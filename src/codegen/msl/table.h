// The MSL column of ops.def: the spelling of each operation, checked when this is compiled.
#pragma once

#include <string_view>

#include "codegen/msl/fragment.h"
#include "enigma/ops.h"

namespace enigma::msl {

/// What a template is made of.
enum class Syntax : uint8_t {
  Hand,    ///< no template: a function in hand.cpp, or code for the whole shape
  Name,    ///< no operands: a name
  Prefix,  ///< "-$0"
  Infix,   ///< "$0 + $1"
  Call,    ///< "fma($0, $1, $2)"
  Index,   ///< "$0[$1]", "$0[$1] = $2"
};

struct Spelling {
  std::string_view text;
  Syntax syntax;
  Prec prec;  ///< of Prefix and Infix
};

const Spelling& spelling(Op op);

}  // namespace enigma::msl
