// Literals: the types that Python's numbers take, and their bits in a type.
#pragma once

#include <string>

#include "enigma/builder.h"

namespace enigma {

/// The type of a literal alone: b1, f32, or the first of i32, u32, i64, u64 that holds it.
DType natural_type(const Literal& x);
bool is_negative(const Literal& x);
/// Whether the type holds the literal's value: integers exactly, floats without becoming infinite.
bool fits(DType t, const Literal& x);
/// Whether an integer literal fits the type's width when its bits may be read with either sign.
bool fits_width(DType t, const Literal& x);
/// The literal in the type, as a constant's attribute: integers modulo 2^width, floats rounded
/// once, float to integer truncated and saturated with NaN as 0.
uint64_t literal_bits(DType t, const Literal& x);
/// "-1", "0.5", "True": as in Python.
std::string to_string(const Literal& x);
/// "int", "float" or "bool".
const char* python_type(const Literal& x);

}  // namespace enigma
