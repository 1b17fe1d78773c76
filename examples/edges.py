"""Edge detection: Sobel gradients of an image, tiles with a halo in threadgroup memory."""

import numpy as np

import enigma

TILE = 16
HALO = TILE + 2


@enigma.kernel
def sobel(
    Image: enigma.f32,
    Edges: enigma.f32,
    width: enigma.Scalar(enigma.i32),
    height: enigma.Scalar(enigma.i32),
):
    lx = enigma.metal_cast(enigma.thread_position_in_threadgroup("x"), "int")
    ly = enigma.metal_cast(enigma.thread_position_in_threadgroup("y"), "int")
    x0 = enigma.metal_cast(enigma.threadgroup_position_in_grid("x"), "int") * TILE
    y0 = enigma.metal_cast(enigma.threadgroup_position_in_grid("y"), "int") * TILE
    tile = enigma.threadgroup_alloc("float", (HALO, HALO))

    # The tile and one pixel around it, by all threads together; outside the image the edge repeats.
    # At the grid's edge a threadgroup has fewer threads, so strides come from its actual size.
    step_x = enigma.metal_cast(enigma.threads_per_threadgroup("x"), "int")
    step_y = enigma.metal_cast(enigma.threads_per_threadgroup("y"), "int")
    with enigma.for_range(ly, HALO, step_y) as ty:
        with enigma.for_range(lx, HALO, step_x) as tx:
            column = enigma.iclamp(x0 + tx - 1, 0, width - 1)
            row = enigma.iclamp(y0 + ty - 1, 0, height - 1)
            tile[ty, tx] = Image[row * width + column]
    enigma.barrier()

    p = [[tile[ly + dy, lx + dx] for dx in range(3)] for dy in range(3)]
    gx = (p[0][2] - p[0][0]) + 2 * (p[1][2] - p[1][0]) + (p[2][2] - p[2][0])
    gy = (p[2][0] - p[0][0]) + 2 * (p[2][1] - p[0][1]) + (p[2][2] - p[0][2])
    Edges[(y0 + ly) * width + x0 + lx] = enigma.sqrt(gx * gx + gy * gy)


def reference(image: np.ndarray) -> np.ndarray:
    """The same in numpy."""
    p = np.pad(image, 1, mode="edge")
    h, w = image.shape
    at = [[p[dy : dy + h, dx : dx + w] for dx in range(3)] for dy in range(3)]
    gx = (at[0][2] - at[0][0]) + 2 * (at[1][2] - at[1][0]) + (at[2][2] - at[2][0])
    gy = (at[2][0] - at[0][0]) + 2 * (at[2][1] - at[0][1]) + (at[2][2] - at[0][2])
    return np.sqrt(gx * gx + gy * gy)


def main() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((77, 133), dtype=np.float32)
    edges = np.empty_like(image)
    height, width = image.shape
    compiled = enigma.compile(sobel)
    compiled(image, edges, width, height, grid=(width, height), threads=(TILE, TILE))
    print("largest error:", np.abs(edges - reference(image.astype(float))).max())


if __name__ == "__main__":
    main()
