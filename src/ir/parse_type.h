// Types in the text form of the IR.
#pragma once

#include "enigma/types.h"
#include "ir/lexer.h"

namespace enigma {

/// The type that comes next: "f32", "vector<4xf32>". Error for what is none, or does not exist.
Type parse_type(Lexer& lex);

}  // namespace enigma
