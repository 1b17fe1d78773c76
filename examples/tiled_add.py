"""Adds two matrices by tiles: a layout says which thread has which values, arrays say the sizes."""

import numpy as np

import enigma


@enigma.jit
def tiled_add(mA: enigma.Tensor, mB: enigma.Tensor, mC: enigma.Tensor):
    # 4 x 64 threads with 4 x 4 values each cover a tile of 16 x 256, a thread's rows as float4.
    thr = enigma.make_ordered_layout((4, 64), order=(1, 0))
    val = enigma.make_ordered_layout((4, 4), order=(1, 0))
    tiler_mn, tv_layout = enigma.make_layout_tv(thr, val)

    gA = enigma.tensor_zipped_divide(mA, tiler_mn)
    gB = enigma.tensor_zipped_divide(mB, tiler_mn)
    gC = enigma.tensor_zipped_divide(mC, tiler_mn)

    @enigma.kernel
    def inner(blkA, blkB, blkC, tv):
        thread_idx = enigma.thread_position_in_grid
        thrA = enigma.tensor_composition(blkA, tv, tiler_mn)[(thread_idx, None)]
        thrB = enigma.tensor_composition(blkB, tv, tiler_mn)[(thread_idx, None)]
        thrC = enigma.tensor_composition(blkC, tv, tiler_mn)[(thread_idx, None)]
        thrC.store(thrA.load() + thrB.load())

    inner.launch(grid=..., block=...)


def main() -> None:
    m, n = enigma.sym_int("m"), enigma.sym_int("n", divisibility=4)  # known when it runs
    tensors = [enigma.Tensor(x, k, "float", ((m, n), (n, 1))) for k, x in enumerate("ABC")]
    compiled = enigma.compile(tiled_add, *tensors)  # once
    rng, largest = np.random.default_rng(0), 0.0
    for shape in ((256, 512), (100, 1000)):  # the second is no multiple of the tile
        a, b = rng.random((2, *shape), np.float32)
        c = np.zeros_like(a)
        compiled(a, b, c)
        grid = compiled.grid[0].at({"m": shape[0], "n": shape[1]})
        print(f"{shape[0]} x {shape[1]}: {grid // 256} tiles of 16 x 256")
        largest = max(largest, float(np.abs(c - (a + b)).max()))
    print("largest error:", largest)


if __name__ == "__main__":
    main()
