// What the binding files share: the list of subjects, and small conversions between Python objects
// and Enigma's values. Each bind_X() fills the module with one subject, in the file of its name.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <string>
#include <string_view>
#include <vector>

#include "enigma/artifact.h"
#include "enigma/error.h"
#include "enigma/ops.h"
#include "enigma/types.h"

namespace nb = nanobind;

namespace enigma {

void bind_errors(nb::module_& m);
void bind_types(nb::module_& m);
void bind_layouts(nb::module_& m);
void bind_trace(nb::module_& m);
void bind_values(nb::module_& m);
void bind_tensors(nb::module_& m);
void bind_sym_int(nb::module_& m);
void bind_views(nb::module_& m);
void bind_tiles(nb::module_& m);
void bind_fragments(nb::module_& m);
void bind_atomics(nb::module_& m);
void bind_simd_matrices(nb::module_& m);
void bind_pipeline(nb::module_& m);
void bind_async_copies(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_gemm(nb::module_& m);
void bind_operations(nb::module_& m);
void bind_vectors(nb::module_& m);
void bind_table(nb::module_& m);
void bind_compile(nb::module_& m);
void bind_runtime(nb::module_& m);

// ---- Python types as the stubs name them ----
#define ENIGMA_DTYPE "DType | str | type"
#define ENIGMA_VALUE "IRValue | float | numpy.generic"
#define ENIGMA_SIZE "int | tuple[int, ...]"

// ---- errors.cpp ----
/// The innermost Python line outside of the enigma package; line 0 when there is none.
Location user_location();
/// Whether the module that runs in this frame belongs to the enigma package.
bool is_ours(PyObject* frame);
/// "'abc' (str)", "3.5 (float)": an object as messages show it, shortened.
std::string describe(nb::handle object);
/// "X, alpha and Y": how messages list names.
std::string listed(const std::vector<std::string>& names, const char* last = "and");

// ---- types.cpp ----
/// The one Python object of a type.
nb::object dtype_object(DType t);
/// The type that a DType, a string, a class or a numpy dtype names; Error lists the known ones.
DType dtype_of(nb::handle x);
/// The same for an object that may name none: false, and no error.
bool find_dtype(nb::handle x, DType& out);

// ---- docstrings.cpp ----
/// Names of a row's operands: those of its doc when it opens with a call of itself, as in
/// "step(edge, x): ...", else x, y, z, w. The last may have a default: "zero_point=0".
std::vector<std::string> operand_names(const OpInfo& row);
/// The row's MSL for operands of these names; empty where it is written by hand.
std::string msl_text(const OpInfo& row);
/// What Python shows of the rows that share this row's name.
std::string docstring(const OpInfo& row);

/// The attribute of an object, or an empty one when it has none. Other errors are raised.
nb::object attribute(nb::handle object, const char* name);

/// 1 to 3 positive sizes of a grid or a threadgroup; `what` names it in errors.
Dim3 dim3(nb::handle x, const char* what);

/// An integer from an int or anything with __index__ that is no bool; false when it is something
/// else or does not fit.
bool to_int64(nb::handle x, int64_t& out);

}  // namespace enigma
