// Operations on known numbers: what folding computes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "enigma/ops.h"
#include "enigma/types.h"

namespace enigma {

/// The result of a Map row on scalars of dtype t, as a constant's attribute; empty where the result
/// is not the same on every device (x / 0, math functions), or is not computed here. For
/// comparisons and predicates t is the type of what is compared.
std::optional<uint64_t> evaluate(Op op, DType t, std::span<const uint64_t> bits);
/// The value of the bits in another type: Cast.
uint64_t evaluate_cast(DType from, DType to, uint64_t bits);

}  // namespace enigma
