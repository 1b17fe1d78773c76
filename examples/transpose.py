"""Transposes a matrix through threadgroup memory, whose swizzle leaves no conflicts of banks."""

from collections import Counter

import numpy as np

import enigma

TILE = 32
BANKS = 32  # of threadgroup memory, 4 bytes wide

plain = enigma.Layout((TILE, TILE), (TILE, 1))
swizzled = enigma.swizzle(plain, bits=5, base=0, shift=5)
turn = enigma.Layout((TILE, TILE), (TILE, 1))  # from (i, j) to the number of (j, i)
tiler, by_thread = enigma.make_layout_tv(  # 8 x 32 threads, 4 rows for each
    enigma.make_ordered_layout((8, TILE), order=(1, 0)), enigma.Layout((4, 1))
)


def make_transpose(tile):
    """The transposition by way of tiles with this layout."""

    @enigma.jit
    def transpose(mX: enigma.Tensor, mY: enigma.Tensor):
        gX = enigma.tensor_zipped_divide(mX, tiler)
        gY = enigma.tensor_zipped_divide(mY, tiler)
        rows, columns = gX.shape[1]

        @enigma.kernel
        def turn_tiles():
            thread = enigma.thread_position_in_threadgroup()
            i, j = (enigma.threadgroup_position_in_grid(dim) for dim in "yx")

            def mine(tensor):
                return enigma.tensor_composition(tensor, by_thread, tiler)[thread, None]

            shared = enigma.threadgroup_alloc("float", tile)
            mine(shared).store(mine(gX[(None, None), (i, j)]).load())
            enigma.barrier()
            turned = enigma.tensor_composition(shared, turn)
            mine(gY[(None, None), (j, i)]).store(mine(turned).load())

        threads = by_thread.size(0)
        turn_tiles().launch(grid=(columns * threads, rows), block=threads)

    return transpose


def conflicts(tile, view) -> int:
    """The most lanes of a SIMD-group that want different words of one bank at the same time."""
    most = 0
    for first in range(0, by_thread.size(0), 32):
        for value in range(by_thread.size(1)):
            places = {tile(view(by_thread(t, value))) for t in range(first, first + 32)}
            most = max(most, *Counter(place % BANKS for place in places).values())
    return most


def main() -> None:
    m, n = 200, 130  # no multiples of the tile
    x = np.random.default_rng(0).random((m, n), np.float32)
    largest = 0.0
    for name, tile in (("plain", plain), ("swizzled", swizzled)):
        compiled = enigma.compile(
            make_transpose(tile),
            enigma.Tensor("X", 0, "float", enigma.Layout((m, n), (n, 1))),
            enigma.Tensor("Y", 1, "float", enigma.Layout((n, m), (m, 1))),
        )
        out = np.zeros((n, m), np.float32)
        compiled(x, out)
        largest = max(largest, float(np.abs(out - x.T).max()))
        rows, columns = conflicts(tile, enigma.Layout(TILE * TILE)), conflicts(tile, turn)
        print(f"{name}: {rows}-way conflicts when rows are written, {columns}-way by columns")
    print("largest error:", largest)


if __name__ == "__main__":
    main()
