// Fragment: the values that a thread holds of a tensor, and every operation on them.
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "layouts.h"
#include "trace.h"

namespace enigma {
namespace {

nb::object binary(nb::handle self, nb::handle other, const BinaryOperator& op, bool swapped) {
  Trace& trace = Trace::here(op.symbol);
  nb::handle x[] = {swapped ? other : self, swapped ? self : other};
  return elementwise(
      trace, op.symbol, x, [&](Operands o) { return trace.builder.apply(op.operation, o); }, true);
}

nb::object unary(nb::handle self, const UnaryOperator& op) {
  Trace& trace = Trace::here(op.operation);
  return elementwise(
      trace, op.operation, {&self, 1},
      [&](Operands o) { return trace.builder.apply(op.operation, o); }, true);
}

int64_t size(const Fragment& f) { return product(f.shape); }

bool same_pieces(const Fragment& a, const Fragment& b) {
  return std::equal(a.pieces.begin(), a.pieces.end(), b.pieces.begin(), b.pieces.end(),
                    [](const Piece& x, const Piece& y) { return x.elements == y.elements; });
}

nb::object item(const Fragment& f, nb::handle index) {
  Trace& trace = Trace::here("indexing a fragment");
  IntTuple coord = int_tuple(index, "the index of a fragment");
  int64_t i = coord.is_tuple() ? crd2idx(coord, f.shape) : coord.leaves()[0];
  if (i < 0 && !coord.is_tuple()) i += size(f);
  check_kernel(trace, f, "indexing a fragment");
  for (const Piece& p : f.pieces) {
    for (size_t k = 0; k < p.elements.size(); ++k) {
      if (p.elements[k] != i) continue;
      const bool vector = p.elements.size() > 1;
      return value_object(
          trace, vector ? trace.builder.extract(p.value, static_cast<int64_t>(k)) : p.value);
    }
  }
  throw Error("a fragment of " + std::to_string(size(f)) + " values has none at " + str(coord) +
                  ": its shape is " + str(f.shape),
              trace.builder.location());
}

nb::object iterate(const Fragment& f) {
  Trace& trace = Trace::here("iterating over a fragment");
  std::vector<ValueId> values;
  check_kernel(trace, f, "iterating over a fragment");
  for (const Piece& p : split(trace.builder, f.pieces)) {
    values.push_back(p.value);
  }
  return nb::iter(value_list(trace, values));
}

// ---- What a region carries: the values of the pieces, and how elements are grouped in them ----

nb::object form(const Fragment& f, nb::handle like) {
  if (!like.is_none()) {
    IntTuple shape = int_tuple(like[0], "the shape of a fragment");
    if (agree(f.shape, shape)) return nb::borrow(like);
  }
  nb::list groups;
  for (const Piece& p : f.pieces) {
    nb::list group;
    for (int64_t i : p.elements) group.append(i);
    groups.append(nb::tuple(group));
  }
  return nb::make_tuple(to_python(f.shape), nb::tuple(groups));
}

using Groups = std::vector<std::vector<int64_t>>;

nb::list values(const Fragment& f, nb::handle form) {
  const auto groups = nb::cast<Groups>(form[1]);
  std::vector<ValueId> out;
  for (const Piece& p : regroup(f.trace->builder, f.pieces, groups)) out.push_back(p.value);
  return value_list(*f.trace, out);
}

Fragment fragment_of(nb::handle values, nb::handle form) {
  Trace& trace = Trace::here("a fragment");
  auto groups = nb::cast<Groups>(form[1]);
  Fragment out{trace.shared_from_this(), {}, int_tuple(form[0], "the shape of a fragment")};
  size_t k = 0;
  for (nb::handle value : values) {
    const Operand piece = operand(trace, value, "a fragment");
    out.pieces.push_back({std::get<ValueId>(piece), std::move(groups.at(k++))});
  }
  return out;
}

std::string signature(const char* method, const char* other) {
  return std::string("def ") + method + "(self, other: " + other + ", /) -> Fragment";
}

}  // namespace

void check_kernel(Trace& trace, const Fragment& f, const char* what) {
  if (f.trace.get() == &trace) return;
  throw Error(std::string(what) + ": a fragment of kernel '" + f.trace->kernel +
                  "' is used in kernel '" + trace.kernel + "'; load it there",
              trace.builder.location());
}

bool agree(IntTuple a, IntTuple b) {
  for (IntTuple* t : {&a, &b}) {
    while (t->is_tuple() && t->rank() == 1) *t = IntTuple(t->root().mode(0));
  }
  return is_compatible(a, b) || is_compatible(b, a) || flatten(a) == flatten(b);
}

nb::object elementwise(Trace& trace, const char* what, std::span<const nb::handle> x,
                       const std::function<ValueId(Operands)>& operation, bool takes_vectors) {
  std::vector<const Fragment*> fragments;
  std::vector<Operand> operands;
  const Fragment* first = nullptr;
  for (nb::handle h : x) {
    const Fragment* f = nb::isinstance<Fragment>(h) ? nb::inst_ptr<Fragment>(h) : nullptr;
    if (f) check_kernel(trace, *f, what);
    if (f && first && !agree(f->shape, first->shape)) {
      throw Error(std::string(what) + ": fragments of shapes " + str(first->shape) + " and " +
                      str(f->shape) +
                      " have no elements in common; slice the tensors to parts of one shape",
                  trace.builder.location());
    }
    if (first && f) takes_vectors = takes_vectors && same_pieces(*f, *first);
    if (!first) first = f;
    fragments.push_back(f);
    operands.push_back(f ? Operand(f->pieces[0].value) : operand(trace, h, what));
  }
  for (size_t k = 0; first && k < operands.size(); ++k) {
    const ValueId* v = std::get_if<ValueId>(&operands[k]);
    if (fragments[k] || !v || trace.builder.type(*v).is_scalar()) continue;
    throw Error(std::string(what) +
                    ": an element of a fragment is a number, and the other operand " +
                    to_string(trace.builder.type(*v)),
                trace.builder.location());
  }
  if (!first) return value_object(trace, operation(operands));
  std::vector<std::vector<Piece>> pieces;
  std::vector<Piece> first_pieces;
  for (const Fragment* f : fragments) {
    pieces.push_back(!f              ? std::vector<Piece>()
                     : takes_vectors ? f->pieces
                                     : split(trace.builder, f->pieces));
    if (f == first) first_pieces = pieces.back();
  }
  Fragment out{trace.shared_from_this(), {}, first->shape};
  for (size_t i = 0; i < first_pieces.size(); ++i) {
    for (size_t k = 0; k < fragments.size(); ++k) {
      if (fragments[k]) operands[k] = pieces[k][i].value;
    }
    out.pieces.push_back({operation(operands), first_pieces[i].elements});
  }
  return nb::cast(std::move(out));
}

void bind_fragments(nb::module_& m) {
  nb::class_<Fragment> c(m, "Fragment", nb::is_final(),
                         R"(The values that a thread has loaded of a tensor, one for each element.

Operators, the functions of enigma and conversions work on each element; numbers and values of the
kernel are the same for all. A fragment has a length, can be indexed by a number or a coordinate
that is known, and iterated over, which gives its values.)");
  for (const BinaryOperator& op : kBinary) {
    if (std::string_view(op.symbol) == "@") continue;  // of matrices, not of elements
    std::string sig = op.is_equality() ? std::string("def ") + op.method +
                                             "(self, other: object, /) -> typing.Any"
                                       : signature(op.method, ENIGMA_VALUE " | Fragment");
    c.def(
        op.method, [&op](nb::handle self, nb::handle o) { return binary(self, o, op, false); },
        nb::arg().none(), nb::sig(sig.c_str()));
    if (!op.reflected) continue;
    sig = signature(op.reflected, ENIGMA_VALUE);
    c.def(
        op.reflected, [&op](nb::handle self, nb::handle o) { return binary(self, o, op, true); },
        nb::arg().none(), nb::sig(sig.c_str()));
  }
  for (const UnaryOperator& op : kUnary) {
    std::string sig = std::string("def ") + op.method + "(self) -> Fragment";
    c.def(op.method, [&op](nb::handle self) { return unary(self, op); }, nb::sig(sig.c_str()));
  }
  c.def("__len__", &size)
      .def("__getitem__", &item, nb::arg("index"),
           nb::sig("def __getitem__(self, index: " ENIGMA_INT_TUPLE ", /) -> IRValue"))
      .def(
          "__setitem__",
          [](const Fragment&, nb::handle, nb::handle) {
            throw Error(
                "the values of a fragment cannot be replaced one by one; keep them in a register "
                "tensor, t = enigma.register_tensor(shape, dtype) and t.store(fragment), whose "
                "elements can be written",
                Trace::here("an assignment to part of a fragment").builder.location());
          },
          nb::arg().none(), nb::arg().none(),
          nb::sig("def __setitem__(self, index: object, value: object, /) -> typing.Never"))
      .def("__iter__", &iterate, nb::sig("def __iter__(self) -> typing.Iterator[IRValue]"))
      .def("__bool__",
           [](const Fragment&) -> bool {
             throw Error(
                 "a fragment has no truth in Python, since only the device knows its "
                 "values: use enigma.where for a choice for each element");
           })
      .def("__hash__", [](nb::handle self) { return reinterpret_cast<intptr_t>(self.ptr()) >> 4; })
      .def_prop_ro(
          "shape", [](const Fragment& f) { return to_python(f.shape); },
          nb::sig("def shape(self) -> typing.Any"))
      .def_prop_ro(
          "dtype",
          [](const Fragment& f) {
            return dtype_object(f.trace->builder.type(f.pieces[0].value).dtype);
          },
          nb::sig("def dtype(self) -> DType"))
      .def("__repr__", [](const Fragment& f) {
        return "<Fragment of " + std::to_string(size(f)) + " values, shape " + str(f.shape) + ">";
      });

#define FORM "tuple[typing.Any, ...]"
  m.def("fragment_form", &form, nb::arg("fragment"), nb::arg("like").none() = nb::none(),
        nb::sig("def fragment_form(fragment: Fragment, like: " FORM " | None = None) -> " FORM),
        "Its shape and the elements of each of its vectors; `like`, another's, where that fits.");
  m.def("fragment_values", &values, nb::arg("fragment"), nb::arg("form"),
        nb::sig("def fragment_values(fragment: Fragment, form: " FORM ") -> list[IRValue]"),
        "The vectors of a form.");
  m.def("fragment_of", &fragment_of, nb::arg("values"), nb::arg("form"),
        nb::sig("def fragment_of(values: collections.abc.Sequence[IRValue], form: " FORM
                ") -> Fragment"),
        "The fragment of a form that has these vectors.");
  m.def(
      "name_fragment",
      [](const Fragment& f, const std::string& name) {
        if (f.trace->ended) return;
        for (size_t k = 0; k < f.pieces.size(); ++k) {
          const std::string each = f.pieces.size() == 1 ? name : name + "_" + std::to_string(k);
          f.trace->builder.set_name(f.pieces[k].value, each);
        }
      },
      nb::arg("fragment"), nb::arg("name"),
      "Gives its vectors the Python name, with a number each.");
#undef FORM
}

}  // namespace enigma
