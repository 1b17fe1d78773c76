// Asynchronous copies: what can go wrong with them in a kernel, found by following its ways.
#pragma once

#include "enigma/ir.h"

namespace enigma {

bool has_async_copies(const Module& m);

/// Error, at the user's line, for a copy that is not waited for on some way through the kernel, or
/// begins again before; for memory that is used or written while a copy of it is under way, where
/// that is provable; for what lanes of a SIMD-group would do differently. After the passes.
///
/// Whether AIR's own copies may be used: each copy is one SIMD-group's.
bool check_async_copies(const Module& m);

}  // namespace enigma
