"""RMSNorm over rows: a threadgroup per row, partial sums met in threadgroup memory."""

import numpy as np

import enigma

THREADS = 256


@enigma.kernel
def rms_norm(
    X: enigma.f32,
    W: enigma.f32,
    Out: enigma.f32,
    columns: enigma.Scalar(enigma.u32),
    epsilon: enigma.Scalar(enigma.f32),
):
    lane = enigma.thread_position_in_threadgroup()
    row = enigma.threadgroup_position_in_grid() * columns
    partial = enigma.threadgroup_alloc("float", THREADS // 32)

    squares = 0.0
    with enigma.for_range(lane, columns, THREADS, dtype="uint") as i:
        x = X[row + i]
        squares = enigma.fma(x, x, squares)
    partial[enigma.simdgroup_index_in_threadgroup()] = enigma.simd_sum(squares)
    enigma.barrier()

    total = 0.0
    for s in range(THREADS // 32):
        total = total + partial[s]
    scale = enigma.rsqrt(total / enigma.metal_cast(columns, "float") + epsilon)
    with enigma.for_range(lane, columns, THREADS, dtype="uint") as i:
        Out[row + i] = X[row + i] * scale * W[i]


def reference(x: np.ndarray, w: np.ndarray, epsilon: float) -> np.ndarray:
    """The same in numpy, in the arrays' own precision."""
    mean = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean + x.dtype.type(epsilon)) * w


def main() -> None:
    rows, columns = 300, 1000
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    w = rng.standard_normal(columns, dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(rms_norm)
    compiled(x, w, out, columns, 1e-6, grid=rows * THREADS, threads=THREADS)
    print("largest error:", np.abs(out - reference(x.astype(float), w, 1e-6)).max())


if __name__ == "__main__":
    main()
