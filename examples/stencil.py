"""Stencils: a weighted sum over neighbours, in one dimension and, through a tile, in two."""

import functools

import numpy as np

import enigma

THREADS = 256
TILE = 16


@functools.cache
def kernel_1d(dtype: str, radius: int) -> enigma.CompiledKernel:
    """A thread per element; the weights lie in a buffer, and beyond the ends is 0."""

    @enigma.kernel
    def stencil_1d(X: dtype, W: dtype, Out: dtype, count: enigma.Scalar(enigma.i32)):
        i = enigma.metal_cast(enigma.thread_position_in_grid, "int")
        total = enigma.f32(0)
        for k in range(2 * radius + 1):
            at = i + (k - radius)
            inside = (at >= 0) & (at < count)
            x = enigma.load_if(X, at, inside, default=0)
            total = enigma.fma(
                enigma.metal_cast(x, "float"), enigma.metal_cast(W[k], "float"), total
            )
        Out[i] = total

    return enigma.compile(stencil_1d)


@functools.cache
def kernel_2d(dtype: str, radius: int) -> enigma.CompiledKernel:
    """A threadgroup loads its tile and a border of `radius` once; beyond the edges is 0."""
    side = TILE + 2 * radius

    @enigma.kernel
    def stencil_2d(
        X: dtype,
        W: dtype,
        Out: dtype,
        width: enigma.Scalar(enigma.i32),
        height: enigma.Scalar(enigma.i32),
    ):
        tile = enigma.threadgroup_alloc("float", (side, side))
        column = enigma.metal_cast(enigma.thread_position_in_threadgroup("x"), "int")
        row = enigma.metal_cast(enigma.thread_position_in_threadgroup("y"), "int")
        left = enigma.metal_cast(enigma.threadgroup_position_in_grid("x"), "int") * TILE
        top = enigma.metal_cast(enigma.threadgroup_position_in_grid("y"), "int") * TILE

        with enigma.for_range(row * TILE + column, side * side, TILE * TILE) as i:
            y, x = i / side, i % side
            from_x, from_y = left + x - radius, top + y - radius
            inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
            tile[y, x] = enigma.load_if(X, from_y * width + from_x, inside, default=0)
        enigma.barrier()

        total = enigma.f32(0)
        for dy in range(2 * radius + 1):
            for dx in range(2 * radius + 1):
                weight = enigma.metal_cast(W[dy * (2 * radius + 1) + dx], "float")
                total = enigma.fma(tile[row + dy, column + dx], weight, total)
        at_x, at_y = left + column, top + row
        enigma.store_if(Out, at_y * width + at_x, total, (at_x < width) & (at_y < height))

    return enigma.compile(stencil_2d)


def stencil(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of x's neighbours times `weights` (1-D or 2-D, odd sides), with zeros around x."""
    out = np.empty_like(x)
    weights = weights.astype(x.dtype)
    radius = weights.shape[0] // 2
    if set(weights.shape) != {2 * radius + 1} or x.ndim != weights.ndim:
        raise ValueError(f"weights of an odd side for {x.ndim} dimensions, not {weights.shape}")
    if x.ndim == 1:
        kernel_1d(str(x.dtype), radius)(x, weights, out, x.size, grid=x.size, threads=THREADS)
    else:
        height, width = x.shape
        grid = -(-width // TILE) * TILE, -(-height // TILE) * TILE
        run = kernel_2d(str(x.dtype), radius)
        run(x, weights, out, width, height, grid=grid, threads=(TILE, TILE))
    return out


def reference(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same in numpy, in float64."""
    radius = weights.shape[0] // 2
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x.astype(float), radius), weights.shape
    )
    axes = tuple(range(x.ndim, 2 * x.ndim))
    return (windows * weights.astype(x.dtype).astype(float)).sum(axis=axes)


def main() -> None:
    rng = np.random.default_rng(0)
    worst = 0.0
    for shape, sides in (((1000,), (5,)), ((50, 77), (3, 3)), ((33, 40), (5, 5))):
        x = rng.standard_normal(shape, dtype=np.float32)
        weights = rng.standard_normal(sides, dtype=np.float32)
        worst = max(worst, np.abs(stencil(x, weights) - reference(x, weights)).max())
    print("largest error:", worst)


if __name__ == "__main__":
    main()
