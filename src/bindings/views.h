// Tensors and coordinates as the binding files pass them on.
#pragma once

#include "trace.h"

namespace enigma {

#define ENIGMA_COORD "IRValue | int | None | slice | tuple[typing.Any, ...]"

/// A coordinate, and the trace that its values belong to; null where all is known.
struct Coord {
  Coordinate coord = Coordinate::blank();
  Trace* trace = nullptr;
};

/// From ints, traced integers, None or `:` for what is kept, and tuples of them.
Coord coordinate_in(nb::handle x, const char* what);

/// The same memory through another view.
Tensor with_view(const Tensor& t, View view);
/// Error unless the values in a tensor's origin are of this trace.
void check_alive(const Tensor& t, const Trace* trace);
/// What a coordinate leaves open of a tensor.
Tensor sliced(const Tensor& t, const Coord& c);

}  // namespace enigma
