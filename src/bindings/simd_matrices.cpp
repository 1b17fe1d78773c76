// SIMD-group matrices: values that all threads of a SIMD-group hold together.
#include <string>

#include "trace.h"

namespace enigma {
namespace {

/// The element type of a matrix; Error for any other size than Metal's.
DType element_type(Trace& trace, const char* what, nb::handle elem, nb::handle rows,
                   nb::handle cols) {
  for (nb::handle side : {rows, cols}) {
    int64_t n = 0;
    if (to_int64(side, n) && n == 8) continue;
    throw Error(
        std::string(what) + ": Metal's SIMD-group matrices have 8 rows and 8 columns, not " +
            nb::cast<std::string>(nb::str(rows)) + " x " + nb::cast<std::string>(nb::str(cols)) +
            "; hold a larger tile as several matrices",
        trace.builder.location());
  }
  return dtype_of(elem);
}

ValueId matrix(Trace& trace, nb::handle x, const char* what) {
  if (nb::isinstance<IRValue>(x)) return std::get<ValueId>(operand(trace, x, what));
  throw Error(std::string(what) +
                  " takes matrices from simdgroup_matrix_load or make_filled_simdgroup_matrix, "
                  "but got " +
                  describe(x),
              trace.builder.location());
}

bool flag(Trace& trace, nb::handle x, const char* what) {
  if (PyBool_Check(x.ptr())) return x.is(Py_True);
  throw Error(std::string(what) + ": transpose must be True or False, but is " + describe(x),
              trace.builder.location());
}

nb::object load(const OpInfo& row, nb::handle buf, nb::handle elements_per_row, nb::handle elem,
                nb::handle rows, nb::handle cols, nb::handle offset, nb::handle transpose) {
  Trace& trace = Trace::here(row.python);
  const TracingTensor t = matrix_in(trace, buf, row.python).memory;
  const DType wanted = element_type(trace, row.python, elem, rows, cols);
  if (wanted != t.type.dtype) {
    const char* held = info(t.type.dtype).msl;
    std::string name = t.name.empty() ? "the memory" : t.name;
    throw Error(std::string(row.python) + ": " + name + " holds " + held + ", and elem is " +
                    info(wanted).msl + "; Metal converts nothing here, so write elem=\"" + held +
                    "\"",
                trace.builder.location());
  }
  Operand at = linear_index(trace, t, offset);
  Operand length = operand(trace, elements_per_row, row.python);
  bool turned = flag(trace, transpose, row.python);
  return value_object(trace, trace.builder.simd_matrix_load(t.id, at, length, turned));
}

void store(const OpInfo& row, nb::handle m, nb::handle buf, nb::handle elements_per_row,
           nb::handle offset, nb::handle transpose) {
  Trace& trace = Trace::here(row.python);
  const TracingTensor t = matrix_in(trace, buf, row.python).memory;
  ValueId x = matrix(trace, m, row.python);
  Operand at = linear_index(trace, t, offset);
  Operand length = operand(trace, elements_per_row, row.python);
  trace.builder.simd_matrix_store(x, t.id, at, length, flag(trace, transpose, row.python));
}

/// The row's line, and what holds for all of them.
std::string doc(const OpInfo& row, const char* more) {
  return std::string(row.doc) + ".\n\n" + more +
         "\n\nAll 32 threads of a SIMD-group must get here together, with the same operands: a "
         "condition\nor a loop around it must not differ between them. Every threadgroup of the "
         "launch must have\na multiple of 32 threads.\n\nErrors: EnigmaError where that is known "
         "not to be so, for operands of other types, and outside\nof a kernel.";
}

#define INDEX "IRValue | int | tuple[IRValue | int, ...]"

}  // namespace

void bind_simd_matrices(nb::module_& m) {
  const OpInfo& fill = info(Op::SimdMatrixFill);
  m.def(
      fill.python,
      [&fill](nb::handle value, nb::handle elem, nb::handle rows, nb::handle cols) {
        Trace& trace = Trace::here(fill.python);
        const DType type = element_type(trace, fill.python, elem, rows, cols);
        Operand x = operand(trace, value, fill.python);
        return value_object(trace, trace.builder.simd_matrix(type, x));
      },
      nb::arg("value").none(), nb::arg("elem").none() = "float", nb::arg("rows").none() = 8,
      nb::arg("cols").none() = 8,
      nb::sig("def make_filled_simdgroup_matrix(value: " ENIGMA_VALUE ", elem: " ENIGMA_DTYPE
              " = 'float', rows: int = 8, cols: int = 8) -> IRValue"),
      doc(fill, "`elem` is float, half or bfloat; the value is converted to it.").c_str());

  const OpInfo& from = info(Op::SimdMatrixLoad);
  m.def(
      from.python,
      [&from](nb::handle buf, nb::handle row, nb::handle elem, nb::handle rows, nb::handle cols,
              nb::handle offset, nb::handle transpose) {
        return load(from, buf, row, elem, rows, cols, offset, transpose);
      },
      nb::arg("buf").none(), nb::arg("elements_per_row").none(), nb::arg("elem").none() = "float",
      nb::arg("rows").none() = 8, nb::arg("cols").none() = 8, nb::arg("offset").none() = 0,
      nb::arg("transpose").none() = false,
      nb::sig(
          "def simdgroup_matrix_load(buf: TracingTensor | Tensor, elements_per_row: IRValue | int, "
          "elem: " ENIGMA_DTYPE " = 'float', rows: int = 8, cols: int = 8, offset: " INDEX
          " = 0, transpose: bool = False) -> IRValue"),
      doc(from,
          "Row r begins at offset + r * elements_per_row; with `transpose` column r does. `elem` "
          "is the\ntype of the memory: float, half or bfloat.")
          .c_str());

  const OpInfo& to = info(Op::SimdMatrixStore);
  m.def(
      to.python,
      [&to](nb::handle x, nb::handle buf, nb::handle row, nb::handle offset, nb::handle transpose) {
        store(to, x, buf, row, offset, transpose);
      },
      nb::arg("m").none(), nb::arg("buf").none(), nb::arg("elements_per_row").none(),
      nb::arg("offset").none() = 0, nb::arg("transpose").none() = false,
      nb::sig(
          "def simdgroup_matrix_store(m: IRValue, buf: TracingTensor | Tensor, elements_per_row: "
          "IRValue | int, offset: " INDEX " = 0, transpose: bool = False) -> None"),
      doc(to,
          "Row r begins at offset + r * elements_per_row; with `transpose` column r does. The "
          "memory has\nthe matrix's type.")
          .c_str());

  const OpInfo& multiply = info(Op::SimdMatrixMultiply);
  m.def(
      multiply.python,
      [&multiply](nb::handle a, nb::handle b, nb::handle c) {
        Trace& trace = Trace::here(multiply.python);
        ValueId x = matrix(trace, a, multiply.python), y = matrix(trace, b, multiply.python);
        ValueId z = matrix(trace, c, multiply.python);
        return value_object(trace, trace.builder.simd_matrix_multiply(x, y, z));
      },
      nb::arg("a").none(), nb::arg("b").none(), nb::arg("c").none(),
      nb::sig("def simdgroup_multiply_accumulate(a: IRValue, b: IRValue, c: IRValue) -> IRValue"),
      doc(multiply, "The three have one type, or c is float.").c_str());
}

}  // namespace enigma
