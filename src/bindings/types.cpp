// Types: one Python object per row of dtypes.def, and everything that names a type.
#include "enigma/limits.h"
#include "trace.h"

namespace enigma {

nb::object dtype_object(DType t) {
  // The table's rows live as long as the program and the module holds the first object made of
  // each, so that nanobind finds the same Python object for a row every time.
  return nb::cast(&info(t), nb::rv_policy::reference);
}

namespace {

/// The name of what names a type: "float", np.float32, np.dtype("float32"); "" for other objects.
std::string name_in(nb::handle x) {
  nb::object name = PyUnicode_Check(x.ptr()) ? nb::borrow(x)
                    : PyType_Check(x.ptr())  ? attribute(x, "__name__")
                                             : attribute(x, "name");
  return name.is_valid() && PyUnicode_Check(name.ptr()) ? nb::cast<std::string>(name) : "";
}

}  // namespace

bool find_dtype(nb::handle x, DType& out) {
  if (nb::isinstance<DTypeInfo>(x)) {
    out = nb::cast<const DTypeInfo&>(x).dtype;
    return true;
  }
  std::string name = name_in(x);
  for (const DTypeInfo& row : kDTypes) {
    if (name == row.class_name) {
      out = row.dtype;
      return true;
    }
  }
  try {
    out = parse_dtype(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

DType dtype_of(nb::handle x) {
  DType t;
  if (find_dtype(x, t)) return t;
  std::string name = name_in(x);
  if (!name.empty() || PyUnicode_Check(x.ptr())) return parse_dtype(name);  // its error lists them
  std::vector<std::string> names;
  for (const DTypeInfo& row : kDTypes) names.push_back(row.mnemonic);
  throw Error("expected a type (" + listed(names, "or") +
              ", or a string that names one), but got " + describe(x));
}

bool to_int64(nb::handle x, int64_t& out) {
  if (PyBool_Check(x.ptr())) return false;
  int overflow = 0;
  if (PyLong_Check(x.ptr())) {
    out = PyLong_AsLongLongAndOverflow(x.ptr(), &overflow);
    return overflow == 0;
  }
  if (!PyIndex_Check(x.ptr())) return false;
  nb::object integer = nb::steal(PyNumber_Index(x.ptr()));
  if (!integer.is_valid()) {
    PyErr_Clear();
    return false;
  }
  out = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  return overflow == 0;
}

namespace {

bool is_bool(const DTypeInfo& t) { return t.kind == DTypeKind::Bool; }

uint32_t dimension(nb::handle x, const char* what, int position) {
  int64_t n = 0;
  std::string name = position < 0 ? what : std::string(what) + "[" + std::to_string(position) + "]";
  bool fits = to_int64(x, n);
  if (!fits && (PyBool_Check(x.ptr()) || !PyLong_Check(x.ptr()))) {
    throw Error(name + " must be an int, but is " + describe(x));
  }
  if (!fits || n < 1 || n > UINT32_MAX) {
    throw Error(name + " is " + nb::cast<std::string>(nb::str(x)) +
                ": it must be at least 1 and below 2**32");
  }
  return static_cast<uint32_t>(n);
}

/// The fast way for the ints that nearly every call gives; 0 when it needs a closer look.
uint32_t plain_dimension(PyObject* x) {
  if (!PyLong_CheckExact(x)) return 0;
  int overflow = 0;
  long long n = PyLong_AsLongLongAndOverflow(x, &overflow);
  return n >= 1 && n <= UINT32_MAX ? static_cast<uint32_t>(n) : 0;
}

}  // namespace

Dim3 dim3(nb::handle x, const char* what) {
  Dim3 out;
  uint32_t* dims[3] = {&out.x, &out.y, &out.z};
  nb::object held;
  if (!PyTuple_Check(x.ptr())) {
    if (!PyList_Check(x.ptr())) {
      if (!PyLong_Check(x.ptr()) && !PyIndex_Check(x.ptr())) {
        throw Error(std::string(what) + " must be an int or a tuple of 1 to 3 ints, but is " +
                    describe(x));
      }
      out.x = dimension(x, what, -1);
      return out;
    }
    held = nb::steal(PyList_AsTuple(x.ptr()));
    x = held;
  }
  Py_ssize_t n = PyTuple_Size(x.ptr());
  if (n < 1 || n > 3) {
    throw Error(std::string(what) + " must be an int or a tuple of 1 to 3 ints, but is " +
                describe(x));
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GetItem(x.ptr(), i);
    uint32_t size = plain_dimension(item);
    *dims[i] = size ? size : dimension(item, what, static_cast<int>(i));
  }
  return out;
}

void bind_types(nb::module_& m) {
  nb::class_<DTypeInfo> type(m, "DType", nb::is_final(),
                             "The type of a number in a kernel: `enigma.f32` and so on.");
  type.def_prop_ro(
          "name", [](const DTypeInfo& t) { return t.mnemonic; }, "\"f32\"")
      .def_prop_ro(
          "class_name", [](const DTypeInfo& t) { return t.class_name; }, "\"Float32\"")
      .def_prop_ro(
          "metal_name", [](const DTypeInfo& t) { return t.msl; }, "\"float\"")
      .def_prop_ro(
          "width", [](const DTypeInfo& t) { return is_bool(t) ? 1 : int{t.bits}; },
          "Bits of a value; 1 for bool, which memory stores as a byte.")
      .def_prop_ro(
          "itemsize", [](const DTypeInfo& t) { return byte_size(t.dtype); },
          "Bytes of an element in memory.")
      .def_prop_ro(
          "numpy",
          [](const DTypeInfo& t) -> nb::object {
            nb::object name = t.dtype == DType::BF16
                                  ? nb::object(nb::module_::import_("ml_dtypes").attr("bfloat16"))
                                  : nb::object(nb::str(t.numpy));
            return nb::module_::import_("numpy").attr("dtype")(name);
          },
          nb::sig("def numpy(self) -> typing.Any"), "The dtype of numpy arrays.")
      .def_prop_ro("is_float", [](const DTypeInfo& t) { return is_float(t.dtype); })
      .def_prop_ro("is_signed", [](const DTypeInfo& t) { return is_signed(t.dtype); })
      .def_prop_ro("is_unsigned", [](const DTypeInfo& t) { return is_unsigned(t.dtype); })
      .def_prop_ro("is_integer", [](const DTypeInfo& t) { return is_integer(t.dtype); })
      .def_prop_ro("is_bool", [](const DTypeInfo& t) { return is_bool(t); })
      .def("__repr__", [](const DTypeInfo& t) { return std::string("enigma.") + t.mnemonic; })
      .def("__hash__", [](const DTypeInfo& t) { return static_cast<int>(t.dtype) + 1; })
      .def(
          "__eq__",
          [](const DTypeInfo& t, nb::handle other) {
            return nb::isinstance<DTypeInfo>(other) &&
                   nb::cast<const DTypeInfo&>(other).dtype == t.dtype;
          },
          nb::arg().none(), nb::sig("def __eq__(self, arg: object, /) -> bool"))
      .def(
          "__reduce__", [](const DTypeInfo& t) { return t.mnemonic; },
          "The name in this module, which is what pickle stores.")
      .def(
          "__call__",
          [](const DTypeInfo& t, nb::handle x) {
            std::string what = std::string("enigma.") + t.mnemonic + "(...)";
            Trace& trace = Trace::here(what.c_str());
            Operand o = operand(trace, x, what.c_str());
            ValueId v = std::holds_alternative<Literal>(o)
                            ? trace.builder.constant(t.dtype, std::get<Literal>(o))
                            : trace.builder.cast(o, t.dtype);
            return value_object(trace, v);
          },
          nb::arg("x"), nb::sig("def __call__(self, x: object) -> IRValue"),
          "A constant of this type in the kernel that is traced; a traced value is converted.");
  m.attr("MAX_PARAMETERS") = kMaxParams;
  for (const DTypeInfo& row : kDTypes) m.attr(row.mnemonic) = dtype_object(row.dtype);
  m.def(
      "dtype", [](nb::handle x) { return dtype_object(dtype_of(x)); }, nb::arg("x").none(),
      nb::sig("def dtype(x: object) -> DType"),
      "The type that a DType, a string, a class or a numpy dtype names.");
}

}  // namespace enigma
