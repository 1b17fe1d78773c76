// Tensor: memory through a layout. Its slices and elements.
#include "views.h"

#include "enigma/limits.h"
#include "layouts.h"
#include "sizes.h"

namespace enigma {
namespace {

void fill(Coord& out, nb::handle x, const char* what) {
  if (PyTuple_Check(x.ptr()) || PyList_Check(x.ptr())) {
    if (Py_EnterRecursiveCall(" in a coordinate")) throw nb::python_error();
    out.coord.open();
    for (nb::handle part : x) fill(out, part, what);
    out.coord.close();
    Py_LeaveRecursiveCall();
    return;
  }
  bool whole = PySlice_Check(x.ptr()) && x.attr("start").is_none() && x.attr("stop").is_none() &&
               x.attr("step").is_none();
  if (x.is_none() || whole) {
    out.coord.push_none();
    return;
  }
  int64_t known;
  if (to_int64(x, known)) {
    out.coord.push(known);
    return;
  }
  if (nb::isinstance<IRValue>(x) || attribute(x, "__enigma_value__").is_valid()) {
    out.trace = &Trace::here(what);
    Operand value = operand(*out.trace, x, what);
    DType type = out.trace->builder.type(std::get<ValueId>(value)).dtype;
    if (is_integer(type)) {
      out.coord.push(std::get<ValueId>(value));
      return;
    }
    throw Error(std::string(what) + ": a coordinate is " + info(type).mnemonic +
                    ": it must be an integer; convert it with enigma.metal_cast(i, \"uint\")",
                out.trace->builder.location());
  }
  throw Error(std::string(what) +
              ": a coordinate is made of ints, traced integers, None for the modes to keep, and "
              "tuples of them, but has " +
              describe(x));
}

}  // namespace

Coord coordinate_in(nb::handle x, const char* what) {
  Coord out;
  fill(out, x, what);
  return out;
}

Tensor with_view(const Tensor& t, View view) { return {t.storage, std::move(view), t.trace}; }

void check_alive(const Tensor& t, const Trace* trace) {
  if (!t.trace || t.trace.get() == trace) return;
  throw Error("a tensor that was sliced in kernel '" + t.trace->kernel + "' is used " +
              (trace ? "in kernel '" + trace->kernel + "'" : "outside of it") +
              "; slice the whole tensor there");
}

Tensor sliced(const Tensor& t, const Coord& c) {
  if (c.trace) {
    check_alive(t, c.trace);
    c.trace->use(t);
  }
  Tensor out = with_view(t, slice(c.trace ? &c.trace->builder : nullptr, t.view, c.coord));
  if (c.trace) out.trace = c.trace->shared_from_this();
  return out;
}

namespace {

/// Nested as a layout, with what `f` makes of each of its leaves.
template <class F>
nb::object nested_leaves(Node<Mode> l, const F& f) {
  if (!l.is_tuple()) return to_python(f(l.leaf()));
  nb::list out;
  for (Node<Mode> mode : l) out.append(nested_leaves(mode, f));
  return nb::tuple(out);
}

nb::object shape_object(const View& v) {
  return nested_leaves(v.layout().root(), [&](const Mode& m) { return size_of(v, m); });
}

nb::object stride_object(const View& v) {
  if (v.axes.empty() || v.profile) return to_python(v.layout().stride());
  return nested_leaves(v.layout().root(), [&](const Mode& m) { return stride_of(v, m); });
}

const Storage& storage(const Tensor& t, const char* what) {
  if (t.storage) return *t.storage;
  throw Error(std::string(what) +
              ": an identity tensor has no memory; its elements are coordinates, which indexing "
              "it gives");
}

Fragment load_fragment(const Tensor& t) {
  Trace& trace = Trace::here("load()");
  check_alive(t, &trace);
  const Storage& s = storage(t, "load()");
  trace.use(t);
  return {trace.shared_from_this(), load(trace.builder, trace.memory(s), t.view),
          t.view.layout().shape()};
}

void store_fragment(const Tensor& t, nb::handle x) {
  Trace& trace = Trace::here("store()");
  check_alive(t, &trace);
  const Storage& s = storage(t, "store()");
  if (nb::isinstance<Fragment>(x) && !is_endless(t.view)) {
    const Fragment& f = *nb::inst_ptr<Fragment>(x);
    const IntTuple shape = t.view.layout().shape();
    if (!agree(f.shape, shape)) {
      throw Error("store(): a fragment of shape " + str(f.shape) + " does not fit '" + s.name +
                      "', whose view has shape " + str(shape) +
                      "; slice it to a part of the fragment's shape",
                  trace.builder.location());
    }
    check_kernel(trace, f, "store()");
  }
  trace.use(t);
  ValueId memory = trace.memory(s);
  if (nb::isinstance<Fragment>(x)) {
    store(trace.builder, memory, t.view, nb::inst_ptr<Fragment>(x)->pieces);
  } else {
    store(trace.builder, memory, t.view, operand(trace, x, "store()"));
  }
}

/// The elements of an identity tensor, nested as its shape.
nb::object nested(Trace* trace, const std::string& profile, const std::vector<Operand>& leaves) {
  std::vector<nb::list> open(1);
  size_t k = 0;
  for (char c : profile) {
    if (c == '(') {
      open.emplace_back();
    } else if (c == ')') {
      nb::tuple done(open.back());
      open.pop_back();
      open.back().append(done);
    } else if (const auto* v = std::get_if<ValueId>(&leaves[k++])) {
      open.back().append(value_object(*trace, *v));
    } else {
      open.back().append(std::get<int64_t>(std::get<Literal>(leaves[k - 1])));
    }
  }
  return open[0][0];
}

nb::object get_item(const Tensor& t, nb::handle index) {
  Coord c = coordinate_in(index, "indexing a tensor");
  if (c.coord.has_none()) return nb::cast(sliced(t, c));
  if (t.storage) {
    Trace& trace = Trace::here("reading an element of a tensor");
    check_alive(t, &trace);
    trace.use(t);
    View v = slice(&trace.builder, t.view, c.coord);
    return value_object(trace, load(trace.builder, trace.memory(*t.storage), v)[0].value);
  }
  Tensor at = sliced(t, c);
  if (!at.trace) {  // all of it is known
    Builder none("");
    return nested(nullptr, *t.view.profile, coordinate(none, at.view));
  }
  Trace& trace = Trace::here("reading an element of a tensor");
  check_alive(at, &trace);
  return nested(&trace, *t.view.profile, coordinate(trace.builder, at.view));
}

void set_item(const Tensor& t, nb::handle index, nb::handle value) {
  Coord c = coordinate_in(index, "indexing a tensor");
  Trace& trace = Trace::here("writing an element of a tensor");
  c.trace = &trace;
  store_fragment(sliced(t, c), value);
}

nb::object layout_object(const Tensor& t) {
  if (is_endless(t.view) || !t.view.axes.empty()) return nb::none();
  return std::visit([](const auto& l) { return nb::cast(l); }, t.view.shown());
}

/// Whether its shape is one: not a row of any size.
bool has_shape(const View& v) { return !v.axes.empty() || !is_endless(v); }

std::string layout_text(const View& v) {
  if (v.axes.empty()) return std::visit([](const auto& l) { return str(l); }, v.shown());
  return shape_text(v) + ":" + (v.profile ? str(v.layout().stride()) : stride_text(v));
}

std::string describe_tensor(const Tensor& t) {
  std::string layout = has_shape(t.view) ? layout_text(t.view) : "of any size";
  if (!t.storage) return "<Tensor of coordinates " + layout + ">";
  const Storage& s = *t.storage;
  return "<Tensor " + (s.name.empty() ? "" : s.name + ": ") + info(s.dtype).mnemonic + " " +
         layout + (s.trace ? ", threadgroup" : ", buffer " + std::to_string(s.index)) + ">";
}

void init(Tensor* self, std::string name, nb::handle buffer_index, nb::handle dtype,
          nb::handle layout, nb::handle base_offset) {
  Storage s{std::move(name), dtype_of(dtype)};
  if (s.name.empty()) throw Error("a Tensor needs a name, which its buffer has in the MSL");
  int64_t index = -1, base = 0;
  if (!to_int64(buffer_index, index) || index < 0 || index >= static_cast<int64_t>(kMaxParams)) {
    throw Error("the buffer_index of tensor '" + s.name + "' is an int from 0 to " +
                std::to_string(kMaxParams - 1) + ", but is " + describe(buffer_index));
  }
  if (!to_int64(base_offset, base) || base < 0) {
    throw Error("the base_offset of tensor '" + s.name +
                "' is a number of elements, an int of at least 0, but is " + describe(base_offset));
  }
  s.index = static_cast<uint32_t>(index);
  View view;
  if (layout.is_none()) {
    view = make_endless_view(s.name, base);
  } else if (const SwizzledLayout* swizzled = as_swizzled(layout)) {
    view = make_view(s.name, *swizzled, base);
  } else if (const Layout* plain = as_layout(layout)) {
    view = make_view(s.name, *plain, base);
  } else if (is_pair(layout)) {
    nb::handle shape = PyTuple_GetItem(layout.ptr(), 0), stride = PyTuple_GetItem(layout.ptr(), 1);
    view = has_symbols(shape) || has_symbols(stride)
               ? make_view(s.name, axes_in(shape, stride, s.name), base)
               : make_view(s.name, Layout(int_tuple(shape, "a shape"), strides(stride, "a stride")),
                           base);
  } else {
    throw Error(
        "the layout of tensor '" + s.name +
        "' is an enigma.Layout, such as enigma.Layout((m, n), (n, 1)), a pair of a shape and a "
        "stride, ((M, N), (N, 1)), where they have sizes of enigma.sym_int, or None, but "
        "is " +
        describe(layout));
  }
  s.elements = static_cast<uint64_t>(elements(view));
  new (self) Tensor{std::make_shared<const Storage>(std::move(s)), std::move(view), {}};
}

}  // namespace

ValueId memory_of(Trace& trace, const Tensor& t, const char* what) {
  check_alive(t, &trace);
  trace.use(t);
  return trace.memory(storage(t, what));
}

Place place_in(Trace& trace, const Tensor& t, nb::handle index) {
  Coord c = coordinate_in(index, "indexing a tensor");
  if (c.coord.has_none()) {
    throw Error("one element of '" + t.view.name +
                    "' is needed here, but None keeps a mode; give an index for each mode",
                trace.builder.location());
  }
  ValueId memory = memory_of(trace, t, "indexing");
  Element e = element(trace.builder, slice(&trace.builder, t.view, c.coord));
  return {memory, e.index, e.exists};
}

std::string no_value(const Tensor& t) {
  if (!t.storage) return "an identity tensor is no value; index it, which gives a coordinate";
  const std::string& name = t.storage->name;
  return (name.empty() ? "a tensor" : "'" + name + "'") +
         " is memory, not a value; read all of its elements with load(), or one with an index for "
         "each mode";
}

nb::object threadgroup_tensor(Trace& trace, DType dtype, const AnyLayout& layout) {
  View view = make_view("threadgroup memory", layout);
  ValueId id = trace.builder.threadgroup_alloc(dtype, elements(view));
  Storage s{"", dtype, 0, 0, trace.shared_from_this(), id};
  return nb::cast(Tensor{std::make_shared<const Storage>(std::move(s)), std::move(view), {}});
}

void bind_views(nb::module_& m) {
  nb::class_<Tensor> c(m, "Tensor", nb::is_final(),
                       R"(Memory through a layout: an argument of a jit function, or a view of one.

`buffer_index` is the number of the buffer in the MSL, `layout` says where its elements lie, and
`base_offset` how many elements come before. Without a layout it is a row of elements of any
size. A pair of shape and stride may have sizes of sym_int, which each run gives.

Indexed by a coordinate of the layout: None keeps a mode and gives a view, an int or a traced
integer fixes one, a tuple reaches the modes of a mode, and an index in place of a tuple counts
through its modes, the first one fastest. All fixed is an element, which can be read and written
in a kernel. A traced index is taken modulo the size of what it indexes.

>>> A = Tensor("A", 0, "float", Layout((4, 8), (8, 1)))
>>> A[2, None]
<Tensor A: f32 (8):(1), buffer 0>

Errors: EnigmaError for a known index that is outside, an index that is no integer, a buffer_index
above 30, a base_offset below 0, and a layout whose indices are negative.)");
  c.def("__init__", &init, nb::arg("name"), nb::arg("buffer_index").none(), nb::arg("dtype").none(),
        nb::arg("layout").none() = nb::none(), nb::arg("base_offset").none() = 0,
        nb::sig("def __init__(self, name: str, buffer_index: int, dtype: " ENIGMA_DTYPE
                ", layout: Layout | SwizzledLayout | tuple[typing.Any, typing.Any] | None = None, "
                "base_offset: int = 0) -> None"))
      .def("__getitem__", &get_item, nb::arg("coord").none(),
           nb::sig("def __getitem__(self, coord: " ENIGMA_COORD ", /) -> typing.Any"))
      .def("__setitem__", &set_item, nb::arg("coord").none(), nb::arg("value").none(),
           nb::sig("def __setitem__(self, coord: " ENIGMA_COORD ", value: " ENIGMA_VALUE
                   " | Fragment, /) -> None"))
      .def("load", &load_fragment,
           "All elements, in the order of their coordinates; 0 for those beyond the end of a "
           "tensor\nthat its tiles do not divide.")
      .def("store", &store_fragment, nb::arg("value").none(),
           nb::sig("def store(self, value: " ENIGMA_VALUE " | Fragment) -> None"),
           "Writes a fragment of as many elements, or one number to all, but for the elements "
           "beyond\nthe end of a tensor that its tiles do not divide.")
      .def(
          "__iter__",
          [](const Tensor&) -> nb::object {
            throw Error("a tensor cannot be iterated over; index it, or load() a part of it");
          },
          nb::sig("def __iter__(self) -> typing.NoReturn"))
      .def_prop_rw(
          "name", [](const Tensor& t) { return t.storage ? t.storage->name : std::string(); },
          [](Tensor& t, std::string name) {
            // Of threadgroup memory, which gets its Python name; the first one wins.
            if (!t.storage || !t.storage->trace || !t.storage->name.empty()) return;
            if (t.storage->trace->ended) return;
            t.storage->trace->builder.set_name(t.storage->memory, name);
            Storage named = *t.storage;
            named.name = t.view.name = std::move(name);
            t.storage = std::make_shared<const Storage>(std::move(named));
          },
          "The name of its buffer in the MSL.")
      .def_prop_ro(
          "buffer_index",
          [](const Tensor& t) -> nb::object {
            if (!t.storage || t.storage->trace) return nb::none();
            return nb::int_(t.storage->index);
          },
          nb::sig("def buffer_index(self) -> int | None"),
          "The number of its buffer in the MSL; None for threadgroup memory.")
      .def_prop_ro(
          "dtype",
          [](const Tensor& t) { return t.storage ? dtype_object(t.storage->dtype) : nb::none(); },
          nb::sig("def dtype(self) -> DType | None"), "None for coordinates.")
      .def_prop_ro("layout", &layout_object,
                   nb::sig("def layout(self) -> Layout | SwizzledLayout | None"),
                   "Where its elements lie, from its first on; None where sizes are not known.")
      .def_prop_ro(
          "shape",
          [](const Tensor& t) { return has_shape(t.view) ? shape_object(t.view) : nb::none(); },
          nb::sig("def shape(self) -> typing.Any"))
      .def_prop_ro(
          "stride", [](const Tensor& t) { return stride_object(t.view); },
          nb::sig("def stride(self) -> typing.Any"))
      .def_prop_ro(
          "base_offset",
          [](const Tensor& t) {
            const View& v = t.view;
            if (v.axes.empty()) {
              return to_python(Size(v.base + (v.swizzle ? 0 : v.steps.origins[0].known)));
            }
            Size before = v.base;
            for (size_t k = 0; k < v.axes.size(); ++k) {
              before = before + v.steps.origins[k].known * v.axes[k].stride;
            }
            return to_python(before);
          },
          nb::sig("def base_offset(self) -> " ENIGMA_SYMBOLIC),
          "Elements before the first, as far as they are known.")
      .def_prop_ro(
          "symbols",
          [](const Tensor& t) {
            nb::list out;
            for (const Symbol& symbol : symbols(t.view)) out.append(nb::cast(Size(symbol)));
            return out;
          },
          nb::sig("def symbols(self) -> list[SymInt]"),
          "The sizes of sym_int in its shape and stride.")
      .def_prop_ro(
          "elements", [](const Tensor& t) { return t.storage ? t.storage->elements : 0; },
          "How many elements its memory must have; 0 where that is not known.")
      .def(
          "size",
          [](const Tensor& t, nb::handle mode) -> nb::object {
            if (!has_shape(t.view)) return nb::none();
            Size n = 1;
            for (const Mode& m : mode_of(t.view.layout(), mode).leaves()) {
              n = n * size_of(t.view, m);
            }
            return to_python(n);
          },
          nb::arg("mode").none() = nb::none(),
          nb::sig(
              "def size(self, mode: int | typing.Sequence[int] | None = None) -> " ENIGMA_SYMBOLIC
              " | None"),
          "The number of elements, of the tensor or of a mode; None for a row of any size.")
      .def("__repr__", &describe_tensor);

  refuse_operators(c, [](const Tensor& t, nb::handle) -> nb::object { throw Error(no_value(t)); });
}

}  // namespace enigma
