// IR to IR, one file per pass; run_passes in passes.cpp is the whole list.
#pragma once

#include "enigma/compile.h"
#include "enigma/ir.h"

namespace enigma {

void unroll_rings(Module& m);      ///< loops of known turns that rotate the tiles of a pipeline
void fold(Module& m);              ///< constants and algebraic identities that hold for every input
void eliminate_common(Module& m);  ///< the same pure value computed once (dominating region)
void simplify_regions(
    Module& m);  ///< constant conditions, dead or unchanged carried values, empty ifs
void hoist_invariants(Module& m);    ///< pure values that a loop does not change move before it
void eliminate_dead(Module& m);      ///< what nothing uses
void lower_async_copies(Module& m);  ///< not in the list: copies as loops of the SIMD-group's lanes

/// All passes in order; options.dump sees the IR after each.
void run_passes(Module& m, const CompileOptions& options);

/// Whether there are loads or stores of vectors.
bool has_vector_accesses(const Module& m);
/// Makes them loads and stores of elements. Not one of run_passes: the CPU device alone wants it.
void split_vectors(Module& m);

}  // namespace enigma
