"""Tensors on the host: slices, tiles and partitions, and the coordinates of identity tensors."""

import enigma
from enigma import Layout, Tensor


def test_views_on_the_host():
    a = Tensor("A", 3, "half", Layout((4, (2, 8)), (16, (8, 1))), 5)
    assert (a.name, a.buffer_index, a.dtype, a.base_offset) == ("A", 3, enigma.f16, 5)
    assert a.shape == (4, (2, 8))
    assert a.stride == (16, (8, 1))
    assert (a.size(), a.size(1), a.size((1, 0)), a.elements) == (64, 16, 2, 69)
    row = a[2, None]
    assert (row.layout, row.base_offset) == (Layout(((2, 8),), ((8, 1),)), 37)
    assert a[:, (1, 3)].layout == Layout((4,), (16,))
    assert a[:, (1, 3)].base_offset == 5 + 8 + 3
    assert repr(row) == "<Tensor A: f16 ((2,8)):((8,1)), buffer 3>"
    tiled = enigma.tensor_zipped_divide(a, (2, None))
    assert tiled.layout == enigma.zipped_divide(a.layout, (2, None))
    assert enigma.local_tile(a, (2,), 1).base_offset == 5 + 32
    part = enigma.local_partition(
        Tensor("A", 0, "float", Layout((8, 8), (8, 1))), Layout((2, 4), (4, 1)), 6
    )
    assert (part.layout, part.base_offset) == (Layout((4, 2), (16, 4)), 8 + 2)


def test_partitions():
    a = Tensor("A", 0, "float", Layout((8, 6), (6, 1)))
    # Threads in one mode count through all of the tensor, as CuTe's do.
    assert enigma.local_partition(a, Layout(4), 3).layout == Layout((2, 6), (24, 1))
    assert enigma.local_partition(a, Layout(4), 3).base_offset == 18
    row = Tensor("A", 0, "float", Layout(12))
    assert enigma.local_partition(row, Layout(4), 3).layout == Layout((3,), (4,))
    # Threads that differ in a mode which the projection leaves out share elements.
    threads = Layout((2, 3))
    for thread in range(6):
        rows = enigma.local_partition(a, threads, thread, (1, None))
        assert (rows.layout, rows.base_offset) == (Layout((4, 6), (12, 1)), thread % 2 * 6)
        columns = enigma.local_partition(a[None, None], threads, thread, proj=(None, 1))
        assert columns.base_offset == thread // 2 * 6


def test_tiles_by_projection():
    a, tile = Tensor("A", 0, "float", Layout((8, 6), (6, 1))), (4, 5, 3)
    found = enigma.local_tile(a, tile, (1, 7, None), proj=(1, None, 1))
    expected = enigma.local_tile(a, (4, 3), (1, None))
    assert (found.layout, found.base_offset) == (expected.layout, 24)


def test_identity_tensors_follow_the_same_divisions():
    c = enigma.make_identity_tensor((8, (2, 3)))
    assert c[5, (1, 2)] == (5, (1, 2))
    assert c[8 + 3] == (3, (1, 0))
    tiles = enigma.tensor_zipped_divide(enigma.make_identity_tensor((20, 9)), (4, 4))
    assert tiles[(3, 2), (1, 1)] == (7, 6)
    assert enigma.local_tile(enigma.make_identity_tensor((20, 9)), (4, 4), (4, 2))[1, 0] == (17, 8)


def test_identity_tensors_have_the_layouts_of_the_algebra():
    shapes = {
        8: [2, 3],
        (4, (2, 3)): [(2, 2), (None, 6), (4,)],
        ((2, (3, 2)), 5): [(6, 5), (6, None)],
    }
    for shape, tilers in shapes.items():
        c, whole = enigma.make_identity_tensor(shape), enigma.make_identity_layout(shape)
        assert (c.layout, c.stride) == (whole, whole.stride)
        for tiler in tilers:
            tiles = enigma.tensor_zipped_divide(c, tiler)
            assert tiles.layout == enigma.zipped_divide(whole, tiler)
            assert repr(tiles) == f"<Tensor of coordinates {tiles.layout}>"
    c = enigma.make_identity_tensor((4, (2, 3)))
    assert repr(c) == "<Tensor of coordinates (4,(2,3)):(1@0,(1@0@1,1@1@1))>"
    # Of sizes that only a run knows, too.
    tiles = enigma.tensor_zipped_divide(
        enigma.make_identity_tensor((enigma.sym_int("m"), 6)), (4, 2)
    )
    assert repr(tiles) == (
        "<Tensor of coordinates ((4,2),(ceil_div(m, 4),3)):((1@0,1@1),(4@0,2@1))>"
    )
    assert tiles.stride == enigma.zipped_divide(enigma.make_identity_layout((8, 6)), (4, 2)).stride
