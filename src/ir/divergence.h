// Barriers that provably not all threads reach: a mistake that can be shown at the Python line.
#pragma once

#include "ir/uniformity.h"

namespace enigma {

/// Error when a barrier stands in an if or a loop whose condition, or number of turns, follows from
/// the position of the thread and so differs between the threads that would have to meet.
/// Conditions on data prove nothing and pass; the CPU device checks them while it runs.
void check_barriers(const Module& m, const Uniformity& uniformity);

}  // namespace enigma
