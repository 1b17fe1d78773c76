"""RMSNorm over rows: a threadgroup per row, partial sums met in threadgroup memory."""

import functools

import numpy as np

import enigma

THREADS = 256


def define(dtype: str) -> enigma.KernelDef:
    """The kernel for rows of float32, float16 or bfloat16; it computes in float."""

    @enigma.kernel
    def rms_norm(
        X: dtype,
        W: dtype,
        Out: dtype,
        columns: enigma.Scalar(enigma.u32),
        epsilon: enigma.Scalar(enigma.f32),
    ):
        thread = enigma.thread_position_in_threadgroup()
        row = enigma.threadgroup_position_in_grid() * columns
        partial = enigma.threadgroup_alloc("float", THREADS // 32)

        squares = 0.0
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            x = enigma.metal_cast(X[row + i], "float")
            squares = enigma.fma(x, x, squares)
        squares = enigma.simd_sum(squares)
        with enigma.if_(enigma.thread_index_in_simdgroup() == 0):
            partial[enigma.simdgroup_index_in_threadgroup()] = squares
        enigma.barrier()

        total = 0.0
        for s in range(THREADS // 32):
            total = total + partial[s]
        scale = enigma.rsqrt(total / enigma.metal_cast(columns, "float") + epsilon)
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            Out[row + i] = enigma.metal_cast(X[row + i], "float") * scale * W[i]

    return rms_norm


rms_norm = define("float")  # for float32, in full


@functools.cache
def kernel(dtype: str) -> enigma.CompiledKernel:
    return enigma.compile(define(dtype))


def normalize(x: np.ndarray, weight: np.ndarray, epsilon: float = 1e-6) -> np.ndarray:
    """x / sqrt(mean of x * x + epsilon) * weight over the last axis, in x's type."""
    rows, columns = x.size // x.shape[-1], x.shape[-1]
    out = np.empty_like(x)
    run = kernel(str(x.dtype))
    run(x, weight, out, columns, epsilon, grid=rows * THREADS, threads=THREADS)
    return out


def reference(x: np.ndarray, w: np.ndarray, epsilon: float) -> np.ndarray:
    """The same in numpy, in the arrays' own precision."""
    mean = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean + x.dtype.type(epsilon)) * w


def main() -> None:
    rows, columns = 300, 1000
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    w = rng.standard_normal(columns, dtype=np.float32)
    exact = reference(x.astype(float), w, 1e-6)
    print("largest error:", np.abs(normalize(x, w) - exact).max())


if __name__ == "__main__":
    main()
