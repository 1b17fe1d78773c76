// Fragment: the values that a thread holds of a tensor, and every operation on them.
#include "layouts.h"
#include "trace.h"

namespace enigma {
namespace {

void check_kernel(Trace& trace, const Fragment& f, const char* what) {
  if (f.trace.get() == &trace) return;
  throw Error(std::string(what) + ": a fragment of kernel '" + f.trace->kernel +
                  "' is used in kernel '" + trace.kernel + "'",
              trace.builder.location());
}

nb::object binary(nb::handle self, nb::handle other, const BinaryOperator& op, bool swapped) {
  Trace& trace = Trace::here(op.symbol);
  nb::handle x[] = {swapped ? other : self, swapped ? self : other};
  return elementwise(trace, op.symbol, x,
                     [&](Operands o) { return trace.builder.apply(op.operation, o); });
}

nb::object unary(nb::handle self, const UnaryOperator& op) {
  Trace& trace = Trace::here(op.operation);
  return elementwise(trace, op.operation, {&self, 1},
                     [&](Operands o) { return trace.builder.apply(op.operation, o); });
}

nb::object item(const Fragment& f, nb::handle index) {
  IntTuple coord = int_tuple(index, "the index of a fragment");
  int64_t i = coord.is_tuple() ? crd2idx(coord, f.shape) : coord.leaves()[0];
  auto size = static_cast<int64_t>(f.values.size());
  if (i < 0 && !coord.is_tuple()) i += size;
  if (i < 0 || i >= size) {
    PyErr_SetString(
        PyExc_IndexError,
        ("a fragment of " + std::to_string(size) + " values has none at " + str(coord)).c_str());
    throw nb::python_error();
  }
  return value_object(*f.trace, f.values[static_cast<size_t>(i)]);
}

std::string signature(const char* method, const char* other) {
  return std::string("def ") + method + "(self, other: " + other + ", /) -> Fragment";
}

}  // namespace

bool agree(IntTuple a, IntTuple b) {
  for (IntTuple* t : {&a, &b}) {
    while (t->is_tuple() && t->rank() == 1) *t = IntTuple(t->root().mode(0));
  }
  return is_compatible(a, b) || is_compatible(b, a);
}

nb::object elementwise(Trace& trace, const char* what, std::span<const nb::handle> x,
                       const std::function<ValueId(Operands)>& operation) {
  std::vector<const Fragment*> fragments;
  std::vector<Operand> operands;
  const Fragment* first = nullptr;
  for (nb::handle h : x) {
    const Fragment* f = nb::isinstance<Fragment>(h) ? nb::inst_ptr<Fragment>(h) : nullptr;
    if (f) check_kernel(trace, *f, what);
    if (f && first && !agree(f->shape, first->shape)) {
      throw Error(std::string(what) + ": fragments of shapes " + str(first->shape) + " and " +
                      str(f->shape) + " have no elements in common",
                  trace.builder.location());
    }
    if (!first) first = f;
    fragments.push_back(f);
    operands.push_back(f ? Operand(f->values[0]) : operand(trace, h, what));
  }
  if (!first) return value_object(trace, operation(operands));
  Fragment out{trace.shared_from_this(), {}, first->shape};
  for (size_t i = 0; i < first->values.size(); ++i) {
    for (size_t k = 0; k < fragments.size(); ++k) {
      if (fragments[k]) operands[k] = fragments[k]->values[i];
    }
    out.values.push_back(operation(operands));
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
    bool compares = !op.reflected;
    // object has == of its own, which gives a bool.
    bool overrides = op.symbol == std::string_view("==") || op.symbol == std::string_view("!=");
    std::string sig =
        overrides ? std::string("def ") + op.method + "(self, other: object, /) -> typing.Any"
                  : signature(op.method, ENIGMA_VALUE " | Fragment");
    c.def(
        op.method, [&op](nb::handle self, nb::handle o) { return binary(self, o, op, false); },
        nb::arg().none(), nb::sig(sig.c_str()));
    if (compares) continue;
    sig = signature(op.reflected, ENIGMA_VALUE);
    c.def(
        op.reflected, [&op](nb::handle self, nb::handle o) { return binary(self, o, op, true); },
        nb::arg().none(), nb::sig(sig.c_str()));
  }
  for (const UnaryOperator& op : kUnary) {
    std::string sig = std::string("def ") + op.method + "(self) -> Fragment";
    c.def(op.method, [&op](nb::handle self) { return unary(self, op); }, nb::sig(sig.c_str()));
  }
  c.def("__len__", [](const Fragment& f) { return f.values.size(); })
      .def("__getitem__", &item, nb::arg("index"),
           nb::sig("def __getitem__(self, index: " ENIGMA_INT_TUPLE ", /) -> IRValue"))
      .def(
          "__iter__", [](const Fragment& f) { return nb::iter(value_list(*f.trace, f.values)); },
          nb::sig("def __iter__(self) -> typing.Iterator[IRValue]"))
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
          [](const Fragment& f) { return dtype_object(f.trace->builder.type(f.values[0]).dtype); },
          nb::sig("def dtype(self) -> DType"))
      .def("__repr__", [](const Fragment& f) {
        return "<Fragment of " + std::to_string(f.values.size()) + " values, shape " +
               str(f.shape) + ">";
      });
}

}  // namespace enigma
