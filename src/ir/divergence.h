// Waits that provably never end: barriers that not all threads reach, and loops that nothing stops.
#pragma once

#include "ir/uniformity.h"

namespace enigma {

/// Error when a barrier stands in an if or a loop whose condition, or number of turns, follows from
/// the position of the thread and so differs between the threads that would have to meet.
/// The same for operations on SIMD-group matrices, of which all lanes take part: they stand where
/// the lanes go together, and their index, row and value are the same for all.
/// Conditions on data prove nothing and pass; the CPU device checks them while it runs.
void check_barriers(const Module& m, const Uniformity& uniformity);

/// Error for a while_ whose condition is true whatever happens in it. Metal's compiler takes every
/// loop to end, and deletes what it finds to lead to one that does not, checks before it included.
void check_loops(const Module& m);

}  // namespace enigma
