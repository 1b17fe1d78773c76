"""x @ W.T where W is int8 or int4 with a scale for every 32 of a row: gemm on tiles made of it."""

import functools

import numpy as np

import enigma

TILE = 32
THREADS = 128
GROUP = 32  # weights that share a scale


@functools.cache
def kernel(dtype: str, bits: int) -> enigma.CompiledKernel:
    """The kernel for x of float32, float16 or bfloat16 and weights of 8 or 4 bits."""
    stored = "char" if bits == 8 else "uchar"

    @enigma.kernel
    def matmul_quantized(
        X: dtype,
        W: stored,
        Scales: dtype,
        Out: dtype,
        M: enigma.Scalar(enigma.u32),
        N: enigma.Scalar(enigma.u32),
        K: enigma.Scalar(enigma.u32),
    ):
        thread = enigma.thread_position_in_threadgroup()
        top = enigma.threadgroup_position_in_grid("y") * TILE
        left = enigma.threadgroup_position_in_grid("x") * TILE
        a = enigma.threadgroup_alloc("float", (TILE, TILE))
        b = enigma.threadgroup_alloc("float", (TILE, TILE))
        c = enigma.threadgroup_alloc("float", (TILE, TILE))
        with enigma.for_range(thread, TILE * TILE, THREADS, dtype="uint") as i:
            c[i / TILE, i % TILE] = 0.0

        groups = (K + (GROUP - 1)) / GROUP
        with enigma.for_range(0, K, TILE, dtype="uint") as start:
            with enigma.for_range(thread, TILE * TILE, THREADS, dtype="uint") as i:
                row, k = i / TILE, start + i % TILE
                inside = (top + row < M) & (k < K)
                a[row, i % TILE] = enigma.load_if(X, (top + row) * K + k, inside, 0)
                inside = (left + row < N) & (k < K)
                if bits == 8:
                    q = enigma.load_if(W, (left + row) * K + k, inside, 0)
                else:  # the low half of a byte is the first of the two
                    byte = enigma.load_if(W, (left + row) * ((K + 1) / 2) + k / 2, inside, 0)
                    q = enigma.extract_bits(enigma.metal_cast(byte, "int"), k % 2 * 4, 4)
                at = (left + row) * groups + k / GROUP
                scale = enigma.load_if(Scales, at, inside, 0)
                b[row, i % TILE] = enigma.dequantize_int8(q, enigma.metal_cast(scale, "float"))
            enigma.barrier()
            enigma.gemm(a, b, c, M=TILE, N=TILE, K=TILE, transpose_B=True)
            enigma.barrier()
        with enigma.for_range(thread, TILE * TILE, THREADS, dtype="uint") as i:
            row, column = top + i / TILE, left + i % TILE
            inside = (row < M) & (column < N)
            enigma.store_if(Out, row * N + column, c[i / TILE, i % TILE], inside)

    return enigma.compile(matmul_quantized)


def quantize(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of weights as int8, or as bytes of two int4, and the scale of each 32 of them."""
    rows, columns = weights.shape
    most = 2 ** (bits - 1) - 1
    padded = np.pad(weights.astype(np.float32), ((0, 0), (0, -columns % GROUP)))
    grouped = padded.reshape(rows, -1, GROUP)
    scales = (np.abs(grouped).max(axis=-1) / most).astype(weights.dtype)
    divisor = np.where(scales == 0, 1, scales.astype(np.float32))[..., None]
    q = np.clip(np.rint(grouped / divisor), -most, most).astype(np.int8)
    q = q.reshape(rows, -1)[:, : columns + (bits == 4 and columns % 2)]
    if bits == 4:
        q = (q[:, 0::2] & 15 | (q[:, 1::2] & 15) << 4).view(np.uint8)
    return np.ascontiguousarray(q), scales


def dequantize(q: np.ndarray, scales: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """What the kernel takes for the weights, in float64."""
    if bits == 4:
        halves = np.stack([q << 4, q], axis=-1).view(np.int8) >> 4
        q = halves.reshape(len(q), -1)
    return q[:, :columns] * np.repeat(scales.astype(float), GROUP, axis=1)[:, :columns]


def matmul(x: np.ndarray, q: np.ndarray, scales: np.ndarray, bits: int) -> np.ndarray:
    """x @ dequantize(q, scales).T in x's type, which is that of the scales too."""
    (m, k), n = x.shape, len(q)
    out = np.empty((m, n), x.dtype)
    grid = -(-n // TILE) * THREADS, -(-m // TILE)
    kernel(str(x.dtype), bits)(x, q, scales, out, m, n, k, grid=grid, threads=THREADS)
    return out


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((70, 200), dtype=np.float32) / 20
    weights = rng.standard_normal((90, 200), dtype=np.float32)
    worst = 0.0
    for bits in (8, 4):
        q, scales = quantize(weights, bits)
        exact = x.astype(float) @ dequantize(q, scales, bits, 200).T
        worst = max(worst, np.abs(matmul(x, q, scales, bits) - exact).max())
    print("largest error:", worst)


if __name__ == "__main__":
    main()
