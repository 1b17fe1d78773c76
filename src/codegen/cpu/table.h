// The cpu column of ops.def: how a row that computes is spelled in LLVM IR.
#pragma once

#include "codegen/cpu/expr.h"

namespace enigma::cpu {

/// Whether a Map row is a template: a single instruction, but for the operands' own.
bool is_instruction(Op op);

/// What a Map row gives, for all forms that its column can have. A narrow float is not rounded yet.
V lower(Expr& e, Op op, const MapArgs& args);

/// The components of what a Whole row gives, floats not rounded yet.
std::vector<V> lower_whole(Expr& e, Op op, const WholeArgs& args);

}  // namespace enigma::cpu
