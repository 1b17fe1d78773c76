// IRValue: operators on traced values, and the errors for what only the device knows.
#include <utility>

#include "trace.h"

namespace enigma {
namespace {

const char* const kTruth =
    "a traced value has no truth in Python, since only the device knows it: use "
    "`with enigma.if_(c):` for `if`, `with enigma.while_(lambda: c):` for `while`, "
    "enigma.where for a choice, and `&`, `|`, `~` for `and`, `or`, `not`";

std::string shown(const IRValue& v) {
  std::string name = v.trace->ended ? "" : v.trace->builder.module().name_of(v.id);
  return name.empty() ? "a value" : "value '" + name + "'";
}

ValueId checked(Trace& trace, const IRValue& v, const char* what) {
  if (v.trace.get() == &trace) return v.id;
  if (v.trace->ended) {
    throw Error(std::string(what) + ": a value of kernel '" + v.trace->kernel +
                    "', which has ended, is used in kernel '" + trace.kernel +
                    "'; compute it there, or write it to a buffer that both have",
                trace.builder.location());
  }
  throw Error(std::string(what) + ": " + shown(v) + " of kernel '" + v.trace->kernel +
                  "' is used in kernel '" + trace.kernel +
                  "'; a kernel sees only its own values, so pass it as a parameter",
              trace.builder.location());
}

Literal integer_literal(Trace& trace, nb::handle x, const char* what) {
  int overflow = 0;
  int64_t value = PyLong_AsLongLongAndOverflow(x.ptr(), &overflow);
  if (!overflow) return value;
  if (overflow > 0) {
    unsigned long long wide = PyLong_AsUnsignedLongLong(x.ptr());
    if (!PyErr_Occurred()) return uint64_t{wide};
    PyErr_Clear();
  }
  throw Error(std::string(what) + ": an int of more than 64 bits fits no type of a kernel",
              trace.builder.location());
}

/// A constant of the dtype of a numpy scalar or of an array of no dimensions; false when x is
/// neither.
bool numpy_scalar(Trace& trace, nb::handle x, const char* what, Operand& out) {
  nb::object dtype = attribute(x, "dtype");
  if (!dtype.is_valid() || nb::isinstance<DTypeInfo>(dtype)) return false;
  nb::object shape = attribute(x, "shape");
  if (!shape.is_valid() || !PyTuple_Check(shape.ptr())) return false;
  if (PyTuple_Size(shape.ptr()) != 0) {
    throw Error(std::string(what) + ": an array of shape " + nb::cast<std::string>(nb::str(shape)) +
                    " is no value of a kernel; make it a parameter, and index that",
                trace.builder.location());
  }
  DType type;
  if (!find_dtype(dtype, type)) {
    throw Error(std::string(what) + ": Metal has no type for " + describe(x) + " of numpy dtype " +
                    nb::cast<std::string>(nb::str(dtype)),
                trace.builder.location());
  }
  nb::object item = x.attr("item")();
  Literal literal = PyBool_Check(item.ptr())   ? Literal(item.is(Py_True))
                    : PyLong_Check(item.ptr()) ? integer_literal(trace, item, what)
                                               : Literal(nb::cast<double>(item));
  out = trace.builder.constant(type, literal);
  return true;
}

}  // namespace

bool try_operand(Trace& trace, nb::handle x, const char* what, Operand& out) {
  PyObject* p = x.ptr();
  if (nb::isinstance<IRValue>(x)) {
    out = checked(trace, *nb::inst_ptr<IRValue>(x), what);
    return true;
  }
  if (PyBool_Check(p)) {
    out = Literal(p == Py_True);
    return true;
  }
  if (PyLong_Check(p)) {
    out = integer_literal(trace, x, what);
    return true;
  }
  if (PyFloat_Check(p)) {  // numpy's float64 too: Metal has no such type, so it is a plain number
    out = Literal(PyFloat_AsDouble(p));
    return true;
  }
  if (nb::isinstance<TracingTensor>(x)) {
    const std::string& name = nb::cast<const TracingTensor&>(x).name;
    std::string shown = name.empty() ? "memory" : name;
    throw Error(std::string(what) + ": '" + shown +
                    "' is memory, not a value; read an element of it: " + shown + "[i]",
                trace.builder.location());
  }
  if (nb::isinstance<Tensor>(x)) {
    throw Error(std::string(what) + ": " + no_value(*nb::inst_ptr<Tensor>(x)),
                trace.builder.location());
  }
  nb::object stands_for = attribute(x, "__enigma_value__");  // a scalar of a jit function
  if (stands_for.is_valid()) return try_operand(trace, stands_for(), what, out);
  return numpy_scalar(trace, x, what, out);
}

Operand operand(Trace& trace, nb::handle x, const char* what) {
  Operand out;
  if (try_operand(trace, x, what, out)) return out;
  const bool loads = attribute(x, "load").is_valid();  // a register tensor
  throw Error(std::string(what) + ": expected a value of the kernel or a number, but got " +
                  describe(x) + (loads ? "; its load() gives all of its elements" : ""),
              trace.builder.location());
}

std::vector<Operand> operands(Trace& trace, nb::handle list, const char* what) {
  std::vector<Operand> out;
  for (nb::handle x : list) out.push_back(operand(trace, x, what));
  return out;
}

constexpr BinaryOperator kBinaryRows[] = {
    {"+", "__add__", "__radd__", "+", "add"},
    {"-", "__sub__", "__rsub__", "-", "subtract"},
    {"*", "__mul__", "__rmul__", "*", "multiply"},
    {"@", "__matmul__", "__rmatmul__", "matmul", "matmul"},
    {"/", "__truediv__", "__rtruediv__", "/", "divide"},
    {"//", "__floordiv__", "__rfloordiv__", "//", "floor_divide"},
    {"%", "__mod__", "__rmod__", "%", "remainder"},
    {"**", "__pow__", "__rpow__", "pow", "power"},
    {"&", "__and__", "__rand__", "&", "bitwise_and"},
    {"|", "__or__", "__ror__", "|", "bitwise_or"},
    {"^", "__xor__", "__rxor__", "^", "bitwise_xor"},
    {"<<", "__lshift__", "__rlshift__", "<<", "left_shift"},
    {">>", "__rshift__", "__rrshift__", ">>", "right_shift"},
    {"<", "__lt__", nullptr, "cmp_lt", "less"},
    {"<=", "__le__", nullptr, "cmp_le", "less_equal"},
    {">", "__gt__", nullptr, "cmp_gt", "greater"},
    {">=", "__ge__", nullptr, "cmp_ge", "greater_equal"},
    {"==", "__eq__", nullptr, "cmp_eq", "equal"},
    {"!=", "__ne__", nullptr, "cmp_ne", "not_equal"},
};

constexpr UnaryOperator kUnaryRows[] = {
    {"__neg__", "neg"}, {"__invert__", "~"}, {"__abs__", "abs"}};

const std::span<const BinaryOperator> kBinary = kBinaryRows;
const std::span<const UnaryOperator> kUnary = kUnaryRows;

namespace {

/// Whether a class of another Python package knows how to combine itself with a value: then Python
/// shall ask it, instead of getting our error.
bool defers(nb::handle other, const char* reflected) {
  PyObject* p = other.ptr();
  if (!reflected || PyUnicode_Check(p) || PyList_Check(p) || PyTuple_Check(p) || PyBytes_Check(p)) {
    return false;
  }
  return attribute(other.type(), reflected).is_valid();
}

nb::object combine(const IRValue& self, nb::handle other, const BinaryOperator& op, bool swapped) {
  if (nb::isinstance<Fragment>(other)) return nb::borrow(Py_NotImplemented);  // it will
  Trace& trace = Trace::here(op.symbol);
  Operand a = checked(trace, self, op.symbol), b;
  if (!try_operand(trace, other, op.symbol, b)) {
    if (!swapped && defers(other, op.reflected)) return nb::borrow(Py_NotImplemented);
    b = operand(trace, other, op.symbol);  // throws
  }
  if (swapped) std::swap(a, b);
  Operand both[] = {a, b};
  return value_object(trace, trace.builder.apply(op.operation, both));
}

/// numpy's functions on a value: its scalars' operators, which are such functions, give what ours
/// do, and all others would need the number that only the device knows.
nb::object numpy_function(nb::handle self, nb::handle ufunc, nb::handle method, nb::args inputs,
                          nb::kwargs) {
  std::string name = nb::cast<std::string>(ufunc.attr("__name__"));
  bool plain = inputs.size() == 2 && nb::cast<std::string>(method) == "__call__";
  for (const BinaryOperator& op : kBinary) {
    if (!plain || op.ufunc != name) continue;
    bool second = inputs[1].is(self);
    return combine(*nb::inst_ptr<IRValue>(self), inputs[second ? 0 : 1], op, second);
  }
  std::string advice = overloads(name).empty() ? "use enigma's functions on the values of a kernel"
                                               : "write enigma." + name;
  throw Error("numpy." + name + " takes numbers, but a traced value is known only on the device; " +
              advice);
}

std::string signature(const char* method) {
  return std::string("def ") + method + "(self, other: " ENIGMA_VALUE ", /) -> IRValue";
}

/// object has == and != of its own, which a type checker compares: any operand, and a bool, which
/// ours is not.
std::string signature(const BinaryOperator& op) {
  if (!op.is_equality()) return signature(op.method);
  return std::string("def ") + op.method + "(self, other: object, /) -> typing.Any";
}

/// What assigning to a part of a value says: values do not change, names do.
[[noreturn]] void throw_immutable(const IRValue& v) {
  Trace& trace = Trace::here("an assignment to part of a value");
  const std::string type = to_string(v.type);
  if (part_count(v) == 0) {
    throw Error(shown(v) + " (" + type +
                    ") is one number, which has no elements to write; memory " +
                    "is a parameter annotated with a dtype, as in `A: enigma.f32`",
                trace.builder.location());
  }
  throw Error(shown(v) + " (" + type +
                  ") cannot be changed in part, as no value can; make another, " +
                  "as in `v = enigma.make_vec(2.0, v.y)`",
              trace.builder.location());
}

}  // namespace

void bind_values(nb::module_& m) {
  nb::class_<IRValue> value(m, "IRValue", nb::is_final(),
                            "A value of the kernel that is traced: a number in each thread, or a "
                            "vector or matrix of them.");
  for (const BinaryOperator& op : kBinary) {
    value.def(
        op.method,
        [&op](const IRValue& self, nb::handle other) { return combine(self, other, op, false); },
        nb::arg().none(), nb::sig(signature(op).c_str()));
    if (!op.reflected) continue;
    value.def(
        op.reflected,
        [&op](const IRValue& self, nb::handle other) { return combine(self, other, op, true); },
        nb::arg().none(), nb::sig(signature(op.reflected).c_str()));
  }
  for (const auto& [method, operation] : kUnary) {
    std::string sig = std::string("def ") + method + "(self) -> IRValue";
    value.def(
        method,
        [operation](const IRValue& self) {
          Trace& trace = Trace::here(operation);
          Operand x = checked(trace, self, operation);
          return value_object(trace, trace.builder.apply(operation, {&x, 1}));
        },
        nb::sig(sig.c_str()));
  }
  value
      .def(
          "__pos__", [](nb::object self) { return self; }, nb::sig("def __pos__(self) -> IRValue"))
      .def("__hash__", [](nb::handle self) { return reinterpret_cast<intptr_t>(self.ptr()) >> 4; })
      .def("__bool__", [](const IRValue&) -> bool { throw Error(kTruth); })
      .def(
          "__iter__",
          [](const IRValue& self) -> nb::object {
            nb::list parts;
            for (int k = 0; k < part_count(self); ++k) {
              parts.append(part_of(self, nb::int_(k), "a component"));
            }
            if (nb::len(parts)) return nb::iter(parts);
            throw Error(
                "a traced value cannot be iterated over; for a loop that many times use `with "
                "enigma.for_range(0, n) as i:`");
          },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[IRValue]"))
      .def(
          "__len__",
          [](const IRValue& self) -> int {
            if (int n = part_count(self)) return n;
            throw Error("a traced value has no length");
          },
          nb::sig("def __len__(self) -> int"))
      .def(
          "__getitem__",
          [](const IRValue& self, nb::handle index) { return part_of(self, index, "a component"); },
          nb::arg().none(), nb::sig("def __getitem__(self, index: " ENIGMA_VALUE ", /) -> IRValue"),
          "A component of a vector, or a column of a matrix, counted from 0.")
      .def(
          "__setitem__", [](const IRValue& self, nb::handle, nb::handle) { throw_immutable(self); },
          nb::arg().none(), nb::arg().none(),
          nb::sig("def __setitem__(self, index: object, value: object, /) -> typing.Never"));
  static const char* const kNames[] = {"x", "y", "z", "w"};
  for (int k = 0; k < 4; ++k) {
    const std::string doc = "Component " + std::to_string(k) + " of a vector.";
    value.def_prop_rw(
        kNames[k],
        [k](const IRValue& self) {
          if (self.type.is_matrix()) {
            throw Error("a matrix has columns, as m[0], and no component " +
                        std::string(kNames[k]));
          }
          if (self.type == Type::scalar(DType::U32)) {
            throw Error(std::string("a uint has no component ") + kNames[k] +
                        "; a grid query takes the dimension, as in "
                        "enigma.thread_position_in_grid_xyz(\"" +
                        kNames[k] + "\")");
          }
          return part_of(self, nb::int_(k), kNames[k]);
        },
        [](const IRValue& self, nb::handle) { throw_immutable(self); },
        nb::for_getter(nb::sig(("def " + std::string(kNames[k]) + "(self) -> IRValue").c_str())),
        nb::for_setter(nb::sig(
            ("def " + std::string(kNames[k]) + "(self, value: typing.Never, /) -> None").c_str())),
        doc.c_str());
  }
  for (const char* method : {"__index__", "__int__"}) {
    std::string sig = std::string("def ") + method + "(self) -> int";
    value.def(
        method,
        [](const IRValue&) -> int {
          throw Error(
              "a traced value cannot become a Python int, since only the device knows it; for "
              "a loop use enigma.for_range, for a conversion enigma.metal_cast(value, \"int\"), "
              "instead of a list that it would index a buffer or a threadgroup array");
        },
        nb::sig(sig.c_str()));
  }
  value
      .def("__float__",
           [](const IRValue&) -> double {
             throw Error(
                 "a traced value cannot become a Python float, since only the device knows it; "
                 "for a conversion use enigma.metal_cast(value, \"float\"), for functions "
                 "enigma's own, as enigma.sqrt");
           })
      .def_prop_ro(
          "dtype", [](const IRValue& v) { return dtype_object(v.type.dtype); },
          nb::sig("def dtype(self) -> DType"))
      .def_prop_ro(
          "id", [](const IRValue& v) { return v.id.index; },
          "Its number in the kernel; values are numbered in the order in which they are made.")
      .def_prop_ro(
          "name",
          [](const IRValue& v) {
            return v.trace->ended ? std::string() : v.trace->builder.module().name_of(v.id);
          },
          "The Python name, \"\" when none is known.")
      .def("__repr__", [](const IRValue& v) {
        std::string name = v.trace->ended ? "" : v.trace->builder.module().name_of(v.id);
        return "<IRValue " + (name.empty() ? "" : name + ": ") + to_string(v.type) +
               " in kernel '" + v.trace->kernel + "'>";
      });
  value.def("__array_ufunc__", numpy_function,
            nb::sig("def __array_ufunc__(self, ufunc: object, method: str, /, *inputs: object, "
                    "**kwargs: object) -> IRValue"));
}

}  // namespace enigma
