"""The matrix product that a beginner writes: tiles of 32 x 32 in threadgroup memory."""

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


def run(compiled, a, b, c, runtime) -> None:
    n = len(a)
    compiled(a, b, c, n, grid=(n, n), threads=(TILE, TILE), runtime=runtime)
