"""A @ B of any sizes: tiles in threadgroup memory, sums in SIMD-group matrices of 8 x 8."""

import functools

import numpy as np

import enigma

TILE_M, TILE_N, TILE_K = 64, 64, 32  # of a threadgroup: its part of C, and how much of K at a time
SIMD_M, SIMD_N = 32, 32  # of each of its four SIMD-groups: 4 x 4 matrices
THREADS = TILE_M // SIMD_M * (TILE_N // SIMD_N) * 32


@functools.cache
def kernel(dtype: str) -> enigma.CompiledKernel:
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
        top = enigma.threadgroup_position_in_grid("y") * TILE_M
        left = enigma.threadgroup_position_in_grid("x") * TILE_N
        row = simd // (TILE_N // SIMD_N) * SIMD_M
        col = simd % (TILE_N // SIMD_N) * SIMD_N
        a_tile = enigma.threadgroup_alloc(dtype, (TILE_M, TILE_K))
        b_tile = enigma.threadgroup_alloc(dtype, (TILE_K, TILE_N))
        c_rows = enigma.threadgroup_alloc("float", (THREADS // 32, 8, SIMD_N))

        acc = [
            [enigma.make_filled_simdgroup_matrix(0.0) for _ in range(0, SIMD_N, 8)]
            for _ in range(0, SIMD_M, 8)
        ]
        with enigma.for_range(0, K, TILE_K, dtype="uint") as k:
            # Each SIMD-group copies rows, a lane an element; what is beyond the edges is 0.
            with enigma.for_range(simd, TILE_M, THREADS // 32, dtype="uint") as r:
                inside = (top + r < M) & (k + lane < K)
                a_tile[r, lane] = enigma.load_if(A, (top + r) * K + k + lane, inside, 0)
            with enigma.for_range(simd, TILE_K, THREADS // 32, dtype="uint") as r:
                for c in range(0, TILE_N, 32):
                    inside = (k + r < K) & (left + c + lane < N)
                    at = (k + r) * N + left + c + lane
                    b_tile[r, lane + c] = enigma.load_if(B, at, inside, 0)
            enigma.barrier()
            with enigma.for_range(0, TILE_K, 8, dtype="uint") as kk:
                a = [
                    enigma.simdgroup_matrix_load(a_tile, TILE_K, dtype, offset=(row + i, kk))
                    for i in range(0, SIMD_M, 8)
                ]
                b = [
                    enigma.simdgroup_matrix_load(b_tile, TILE_N, dtype, offset=(kk, col + j))
                    for j in range(0, SIMD_N, 8)
                ]
                acc = [
                    [enigma.simdgroup_multiply_accumulate(x, y, line[j]) for j, y in enumerate(b)]
                    for x, line in zip(a, acc, strict=True)
                ]
            enigma.barrier()

        # By way of threadgroup memory, 8 rows at a time, as the edges cut through matrices, and as
        # they are stored in their own type alone.
        x = left + col + lane
        for i, line in enumerate(acc):
            for j, sums in enumerate(line):
                enigma.simdgroup_matrix_store(sums, c_rows, SIMD_N, offset=(simd, 0, j * 8))
            enigma.simd_barrier()
            with enigma.for_range(0, 8, dtype="uint") as r:
                y = top + row + i * 8 + r
                enigma.store_if(C, y * N + x, c_rows[simd, r, lane], (y < M) & (x < N))
            enigma.simd_barrier()

    return enigma.compile(matmul)


def launch(m: int, n: int) -> tuple[tuple[int, int], int]:
    """The grid for m x n elements, in threads, and the threads of a threadgroup."""
    return (-(-n // TILE_N) * THREADS, -(-m // TILE_M)), THREADS


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b of two matrices of float32, float16 or bfloat16, in their type."""
    (m, k), n = a.shape, b.shape[1]
    c = np.empty((m, n), a.dtype)
    grid, threads = launch(m, n)
    kernel(str(a.dtype))(a, b, c, m, n, k, grid=grid, threads=threads)
    return c


def main() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((300, 200), dtype=np.float32) / 20
    b = rng.standard_normal((200, 500), dtype=np.float32)
    print("largest error:", np.abs(matmul(a, b) - a.astype(float) @ b).max())


if __name__ == "__main__":
    main()
