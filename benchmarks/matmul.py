"""Two matrix products: naive tiles of 32 x 32, and SIMD-group matrices on tiles of 64 x 64 x 32."""

import enigma

TILE = 32


@enigma.kernel
def tiled(A: enigma.f32, B: enigma.f32, C: enigma.f32, n: enigma.Scalar(enigma.u32)):
    """A thread for each element of a tile of C; grid (n, n), threadgroups of (32, 32)."""
    left = enigma.threadgroup_alloc("float", TILE * TILE)
    right = enigma.threadgroup_alloc("float", TILE * TILE)
    x = enigma.thread_position_in_threadgroup(0)
    y = enigma.thread_position_in_threadgroup(1)
    row = enigma.threadgroup_position_in_grid(1) * TILE + y
    column = enigma.threadgroup_position_in_grid(0) * TILE + x
    total = 0.0
    with enigma.for_range(0, n, TILE, dtype="uint") as k:
        left[y * TILE + x] = A[row * n + k + x]
        right[y * TILE + x] = B[(k + y) * n + column]
        enigma.barrier()
        with enigma.for_range(0, TILE, dtype="uint") as i:
            total = enigma.fma(left[y * TILE + i], right[i * TILE + x], total)
        enigma.barrier()
    C[row * n + column] = total


SIDE, DEPTH = 64, 32  # of a threadgroup's tile of C, and of what it takes of A and B at a time
THREADS = 128  # four SIMD-groups, each with 32 x 32 of the tile


@enigma.kernel
def simdgroups(A: enigma.f32, B: enigma.f32, C: enigma.f32, n: enigma.Scalar(enigma.u32)):
    """Four SIMD-groups for a tile of C; grid (n / 64 * 128, n / 64), threadgroups of (128, 1)."""
    left = enigma.threadgroup_alloc("float", SIDE * DEPTH)
    right = enigma.threadgroup_alloc("float", DEPTH * SIDE)
    lane = enigma.thread_index_in_simdgroup()
    simd = enigma.simdgroup_index_in_threadgroup()
    row = enigma.threadgroup_position_in_grid(1) * SIDE
    column = enigma.threadgroup_position_in_grid(0) * SIDE
    mine, across = simd / 2 * 32, simd % 2 * 32
    zero = enigma.make_filled_simdgroup_matrix(0.0, "float")
    with enigma.for_range(0, n, DEPTH, init=[zero] * 16, dtype="uint") as (k, c):
        for part in range(0, SIDE, 4):  # a SIMD-group takes rows of 32
            r = part + simd
            left[r * DEPTH + lane] = A[(row + r) * n + k + lane]
        for part in range(0, DEPTH, 4):
            r = part + simd
            for x in (0, 32):
                right[r * SIDE + x + lane] = B[(k + r) * n + column + x + lane]
        enigma.barrier()
        with enigma.for_range(0, DEPTH, 8, init=list(c), dtype="uint") as (i, d):
            b = [
                enigma.simdgroup_matrix_load(right, SIDE, offset=i * SIDE + across + s * 8)
                for s in range(4)
            ]
            for r in range(4):
                a = enigma.simdgroup_matrix_load(left, DEPTH, offset=(mine + r * 8) * DEPTH + i)
                for s in range(4):
                    d[r * 4 + s] = enigma.simdgroup_multiply_accumulate(a, b[s], d[r * 4 + s])
        for j in range(16):
            c[j] = d[j]
        enigma.barrier()
    for r in range(4):
        for s in range(4):
            at = (row + mine + r * 8) * n + column + across + s * 8
            enigma.simdgroup_matrix_store(c[r * 4 + s], C, n, offset=at)


def run_tiled(compiled, a, b, c, runtime) -> None:
    n = len(a)
    compiled(a, b, c, n, grid=(n, n), threads=(TILE, TILE), runtime=runtime)


def run_simdgroups(compiled, a, b, c, runtime) -> None:
    n = len(a)
    grid = (n // SIDE * THREADS, n // SIDE)
    compiled(a, b, c, n, grid=grid, threads=(THREADS, 1), runtime=runtime)
