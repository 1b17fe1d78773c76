"""LayerNorm over rows: a threadgroup per row, mean and variance each in a pass of its own."""

import functools

import numpy as np

import enigma

THREADS = 256


def threadgroup_sum(value: enigma.IRValue, partial: enigma.TracingTensor) -> enigma.IRValue:
    """The sum over the threadgroup, for all its threads; `partial` has room for its SIMD-groups."""
    total = enigma.simd_sum(value)
    with enigma.if_(enigma.thread_index_in_simdgroup() == 0):
        partial[enigma.simdgroup_index_in_threadgroup()] = total
    enigma.barrier()
    total = partial[0]
    for s in range(1, THREADS // 32):
        total = total + partial[s]
    enigma.barrier()  # the next sum may use the same memory
    return total


@functools.cache
def kernel(dtype: str) -> enigma.CompiledKernel:
    """The kernel for rows of float32, float16 or bfloat16; it computes in float."""

    @enigma.kernel
    def layer_norm(
        X: dtype,
        W: dtype,
        B: dtype,
        Out: dtype,
        columns: enigma.Scalar(enigma.u32),
        epsilon: enigma.Scalar(enigma.f32),
    ):
        thread = enigma.thread_position_in_threadgroup()
        row = enigma.threadgroup_position_in_grid() * columns
        partial = enigma.threadgroup_alloc("float", THREADS // 32)
        count = enigma.metal_cast(columns, "float")

        total = enigma.f32(0)
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            total = total + X[row + i]
        mean = threadgroup_sum(total, partial) / count

        squares = enigma.f32(0)
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            distance = X[row + i] - mean
            squares = enigma.fma(distance, distance, squares)
        scale = enigma.rsqrt(threadgroup_sum(squares, partial) / count + epsilon)

        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            Out[row + i] = (X[row + i] - mean) * scale * W[i] + B[i]

    return enigma.compile(layer_norm)


def layer_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float = 1e-5
) -> np.ndarray:
    """(x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis, in x's type."""
    rows, columns = x.size // x.shape[-1], x.shape[-1]
    out = np.empty_like(x)
    run = kernel(str(x.dtype))
    run(x, weight, bias, out, columns, epsilon, grid=rows * THREADS, threads=THREADS)
    return out


def reference(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> np.ndarray:
    """The same in numpy, in the arrays' own precision."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = np.square(x - mean).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 1000), dtype=np.float32)
    weight, bias = rng.standard_normal((2, 1000), dtype=np.float32)
    exact = reference(x.astype(float), weight, bias, 1e-5)
    print("largest error:", np.abs(layer_norm(x, weight, bias) - exact).max())


if __name__ == "__main__":
    main()
