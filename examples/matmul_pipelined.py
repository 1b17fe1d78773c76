"""A @ B in a few lines: gemm on tiles that a pipeline of two or more stages keeps filling."""

import functools

import numpy as np

import enigma

TILE, DEPTH, THREADS = 32, 32, 128  # C in tiles of 32 x 32, K in steps of 32


@functools.cache
def kernel(dtype: str, stages: int) -> enigma.CompiledKernel:
    """The kernel for float32, float16 or bfloat16; it adds in float."""

    @enigma.kernel
    def matmul(
        A: dtype,
        B: dtype,
        C: dtype,
        M: enigma.Scalar(enigma.u32),
        N: enigma.Scalar(enigma.u32),
        K: enigma.Scalar(enigma.u32),
    ):
        lane = enigma.thread_index_in_simdgroup()
        simd = enigma.simdgroup_index_in_threadgroup()
        top = enigma.threadgroup_position_in_grid("y") * TILE
        left = enigma.threadgroup_position_in_grid("x") * TILE
        a = enigma.pipeline(dtype, (TILE, DEPTH), stages)
        b = enigma.pipeline(dtype, (DEPTH, TILE), stages)
        c = enigma.threadgroup_alloc("float", (TILE, TILE))

        def fetch(stage: int, k: enigma.IRValue | int) -> None:
            """Tiles from k on into a stage, a lane an element; beyond the edges they are 0."""
            a_tile, b_tile = a.stage(stage), b.stage(stage)
            with enigma.for_range(simd, TILE, THREADS // 32, dtype="uint") as r:
                inside = (top + r < M) & (k + lane < K)
                a_tile[r, lane] = enigma.load_if(A, (top + r) * K + k + lane, inside, 0)
                inside = (k + r < K) & (left + lane < N)
                b_tile[r, lane] = enigma.load_if(B, (k + r) * N + left + lane, inside, 0)

        with enigma.for_range(simd, TILE, THREADS // 32, dtype="uint") as r:
            c[r, lane] = 0
        for s in range(stages - 1):
            fetch(s, s * DEPTH)
        enigma.barrier()
        with enigma.for_range(0, K, DEPTH, dtype="uint") as k:
            fetch(stages - 1, k + (stages - 1) * DEPTH)
            enigma.gemm(a.front(), b.front(), c, M=TILE, N=TILE, K=DEPTH)
            enigma.barrier()
            a.advance()
            b.advance()
        with enigma.for_range(simd, TILE, THREADS // 32, dtype="uint") as r:
            y, x = top + r, left + lane
            enigma.store_if(C, y * N + x, c[r, lane], (y < M) & (x < N))

    return enigma.compile(matmul)


def matmul(a: np.ndarray, b: np.ndarray, stages: int = 2) -> np.ndarray:
    """a @ b of two matrices of float32, float16 or bfloat16, in their type."""
    (m, k), n = a.shape, b.shape[1]
    c = np.empty((m, n), a.dtype)
    grid = (-(-n // TILE) * THREADS, -(-m // TILE))
    kernel(str(a.dtype), stages)(a, b, c, m, n, k, grid=grid, threads=THREADS)
    return c


def main() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((300, 200), dtype=np.float32) / 20
    b = rng.standard_normal((200, 500), dtype=np.float32)
    want = a.astype(float) @ b
    print("largest error:", max(np.abs(matmul(a, b, stages) - want).max() for stages in (2, 3)))


if __name__ == "__main__":
    main()
