// gemm: the C++ half; python/enigma/gemm.py has the other, which knows register tensors.
#include "enigma/gemm.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "trace.h"

namespace enigma {
namespace {

int64_t size(Trace& trace, nb::handle x, const char* name) {
  int64_t n = 0;
  if (to_int64(x, n)) return n;
  throw Error(
      std::string("gemm: ") + name + " is an int that is known while tracing, not " + describe(x),
      trace.builder.location());
}

/// rows x cols elements that follow each other, or the corner of memory with two dimensions. Sizes
/// below 1 are left to gemm().
Tile tile(Trace& trace, nb::handle x, const char* name, int64_t rows, int64_t cols) {
  const Matrix matrix = matrix_in(trace, x, "gemm");
  const TracingTensor& t = matrix.memory;
  auto fail = [&](const std::string& has) {
    throw Error(std::string("gemm: ") + name + " has " + std::to_string(rows) + " x " +
                    std::to_string(cols) + " elements, and " +
                    (t.name.empty() ? "the memory" : t.name) + " has " + has,
                trace.builder.location());
  };
  if (t.shape.size() == 2) {
    if (t.shape[0] < rows || matrix.columns < cols) {
      fail(std::to_string(t.shape[0]) + " x " + std::to_string(matrix.columns));
    }
    return {t.id, t.offset, t.shape[1]};
  }
  int64_t held = 1;
  for (int64_t extent : t.shape) held *= extent;
  if (!t.shape.empty() && rows > 0 && held / rows < cols) fail(std::to_string(held));
  return {t.id, t.offset, cols};
}

struct Call {
  Trace& trace;
  Gemm g;

  Call(nb::handle a, nb::handle b, nb::handle m, nb::handle n, nb::handle k, bool transpose_a,
       bool transpose_b, nb::handle accumulate)
      : trace(Trace::here("gemm")) {
    g.m = size(trace, m, "M");
    g.n = size(trace, n, "N");
    g.k = size(trace, k, "K");
    g.transpose_a = transpose_a;
    g.transpose_b = transpose_b;
    g.accumulate = dtype_of(accumulate);
    g.a = transpose_a ? tile(trace, a, "A", g.k, g.m) : tile(trace, a, "A", g.m, g.k);
    g.b = transpose_b ? tile(trace, b, "B", g.n, g.k) : tile(trace, b, "B", g.k, g.n);
  }
};

void shared(nb::handle a, nb::handle b, nb::handle c, nb::handle m, nb::handle n, nb::handle k,
            bool transpose_a, bool transpose_b, nb::handle accumulate,
            std::optional<bool> use_simdgroup) {
  Call call(a, b, m, n, k, transpose_a, transpose_b, accumulate);
  Tile sums = tile(call.trace, c, "C", call.g.m, call.g.n);
  gemm(call.trace.builder, call.g, sums, use_simdgroup);
}

nb::list own(nb::handle a, nb::handle b, nb::handle sums, nb::handle m, nb::handle n, nb::handle k,
             bool transpose_a, bool transpose_b, nb::handle accumulate) {
  Call call(a, b, m, n, k, transpose_a, transpose_b, accumulate);
  std::vector<ValueId> values;
  for (nb::handle x : sums) values.push_back(std::get<ValueId>(operand(call.trace, x, "gemm")));
  return value_list(call.trace, gemm(call.trace.builder, call.g, values));
}

#define TILES "A: TracingTensor | Tensor, B: TracingTensor | Tensor, "
#define SIZES ", M: int, N: int, K: int, transpose_A: bool, transpose_B: bool, accum_dtype: "

}  // namespace

void bind_gemm(nb::module_& m) {
  m.def("gemm_shared", &shared, nb::arg("A"), nb::arg("B"), nb::arg("C"), nb::arg("M"),
        nb::arg("N"), nb::arg("K"), nb::arg("transpose_A"), nb::arg("transpose_B"),
        nb::arg("accum_dtype"), nb::arg("use_simdgroup").none(),
        nb::sig("def gemm_shared(" TILES "C: TracingTensor | Tensor" SIZES ENIGMA_DTYPE
                ", use_simdgroup: bool | None) -> None"),
        "C += A @ B, by the whole threadgroup.");
  m.def(
      "gemm_own", &own, nb::arg("A"), nb::arg("B"), nb::arg("sums"), nb::arg("M"), nb::arg("N"),
      nb::arg("K"), nb::arg("transpose_A"), nb::arg("transpose_B"), nb::arg("accum_dtype"),
      nb::sig("def gemm_own(" TILES "sums: list[IRValue]" SIZES ENIGMA_DTYPE ") -> list[IRValue]"),
      "sums + A @ B, by each thread.");
}

}  // namespace enigma
