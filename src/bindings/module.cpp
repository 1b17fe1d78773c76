// The Python module enigma._core: the list of its subjects.
#include "bindings.h"

NB_MODULE(_core, m) {
  m.doc() = "Enigma's C++ core: tracing, compiling and running kernels.";
  m.attr("VERSION") = ENIGMA_VERSION;
#ifdef NDEBUG
  // Callbacks that other packages (jax, hypothesis) leave in the garbage collector keep objects
  // past the interpreter's end. The builds of our tests report those; users would take them for
  // faults.
  nb::set_leak_warnings(false);
#endif
  enigma::bind_errors(m);
  enigma::bind_types(m);
  enigma::bind_layouts(m);
  enigma::bind_trace(m);
  enigma::bind_values(m);
  enigma::bind_tensors(m);
  enigma::bind_sym_int(m);
  enigma::bind_views(m);
  enigma::bind_tiles(m);
  enigma::bind_fragments(m);
  enigma::bind_atomics(m);
  enigma::bind_pipeline(m);
  enigma::bind_async_copies(m);
  enigma::bind_rows(m);
  enigma::bind_gemm(m);
  enigma::bind_operations(m);
  enigma::bind_vectors(m);
  enigma::bind_simd_matrices(m);
  enigma::bind_table(m);
  enigma::bind_compile(m);
  enigma::bind_runtime(m);
}
