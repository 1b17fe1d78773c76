"""Softmax over rows, a threadgroup per row: maximum and sum meet in threadgroup memory."""

import numpy as np

import enigma

THREADS = 256
SIMDGROUPS = THREADS // 32


@enigma.kernel
def softmax(X: enigma.f32, Out: enigma.f32, columns: enigma.Scalar(enigma.u32)):
    lane = enigma.thread_position_in_threadgroup()
    group = enigma.simdgroup_index_in_threadgroup()
    row = enigma.threadgroup_position_in_grid() * columns
    partial = enigma.threadgroup_alloc("float", SIMDGROUPS)

    largest = enigma.f32(-np.inf)
    with enigma.for_range(lane, columns, THREADS, dtype="uint") as i:
        largest = enigma.fmax(largest, X[row + i])
    partial[group] = enigma.simd_max(largest)
    enigma.barrier()
    for s in range(SIMDGROUPS):
        largest = enigma.fmax(largest, partial[s])
    enigma.barrier()

    total = 0.0
    with enigma.for_range(lane, columns, THREADS, dtype="uint") as i:
        e = enigma.exp(X[row + i] - largest)
        Out[row + i] = e
        total = total + e
    partial[group] = enigma.simd_sum(total)
    enigma.barrier()
    total = partial[0]
    for s in range(1, SIMDGROUPS):
        total = total + partial[s]

    with enigma.for_range(lane, columns, THREADS, dtype="uint") as i:
        Out[row + i] = Out[row + i] / total


def reference(x: np.ndarray) -> np.ndarray:
    """The same in numpy, in the array's own precision."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def main() -> None:
    rows, columns = 300, 1000
    x = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(softmax)
    compiled(x, out, columns, grid=rows * THREADS, threads=THREADS)
    print("largest error:", np.abs(out - reference(x.astype(float))).max())


if __name__ == "__main__":
    main()
