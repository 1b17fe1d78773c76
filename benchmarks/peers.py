"""The same kernels by others, on one thread: numba, taichi, PoCL, Halide, OpenBLAS.

Each function gives callables by name; one that is not installed, or does not work here, is left
out with a word of why.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import Run

Maker = Callable[..., Run]


def found(makers: dict[str, Maker], *arrays: np.ndarray) -> dict[str, Run]:
    runs = {}
    for name, make in makers.items():
        try:
            runs[name] = make(*arrays)
        except ImportError:
            pass
        except Exception as why:  # a peer that fails here is no failure of ours
            print(f"  ({name} is left out: {str(why).splitlines()[0]})", file=sys.stderr)
    return runs


# ---- numba ---------------------------------------------------------------------------------------


def numba_add(x, y, out) -> Run:
    import numba

    @numba.njit
    def add(x, y, out):
        for i in range(x.size):
            out[i] = x[i] + y[i]

    add(x[:8], y[:8], out[:8])
    return lambda: add(x, y, out)


def numba_rms(x, w, out) -> Run:
    import numba

    @numba.njit(fastmath={"reassoc"})
    def norm(x, w, out, epsilon):
        for r in range(x.shape[0]):
            total = np.float32(0)
            for i in range(x.shape[1]):
                total += x[r, i] * x[r, i]
            scale = np.float32(1) / np.sqrt(total / np.float32(x.shape[1]) + epsilon)
            for i in range(x.shape[1]):
                out[r, i] = x[r, i] * scale * w[i]

    epsilon = np.float32(1e-6)
    norm(x[:1], w, out[:1], epsilon)
    return lambda: norm(x, w, out, epsilon)


def numba_softmax(x, out) -> Run:
    import numba

    @numba.njit(fastmath={"reassoc"})
    def softmax(x, out):
        for r in range(x.shape[0]):
            most = x[r, 0]
            for i in range(x.shape[1]):
                most = max(most, x[r, i])
            total = np.float32(0)
            for i in range(x.shape[1]):
                out[r, i] = np.exp(x[r, i] - most)
                total += out[r, i]
            for i in range(x.shape[1]):
                out[r, i] /= total

    softmax(x[:1], out[:1])
    return lambda: softmax(x, out)


# ---- taichi --------------------------------------------------------------------------------------


def taichi_add(x, y, out) -> Run:
    import taichi

    taichi.init(arch=taichi.cpu, cpu_max_num_threads=1, log_level=taichi.ERROR)

    @taichi.kernel
    def add(
        x: taichi.types.ndarray(dtype=taichi.f32, ndim=1),
        y: taichi.types.ndarray(dtype=taichi.f32, ndim=1),
        out: taichi.types.ndarray(dtype=taichi.f32, ndim=1),
    ):
        for i in x:
            out[i] = x[i] + y[i]

    add(x, y, out)
    return lambda: add(x, y, out)


# ---- PoCL, by pyopencl ---------------------------------------------------------------------------

OPENCL = """
kernel void add(global const float* x, global const float* y, global float* out) {
  size_t i = get_global_id(0);
  out[i] = x[i] + y[i];
}

float total_of(float x, local float* partial) {
  size_t me = get_local_id(0);
  partial[me] = x;
  for (size_t half = get_local_size(0) / 2; half > 0; half /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (me < half) partial[me] += partial[me + half];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float total = partial[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return total;
}

kernel void rms(global const float* x, global const float* w, global float* out, uint columns) {
  local float partial[256];
  size_t row = get_group_id(0) * columns;
  float squares = 0;
  for (size_t i = get_local_id(0); i < columns; i += 256) squares += x[row + i] * x[row + i];
  float scale = rsqrt(total_of(squares, partial) / columns + 1e-6f);
  for (size_t i = get_local_id(0); i < columns; i += 256) out[row + i] = x[row + i] * scale * w[i];
}
"""


def opencl(name: str, arrays, size: int, *scalars) -> Run:
    import pyopencl

    for platform in pyopencl.get_platforms():
        if "Portable Computing Language" in platform.name:
            break
    else:
        raise ImportError("no PoCL")
    context = pyopencl.Context(platform.get_devices())
    queue = pyopencl.CommandQueue(context)
    flags = pyopencl.mem_flags.READ_WRITE | pyopencl.mem_flags.USE_HOST_PTR
    buffers = [pyopencl.Buffer(context, flags, hostbuf=a) for a in arrays]
    kernel = getattr(pyopencl.Program(context, OPENCL).build(), name)
    kernel.set_args(*buffers, *scalars)

    def run() -> None:
        pyopencl.enqueue_nd_range_kernel(queue, kernel, (size,), (256,))
        queue.finish()

    return run


def opencl_add(x, y, out) -> Run:
    return opencl("add", (x, y, out), x.size)


def opencl_rms(x, w, out) -> Run:
    return opencl("rms", (x, w, out), len(x) * 256, np.uint32(x.shape[1]))


# ---- Halide --------------------------------------------------------------------------------------


def halide_add(x, y, out) -> Run:
    import halide

    i = halide.Var("i")
    inputs = [halide.ImageParam(halide.Float(32), 1) for _ in range(2)]
    add = halide.Func("add")
    add[i] = inputs[0][i] + inputs[1][i]
    add.vectorize(i, 16)
    for param, array in zip(inputs, (x, y), strict=True):
        param.set(halide.Buffer(array))
    result = halide.Buffer(out)
    add.compile_jit()
    return lambda: add.realize(result)


# ---- OpenBLAS ------------------------------------------------------------------------------------


def numpys_openblas() -> Path | None:
    """The library that a wheel of numpy brings along."""
    folder = Path(np.__file__).parents[1] / "numpy.libs"
    return next(iter(folder.glob("libscipy_openblas64_*")), None)


def core_of(library: ctypes.CDLL) -> str:
    """For which processors the kernels are that OpenBLAS has chosen."""
    name = library.scipy_openblas_get_corename64_
    name.restype = ctypes.c_char_p
    return name().decode()


def openblas_name() -> str:
    path = numpys_openblas()
    return f"OpenBLAS ({core_of(ctypes.CDLL(str(path)))})" if path else "numpy's BLAS"


def openblas_512(a, b, c) -> Run:
    """OpenBLAS chooses by the maker of the processor; this copy of it is told to use AVX-512."""
    path, flags = numpys_openblas(), Path("/proc/cpuinfo")
    if path is None or not flags.exists() or " avx512f " not in flags.read_text():
        raise ImportError("no OpenBLAS, or no AVX-512")
    if core_of(ctypes.CDLL(str(path))) == "SkylakeX":
        raise ImportError("it is what numpy uses")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
        try:
            library = ctypes.CDLL(shutil.copy(path, folder))
        finally:
            del os.environ["OPENBLAS_CORETYPE"]
    assert core_of(library) == "SkylakeX"
    (m, k), n = a.shape, b.shape[1]
    row_major, plain, long = 101, 111, ctypes.c_int64
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]

    def run() -> None:
        library.scipy_cblas_sgemm64_(
            *(row_major, plain, plain, long(m), long(n), long(k), one),
            *(pointers[0], long(k), pointers[1], long(n), zero, pointers[2], long(n)),
        )

    return run


# ---- by subject ----------------------------------------------------------------------------------


def vector_add(x, y, out) -> dict[str, Run]:
    makers = {"numba": numba_add, "taichi": taichi_add, "PoCL": opencl_add, "Halide": halide_add}
    return found(makers, x, y, out)


def rms_norm(x, w, out) -> dict[str, Run]:
    return found({"numba": numba_rms, "PoCL": opencl_rms}, x, w, out)


def soft_max(x, out) -> dict[str, Run]:
    return found({"numba": numba_softmax}, x, out)


def matmul(a, b, c) -> dict[str, Run]:
    return found({"OpenBLAS (SkylakeX)": openblas_512}, a, b, c)
