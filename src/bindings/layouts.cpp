// Layouts: the classes Layout, Swizzle, SwizzledLayout and ScaledBasis, and what converts to them.
#include "layouts.h"

#include "sizes.h"

#include <nanobind/stl/vector.h>

namespace enigma {
namespace {

/// The elements of a tuple or a list; an empty object for anything else.
nb::object elements(nb::handle x) {
  if (PyTuple_Check(x.ptr())) return nb::borrow(x);
  if (PyList_Check(x.ptr())) return nb::steal(PyList_AsTuple(x.ptr()));
  return {};
}

/// Nested tuples that contain themselves end as a RecursionError, not as a crash.
struct Deeper {
  Deeper() {
    if (Py_EnterRecursiveCall(" in a nested tuple")) throw nb::python_error();
  }
  ~Deeper() { Py_LeaveRecursiveCall(); }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
};

template <class T, class Leaf>
void fill(Nested<T>& out, nb::handle x, const Leaf& leaf) {
  nb::object tuple = elements(x);
  if (!tuple.is_valid()) {
    leaf(out, x);
    return;
  }
  Deeper deeper;
  out.open();
  Py_ssize_t n = PyTuple_Size(tuple.ptr());
  for (Py_ssize_t i = 0; i < n; ++i) fill(out, PyTuple_GetItem(tuple.ptr(), i), leaf);
  out.close();
}

[[noreturn]] void not_an_int(nb::handle x, const char* what, const char* kinds) {
  if (PyLong_Check(x.ptr()) && !PyBool_Check(x.ptr()))
    throw Error(std::string(what) + ": " + nb::cast<std::string>(nb::str(x)) +
                " does not fit into 64 bits");
  throw Error(std::string(what) + " must be " + kinds + ", but has " + describe(x) +
              (nb::isinstance<Size>(x) ? "; sizes of enigma.sym_int are for a Tensor, which "
                                         "takes ((M, N), (N, 1)) in place of a layout"
               : attribute(x, "layout").is_valid() ? "; use its .layout"
                                                   : ""));
}

nb::object tuple_of(const std::vector<nb::object>& items) {
  nb::object out = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(items.size())));
  for (size_t i = 0; i < items.size(); ++i)
    PyTuple_SetItem(out.ptr(), static_cast<Py_ssize_t>(i), nb::object(items[i]).release().ptr());
  return out;
}

template <class T, class Leaf>
nb::object python_tuple(Node<T> t, const Leaf& leaf) {
  if (t.is_none()) return nb::none();
  if (!t.is_tuple()) return leaf(t.leaf());
  std::vector<nb::object> items;
  for (Node<T> e : t) items.push_back(python_tuple(e, leaf));
  return tuple_of(items);
}

/// The coordinate that the arguments of a call are: one of any form, or the elements of a tuple.
IntTuple coordinate(nb::args args) {
  if (args.size() == 1) return int_tuple(args[0], "a coordinate", true);
  return int_tuple(args, "a coordinate", true);
}

nb::object call(const Layout& l, nb::args args) {
  IntTuple c = coordinate(args);
  if (c.has_none()) return nb::cast(slice(l, c));
  if (l.gives_coordinates()) return to_python(l.coordinate(c));
  return nb::cast(l(c));
}

nb::object call_swizzled(const SwizzledLayout& l, nb::args args) {
  IntTuple c = coordinate(args);
  return c.has_none() ? nb::cast(slice(l, c)) : nb::cast(l(c));
}

/// l[i], l[i, j] for mode j of mode i, l[a:b].
Layout item(const Layout& l, nb::handle key) {
  if (!PySlice_Check(key.ptr())) return mode_of(l, key);
  auto [start, stop, step, count] = nb::borrow<nb::slice>(key).compute(l.rank());
  std::vector<Layout> modes;
  for (size_t i = 0; i < count; ++i)
    modes.push_back(l[static_cast<size_t>(start + static_cast<Py_ssize_t>(i) * step)]);
  return make_layout(modes);
}

template <class L, class F>
nb::object iterate(const L& l, const F& mode) {
  nb::list modes;
  for (size_t i = 0; i < l.rank(); ++i) modes.append(nb::cast(mode(i)));
  return nb::iter(modes);
}

/// What a notebook shows: a picture, or the text for what is too large for one.
nb::object picture(const AnyLayout& l) try {
  return nb::cast(draw_svg(table(l)));
} catch (const Error&) {
  return nb::none();
}

void bind_layout(nb::module_& m) {
  nb::class_<Layout> c(m, "Layout", nb::is_final(),
                       R"(A function from coordinates to indices, written shape:stride, as in CuTe.

Immutable and hashable. Without strides it is compact with the first mode innermost.

>>> Layout((4, 8))
(4,8):(1,4)
>>> Layout((4, (2, 2)), (4, (2, 1)))(1, (0, 1))
5
>>> Layout((4, 8), (8, 1))(None, 3)
(4):(8))");
  c.def(
      "__init__",
      [](Layout* self, nb::handle shape, nb::handle stride) {
        IntTuple s = int_tuple(shape, "the shape of a layout");
        if (stride.is_none()) {
          new (self) Layout(s);
        } else {
          new (self) Layout(s, strides(stride, "the stride of a layout"));
        }
      },
      nb::arg("shape"), nb::arg("stride").none() = nb::none(),
      nb::sig("def __init__(self, shape: " ENIGMA_INT_TUPLE ", stride: int | ScaledBasis | "
              "tuple[typing.Any, ...] | None = None) -> None"));
  c.def_prop_ro(
       "shape", [](const Layout& l) { return to_python(l.shape()); },
       nb::sig("def shape(self) -> typing.Any"), "Sizes: an int or a nested tuple of ints.")
      .def_prop_ro(
          "stride", [](const Layout& l) { return to_python(l.stride()); },
          nb::sig("def stride(self) -> typing.Any"),
          "Strides in the form of the shape; a ScaledBasis where the layout gives coordinates.")
      .def(
          "size", [](const Layout& l, nb::handle mode) { return mode_of(l, mode).size(); },
          nb::arg("mode").none() = nb::none(),
          nb::sig("def size(self, mode: int | typing.Sequence[int] | None = None) -> int"),
          "The number of coordinates, of the layout or of a mode.")
      .def(
          "cosize", [](const Layout& l, nb::handle mode) { return mode_of(l, mode).cosize(); },
          nb::arg("mode").none() = nb::none(),
          nb::sig("def cosize(self, mode: int | typing.Sequence[int] | None = None) -> int"),
          "One more than the largest index.")
      .def("rank", &Layout::rank, "The number of modes at the top.")
      .def("depth", &Layout::depth, "How deep modes are nested; 0 for an int.")
      .def("__call__", call, nb::sig("def __call__(self, *coord: typing.Any) -> typing.Any"),
           R"(The index of a coordinate; with None in it, the layout of the modes left open.

A coordinate is nested like the shape; an int may stand for any part and counts through its modes.
The last mode has no end.)")
      .def("__getitem__", item, nb::arg("mode"),
           nb::sig("def __getitem__(self, mode: int | tuple[int, ...] | slice, /) -> Layout"),
           "A mode; a path for a mode of a mode; a slice for some modes.")
      .def("__len__", &Layout::rank)
      .def(
          "__iter__", [](const Layout& l) { return iterate(l, [&](size_t i) { return l[i]; }); },
          nb::sig("def __iter__(self) -> typing.Iterator[Layout]"))
      .def("__repr__", [](const Layout& l) { return str(l); })
      .def("__hash__", [](const Layout& l) { return static_cast<Py_ssize_t>(hash(l) >> 1); })
      .def(
          "__eq__",
          [](const Layout& l, nb::handle other) {
            const Layout* o = as_layout(other);
            return o && *o == l;
          },
          nb::arg().none(), nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__reduce__",
           [](const Layout& l) {
             return nb::make_tuple(nb::type<Layout>(),
                                   nb::make_tuple(to_python(l.shape()), to_python(l.stride())));
           })
      .def("_repr_svg_", [](const Layout& l) { return picture(l); });
}

void bind_swizzles(nb::module_& m) {
  nb::class_<Swizzle>(
      m, "Swizzle", nb::is_final(),
      R"(x -> x ^ some bits of x: the `bits` bits above `base` by those `shift` higher.

A negative shift takes bits that lie lower.

>>> [Swizzle(1, 0, 1)(i) for i in range(4)]
[0, 1, 3, 2])")
      .def(nb::init<int, int, int>(), nb::arg("bits"), nb::arg("base"), nb::arg("shift"))
      .def_prop_ro("bits", &Swizzle::bits)
      .def_prop_ro("base", &Swizzle::base)
      .def_prop_ro("shift", &Swizzle::shift)
      .def("size", &Swizzle::size, "The indices below this are permuted among themselves.")
      .def("__call__", &Swizzle::operator(), nb::arg("index"))
      .def("__repr__", [](const Swizzle& s) { return str(s); })
      .def("__hash__",
           [](const Swizzle& s) { return (s.bits() * 64 + s.base()) * 128 + s.shift() + 64; })
      .def(
          "__eq__",
          [](const Swizzle& s, nb::handle other) {
            return nb::isinstance<Swizzle>(other) && nb::cast<const Swizzle&>(other) == s;
          },
          nb::arg().none(), nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__reduce__", [](const Swizzle& s) {
        return nb::make_tuple(nb::type<Swizzle>(), nb::make_tuple(s.bits(), s.base(), s.shift()));
      });

  nb::class_<SwizzledLayout>(m, "SwizzledLayout", nb::is_final(),
                             R"(c -> swizzle(offset + layout(c)).

The algebra's operations act on the layout, and keep the swizzle.

>>> SwizzledLayout(Swizzle(1, 0, 1), 0, Layout((2, 2)))(1, 1)
2)")
      .def(
          "__init__",
          [](SwizzledLayout* self, const Swizzle& swizzle, int64_t offset, nb::handle layout) {
            new (self) SwizzledLayout(
                make_swizzled(swizzle, offset, layout_in(layout, "the layout to swizzle")));
          },
          nb::arg("swizzle"), nb::arg("offset"), nb::arg("layout"),
          nb::sig("def __init__(self, swizzle: Swizzle, offset: int, layout: Layout) -> None"))
      .def_ro("swizzle", &SwizzledLayout::swizzle)
      .def_ro("offset", &SwizzledLayout::offset)
      .def_ro("layout", &SwizzledLayout::layout)
      .def_prop_ro(
          "shape", [](const SwizzledLayout& l) { return to_python(l.layout.shape()); },
          nb::sig("def shape(self) -> typing.Any"))
      .def(
          "size",
          [](const SwizzledLayout& l, nb::handle mode) { return mode_of(l.layout, mode).size(); },
          nb::arg("mode").none() = nb::none(),
          nb::sig("def size(self, mode: int | typing.Sequence[int] | None = None) -> int"),
          "The number of coordinates, of the layout or of a mode.")
      .def("cosize", &SwizzledLayout::cosize,
           "One more than the largest index that the layout gives.")
      .def("rank", [](const SwizzledLayout& l) { return l.layout.rank(); })
      .def("depth", [](const SwizzledLayout& l) { return l.layout.depth(); })
      .def("__call__", call_swizzled,
           nb::sig("def __call__(self, *coord: typing.Any) -> typing.Any"),
           "The index of a coordinate; with None in it, the modes that it leaves open.")
      .def(
          "__getitem__",
          [](const SwizzledLayout& l, nb::handle key) {
            return SwizzledLayout{l.swizzle, l.offset, item(l.layout, key)};
          },
          nb::arg("mode"),
          nb::sig("def __getitem__(self, mode: int | tuple[int, ...] | slice, /) -> "
                  "SwizzledLayout"))
      .def("__len__", [](const SwizzledLayout& l) { return l.layout.rank(); })
      .def(
          "__iter__",
          [](const SwizzledLayout& l) {
            return iterate(l.layout, [&](size_t i) {
              return SwizzledLayout{l.swizzle, l.offset, l.layout[i]};
            });
          },
          nb::sig("def __iter__(self) -> typing.Iterator[SwizzledLayout]"))
      .def("__repr__", [](const SwizzledLayout& l) { return str(l); })
      .def("__hash__",
           [](const SwizzledLayout& l) {
             return static_cast<Py_ssize_t>((hash(l.layout) ^ static_cast<size_t>(l.offset)) >> 1);
           })
      .def(
          "__eq__",
          [](const SwizzledLayout& l, nb::handle other) {
            const SwizzledLayout* o = as_swizzled(other);
            return o && *o == l;
          },
          nb::arg().none(), nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__reduce__",
           [](const SwizzledLayout& l) {
             return nb::make_tuple(nb::type<SwizzledLayout>(),
                                   nb::make_tuple(l.swizzle, l.offset, l.layout));
           })
      .def("_repr_svg_", [](const SwizzledLayout& l) { return picture(l); });
}

void bind_basis(nb::module_& m) {
  nb::class_<Stride>(m, "ScaledBasis", nb::is_final(),
                     R"(A stride that steps along a mode of a coordinate: `value` at `mode`, a path.

>>> make_identity_layout((4, 8)).stride
(1@0, 1@1))")
      .def(
          "__init__",
          [](Stride* self, int64_t value, nb::handle mode) {
            IntTuple path = flatten(int_tuple(mode, "the mode of a ScaledBasis"));
            if (value == 0 || path.leaves().empty())
              throw Error(
                  "a ScaledBasis has a value other than 0 and a mode; write an int for a "
                  "stride of indices");
            const auto& modes = path.leaves();
            new (self) Stride(value, Basis(std::vector<int64_t>(modes.begin(), modes.end())));
          },
          nb::arg("value"), nb::arg("mode"),
          nb::sig("def __init__(self, value: int, mode: int | typing.Sequence[int]) -> None"))
      .def_ro("value", &Stride::value)
      .def_prop_ro(
          "mode",
          [](const Stride& s) {
            std::vector<nb::object> path;
            for (int64_t i : s.basis.path()) path.push_back(nb::cast(i));
            return tuple_of(path);
          },
          nb::sig("def mode(self) -> tuple[int, ...]"))
      .def("__repr__", [](const Stride& s) { return str(s); })
      .def("__hash__",
           [](const Stride& s) {
             return static_cast<Py_ssize_t>((static_cast<uint64_t>(s.value) ^ s.basis.bits()) >> 1);
           })
      .def(
          "__eq__",
          [](const Stride& s, nb::handle other) {
            return nb::isinstance<Stride>(other) && nb::cast<const Stride&>(other) == s;
          },
          nb::arg().none(), nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def("__reduce__", [](nb::handle self) {
        return nb::make_tuple(nb::type<Stride>(),
                              nb::make_tuple(self.attr("value"), self.attr("mode")));
      });
}

}  // namespace

IntTuple int_tuple(nb::handle x, const char* what, bool none) {
  IntTuple out = IntTuple::blank();
  fill(out, x, [&](IntTuple& t, nb::handle leaf) {
    int64_t value;
    if (to_int64(leaf, value)) {
      t.push(value);
    } else if (none && leaf.is_none()) {
      t.push_none();
    } else {
      not_an_int(
          leaf, what,
          none ? "an int, None, or a nested tuple of them" : "an int or a nested tuple of ints");
    }
  });
  return out;
}

Strides strides(nb::handle x, const char* what) {
  Strides out = Strides::blank();
  fill(out, x, [&](Strides& t, nb::handle leaf) {
    int64_t value;
    if (nb::isinstance<Stride>(leaf)) {
      t.push(nb::cast<const Stride&>(leaf));
    } else if (to_int64(leaf, value)) {
      t.push(Stride(value));
    } else {
      not_an_int(leaf, what, "an int, a ScaledBasis, or a nested tuple of them");
    }
  });
  return out;
}

Tiler tiler(nb::handle x, const char* what) {
  if (const Layout* l = as_layout(x)) return *l;
  if (x.is_none()) return {};
  nb::object tuple = elements(x);
  if (tuple.is_valid()) {
    std::vector<Tiler> modes;
    Py_ssize_t n = PyTuple_Size(tuple.ptr());
    Deeper deeper;
    for (Py_ssize_t i = 0; i < n; ++i)
      modes.push_back(tiler(PyTuple_GetItem(tuple.ptr(), i), what));
    return modes;
  }
  int64_t size;
  if (!to_int64(x, size)) not_an_int(x, what, "a Layout, an int, None, or a nested tuple of them");
  return Layout(size);
}

nb::object to_python(Node<int64_t> t) {
  return python_tuple(t, [](int64_t v) { return nb::object(nb::cast(v)); });
}

nb::object to_python(const Strides& s) {
  return python_tuple(s.root(), [](const Stride& v) {
    return v.basis.empty() ? nb::object(nb::cast(v.value)) : nb::object(nb::cast(v));
  });
}

const Layout& layout_in(nb::handle x, const char* what) {
  if (const Layout* l = as_layout(x)) return *l;
  if (as_swizzled(x))
    throw Error(std::string(what) + " must be a Layout without a swizzle, but is " +
                str(*as_swizzled(x)) + "; use its .layout");
  bool tuple = PyTuple_Check(x.ptr()) || PyLong_Check(x.ptr());
  bool has_layout = attribute(x, "layout").is_valid();  // a tensor
  throw Error(std::string(what) + " must be a Layout, but is " + describe(x) +
              (tuple ? "; write enigma.make_layout(" + nb::cast<std::string>(nb::repr(x)) + ")"
               : has_layout ? "; use its .layout"
                            : ""));
}

Layout mode_of(const Layout& l, nb::handle mode) {
  if (mode.is_none()) return l;
  Layout out = l;
  IntTuple path = flatten(int_tuple(mode, "a mode"));
  for (int64_t i : path.leaves()) {
    auto rank = static_cast<int64_t>(out.rank());
    if (i < -rank || i >= rank)
      throw Error("mode " + std::to_string(i) + " of the layout " + str(out) +
                  " does not exist: it has " + std::to_string(rank) +
                  (rank == 1 ? " mode" : " modes"));
    out = out[static_cast<size_t>(i < 0 ? i + rank : i)];
  }
  return out;
}

void bind_layouts(nb::module_& m) {
  bind_basis(m);
  bind_layout(m);
  bind_swizzles(m);
  bind_layout_functions(m);
  bind_tuple_functions(m);
}

}  // namespace enigma
