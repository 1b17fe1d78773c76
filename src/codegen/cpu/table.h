// The cpu column of ops.def: how a Map row is spelled in LLVM IR.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "codegen/cpu/expr.h"

namespace enigma::cpu {

/// A template, or a hand-written lowering; rows of other shapes than Map and Whole have neither.
struct Rule {
  std::string_view text;
  V (*hand)(Expr& e, const MapArgs& args);
  std::vector<V> (*whole)(Expr& e, const WholeArgs& args);
};

const Rule& rule(Op op);

/// The template with its operands filled in; `dtype` is T, `result` the type of the new value.
std::string fill(std::string_view text, std::span<const V> x, DType dtype,
                 const std::string& result);

}  // namespace enigma::cpu
