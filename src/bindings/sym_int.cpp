// SymInt: a size that only a run knows, and what Python makes of it.
#include "sizes.h"

#include <algorithm>

#include "enigma/limits.h"
#include "trace.h"

namespace enigma {
namespace {

bool is_name(const std::string& s) {
  auto letter = [](char c) { return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'); };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !s.empty() && letter(s[0]) &&
         std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || digit(c); });
}

Size sym_int(std::string name, nb::handle divisibility) {
  int64_t multiple = 0;
  if (!is_name(name)) {
    throw Error("a size needs a name that a parameter can have, letters, digits and _, but has '" +
                name + "'");
  }
  if (!to_int64(divisibility, multiple) || multiple < 1 || multiple > kMaxSize) {
    throw Error("the divisibility of the size '" + name + "' is an int of at least 1, but is " +
                describe(divisibility));
  }
  return Size(Symbol{std::move(name), multiple});
}

/// The number that a size has in the kernel that is traced.
nb::object traced(const Size& s) {
  if (!Trace::current()) {
    throw Error("the size " + str(s) +
                " is not known while Python runs, only in a kernel: shapes, strides and grids "
                "take it in sums, products and quotients by ints");
  }
  Trace& trace = Trace::here("a size");
  trace.declare(s.symbols());
  return value_object(trace, std::get<ValueId>(value(trace.builder, s)));
}

/// Another size: an int or a SymInt; false for what only a kernel's value can be combined with.
bool try_size(nb::handle x, Size& out) {
  int64_t known = 0;
  if (nb::isinstance<Size>(x)) {
    out = *nb::inst_ptr<Size>(x);
  } else if (to_int64(x, known)) {
    out = known;
  } else {
    return false;
  }
  return true;
}

/// What an operator makes of two sizes; nothing where that is no size, but an operation of a
/// kernel.
std::optional<Size> combined(std::string_view symbol, const Size& a, const Size& b) {
  if (symbol == "+") return a + b;
  if (symbol == "-") return a + -1 * b;
  if (symbol == "*") return a * b;
  if (symbol == "//" && b.is_known() && !a.is_known()) return floor_div(a, b.known());
  return std::nullopt;
}

nb::object operate(const Size& self, nb::handle other, const BinaryOperator& op, bool swapped) {
  Size given = 0;
  if (try_size(other, given)) {
    auto size = swapped ? combined(op.symbol, given, self) : combined(op.symbol, self, given);
    if (size) return to_python(*size);
  }
  // Sizes are the same or not without a kernel, as keys of a dict.
  if (op.is_equality() && (!given.is_known() || other.is_none())) {
    return nb::bool_((self == given) == (op.symbol[0] == '='));
  }
  return traced(self).attr(swapped ? op.reflected : op.method)(other);
}

}  // namespace

nb::object to_python(const Size& s) {
  return s.is_known() ? nb::object(nb::int_(s.known())) : nb::cast(s);
}

Size size_in(nb::handle x, const std::string& what) {
  Size out = 0;
  if (try_size(x, out)) return out;
  throw Error(what + " is an int or a size of enigma.sym_int, but is " + describe(x));
}

bool has_symbols(nb::handle x) {
  if (!PyTuple_Check(x.ptr())) return nb::isinstance<Size>(x);
  for (nb::handle part : x) {
    if (has_symbols(part)) return true;
  }
  return false;
}

std::vector<Size> sizes_in(nb::handle x, const std::string& what) {
  if (!PyTuple_Check(x.ptr())) return {size_in(x, what)};
  std::vector<Size> out;
  for (nb::handle part : x) out.push_back(size_in(part, what));
  return out;
}

std::vector<Axis> axes_in(nb::handle shape, nb::handle stride, const std::string& tensor) {
  const std::vector<Size> sizes = sizes_in(shape, "a size of tensor '" + tensor + "'");
  const std::vector<Size> strides = sizes_in(stride, "a stride of tensor '" + tensor + "'");
  if (sizes.size() != strides.size()) {
    throw Error("tensor '" + tensor + "' has " + std::to_string(sizes.size()) + " sizes, but " +
                std::to_string(strides.size()) + " strides; give a stride for each size");
  }
  std::vector<Axis> axes;
  for (size_t k = 0; k < sizes.size(); ++k) axes.push_back({sizes[k], strides[k]});
  return axes;
}

bool is_pair(nb::handle x) {
  if (!PyTuple_Check(x.ptr()) || PyTuple_Size(x.ptr()) != 2) return false;
  return PyTuple_Check(PyTuple_GetItem(x.ptr(), 0)) && PyTuple_Check(PyTuple_GetItem(x.ptr(), 1));
}

void bind_sym_int(nb::module_& m) {
  nb::class_<Size> c(m, "SymInt", nb::is_final(),
                     R"(A size that only a run knows, made by sym_int or of others by + - * and //.

Shapes and strides of a Tensor and grids of a launch take it. In a kernel it is a uint. While Python
runs it has no number: EnigmaError where one is needed.)");
  for (const BinaryOperator& op : kBinary) {
    for (bool swapped : {false, true}) {
      const char* method = swapped ? op.reflected : op.method;
      if (!method) continue;
      const std::string sig = std::string("def ") + method + "(self, other: " +
                              (op.is_equality() ? "object" : "SymInt | " ENIGMA_VALUE) +
                              ", /) -> typing.Any";
      c.def(
          method,
          [&op, swapped](const Size& s, nb::handle other) {
            return operate(s, other, op, swapped);
          },
          nb::arg().none(), nb::sig(sig.c_str()));
    }
  }
  for (const auto& [method, operation] : kUnary) {
    const bool negates = std::string_view(operation) == "neg";
    const std::string sig =
        std::string("def ") + method + "(self) -> " + (negates ? "SymInt" : "IRValue");
    c.def(
        method,
        [method, negates](const Size& s) -> nb::object {
          return negates ? to_python(-1 * s) : traced(s).attr(method)();
        },
        nb::sig(sig.c_str()));
  }
  c.def(
       "__pos__", [](nb::object self) { return self; }, nb::sig("def __pos__(self) -> SymInt"))
      .def("__hash__", [](const Size& s) { return std::hash<std::string>()(str(s)) >> 1; })
      .def("__enigma_value__", &traced, nb::sig("def __enigma_value__(self) -> IRValue"),
           "Its number in the kernel that is traced.")
      .def("__bool__",
           [](const Size& s) -> bool {
             throw Error("the size " + str(s) +
                         " is not known while Python runs, so it is neither true nor false; in a "
                         "kernel compare it under enigma.if_");
           })
      .def("__index__",
           [](const Size& s) -> int {
             throw Error("the size " + str(s) +
                         " is not known while Python runs, and an int is needed here; a loop over "
                         "it in a kernel is enigma.for_range(0, n)");
           })
      .def_prop_ro(
          "symbols",
          [](const Size& s) {
            nb::list out;
            for (const Symbol& symbol : s.symbols()) out.append(nb::cast(Size(symbol)));
            return out;
          },
          nb::sig("def symbols(self) -> list[SymInt]"), "The sizes of sym_int that it is made of.")
      .def(
          "at",
          [](const Size& s, nb::dict sizes) {
            return s.at([&](const Symbol& symbol) {
              int64_t n = 0;
              nb::handle x = PyDict_GetItemString(sizes.ptr(), symbol.name.c_str());
              if (x.is_valid() && to_int64(x, n)) return n;
              throw Error("the size " + symbol.name + " is needed as an int, {\"" + symbol.name +
                          "\": n}");
            });
          },
          nb::arg("sizes"), nb::sig("def at(self, sizes: dict[str, int]) -> int"),
          "The number that it is where the sizes of sym_int have these.")
      .def("__repr__", [](const Size& s) { return str(s); });
  m.def("sym_int", &sym_int, nb::arg("name"), nb::arg("divisibility").none() = 1,
        nb::sig("def sym_int(name: str, divisibility: int = 1) -> SymInt"),
        R"(A size that is not known when a jit function is compiled, for the shape of a Tensor.

The arrays of each call give it; `divisibility` must divide it then, and is what vector accesses
are proven by. ::

    M, N = enigma.sym_int("M"), enigma.sym_int("N", divisibility=4)
    A = enigma.Tensor("A", 0, "float", ((M, N), (N, 1)))

In a kernel it is a uint of this name. Errors: EnigmaError for a name that is none.)");
}

}  // namespace enigma
