"""Softmax over rows, a threadgroup per row: maximum and sum meet in threadgroup memory."""

import functools

import numpy as np

import enigma

THREADS = 256
SIMDGROUPS = THREADS // 32
LOG2_E = 1.4426950408889634  # exp(x) is exp2(x * LOG2_E), and exp2 is what processors are quick at


def define(dtype: str) -> enigma.KernelDef:
    """The kernel for rows of float32, float16 or bfloat16; it computes in float."""
    whole = dtype in ("float", "float32")  # then Out can hold what is divided in the end

    def weight(x: enigma.IRValue, largest: enigma.IRValue) -> enigma.IRValue:
        return enigma.exp2((enigma.metal_cast(x, "float") - largest) * LOG2_E)

    @enigma.kernel
    def softmax(X: dtype, Out: dtype, columns: enigma.Scalar(enigma.u32)):
        thread = enigma.thread_position_in_threadgroup()
        group = enigma.simdgroup_index_in_threadgroup()
        first = enigma.thread_index_in_simdgroup() == 0
        row = enigma.threadgroup_position_in_grid() * columns
        maxima = enigma.threadgroup_alloc("float", SIMDGROUPS)
        sums = enigma.threadgroup_alloc("float", SIMDGROUPS)

        largest = enigma.f32(-np.inf)
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            largest = enigma.fmax(largest, enigma.metal_cast(X[row + i], "float"))
        largest = enigma.simd_max(largest)
        with enigma.if_(first):
            maxima[group] = largest
        enigma.barrier()
        largest = maxima[0]
        for s in range(1, SIMDGROUPS):
            largest = enigma.fmax(largest, maxima[s])

        total = 0.0
        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            e = weight(X[row + i], largest)
            if whole:
                Out[row + i] = e
            total = total + e
        total = enigma.simd_sum(total)
        with enigma.if_(first):
            sums[group] = total
        enigma.barrier()
        total = sums[0]
        for s in range(1, SIMDGROUPS):
            total = total + sums[s]
        scale = 1.0 / total

        with enigma.for_range(thread, columns, THREADS, dtype="uint") as i:
            if whole:
                e = Out[row + i]
            else:
                e = weight(X[row + i], largest)
            Out[row + i] = e * scale

    return softmax


softmax = define("float")  # for float32, in full


@functools.cache
def kernel(dtype: str) -> enigma.CompiledKernel:
    return enigma.compile(define(dtype))


def probabilities(x: np.ndarray) -> np.ndarray:
    """exp(x) over its sum along the last axis, in x's type."""
    rows, columns = x.size // x.shape[-1], x.shape[-1]
    out = np.empty_like(x)
    kernel(str(x.dtype))(x, out, columns, grid=rows * THREADS, threads=THREADS)
    return out


def reference(x: np.ndarray) -> np.ndarray:
    """The same in numpy, in the array's own precision."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def main() -> None:
    x = np.random.default_rng(0).standard_normal((300, 1000), dtype=np.float32)
    print("largest error:", np.abs(probabilities(x) - reference(x.astype(float))).max())


if __name__ == "__main__":
    main()
