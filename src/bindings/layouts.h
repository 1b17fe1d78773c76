// Python's form of what layouts are made of: nested tuples of ints, strides, tilers.
#pragma once

#include "bindings.h"
#include "enigma/layout.h"

namespace enigma {

/// The functions of layouts.cpp, as two subjects.
void bind_layout_functions(nb::module_& m);
void bind_tuple_functions(nb::module_& m);

// ---- Types as the stubs name them ----
#define ENIGMA_INT_TUPLE "int | tuple[typing.Any, ...]"
#define ENIGMA_TILER "Layout | int | tuple[typing.Any, ...] | None"

/// From ints and nested tuples (or lists) of them; `none` allows None in their place. `what` names
/// the argument in errors.
IntTuple int_tuple(nb::handle x, const char* what, bool none = false);
Strides strides(nb::handle x, const char* what);
Tiler tiler(nb::handle x, const char* what);
nb::object to_python(Node<int64_t> t);
inline nb::object to_python(const IntTuple& t) { return to_python(t.root()); }
nb::object to_python(const Strides& s);

/// The layout that an argument is, or null.
inline const Layout* as_layout(nb::handle x) {
  return nb::isinstance<Layout>(x) ? nb::inst_ptr<Layout>(x) : nullptr;
}
inline const SwizzledLayout* as_swizzled(nb::handle x) {
  return nb::isinstance<SwizzledLayout>(x) ? nb::inst_ptr<SwizzledLayout>(x) : nullptr;
}
/// The layout that an argument must be.
const Layout& layout_in(nb::handle x, const char* what);

/// Mode `mode` of a layout or a shape: an int, or a path as a list or tuple; None is the whole.
Layout mode_of(const Layout& l, nb::handle mode);

/// Applies f to a layout, or to the layout below a swizzle.
template <class F>
nb::object transformed(nb::handle x, const char* what, const F& f) {
  if (const SwizzledLayout* s = as_swizzled(x))
    return nb::cast(SwizzledLayout{s->swizzle, s->offset, f(s->layout)});
  return nb::cast(f(layout_in(x, what)));
}

}  // namespace enigma
