"""Layouts in Python: the answers that CuTe's documentation publishes, and layouts as values."""

import copy
import doctest
import pickle

import numpy as np
import pytest

import enigma
import enigma.tuple
from enigma import Layout

PUBLISHED = [
    ("coalesce(Layout((2, (1, 6)), (1, (6, 2))))", "12:1"),
    ("coalesce(Layout((2, (1, 6)), (1, (6, 2))), (1, 1))", "(2,6):(1,2)"),
    ("coalesce(Layout((3, (4, 5)), (8, (1, 4))), (1, 1))", "(3,20):(8,1)"),
    ("composition(Layout((6, 2), (8, 2)), Layout((4, 3), (3, 1)))", "((2,2),3):((24,2),8)"),
    ("composition(Layout(20, 2), Layout((5, 4), (4, 1)))", "(5,4):(8,2)"),
    ("composition(Layout((10, 2), (16, 4)), Layout((5, 4), (1, 5)))", "(5,(2,2)):(16,(80,4))"),
    (
        "composition(Layout((12, (4, 8)), (59, (13, 1))), (Layout(3, 4), Layout(8, 2)))",
        "(3,(2,4)):(236,(26,1))",
    ),
    ("composition(Layout((12, (4, 8)), (59, (13, 1))), (3, 8))", "(3,(4,2)):(59,(13,1))"),
    ("composition(Layout((4, 8)), (2, 4))", "(2,4):(1,4)"),
    ("composition(Layout((6, 4), (4, 1)), (Layout((2,)), Layout((2,))))", "((2),(2)):((4),(1))"),
    # (3,6,2,8):(w,x,y,z) o 16:9 is (1,2,2,4):(9w,3x,y,z); the mode of size 1 coalesces away.
    ("composition(Layout((3, 6, 2, 8), (5, 7, 1000, 11)), Layout(16, 9))", "(2,2,4):(21,1000,11)"),
    ("complement(Layout(4), 24)", "6:4"),
    ("complement(Layout(6, 4), 24)", "4:1"),
    ("complement(Layout((4, 6)), 24)", "1:0"),
    ("complement(Layout(4, 2), 24)", "(2,3):(1,8)"),
    ("complement(Layout((2, 4), (1, 6)), 24)", "3:2"),
    ("complement(Layout((2, 2), (1, 6)), 24)", "(3,2):(2,12)"),
    ("complement(Layout((2, 2), (4, 1)), 24)", "(2,3):(2,8)"),
    ("complement(Layout((4, 2), (1, 10)))", "2:4"),
    ("right_inverse(Layout((2, 4, 6), (4, 1, 8)))", "(4,2,6):(2,1,8)"),
    ("left_inverse(Layout((2, 4, 6), (4, 1, 8)))", "(4,2,6):(2,1,8)"),
    ("right_inverse(Layout((2, 4), (4, 1)))", "(4,2):(2,1)"),
    ("logical_divide(Layout((4, 2, 3), (2, 1, 8)), Layout(4, 2))", "((2,2),(2,3)):((4,1),(2,8))"),
    (
        "logical_divide(Layout((9, (4, 8)), (59, (13, 1))),"
        " (Layout(3, 3), Layout((2, 4), (1, 8))))",
        "((3,3),((2,4),(2,2))):((177,59),((13,2),(26,1)))",
    ),
    (
        "zipped_divide(Layout((9, (4, 8)), (59, (13, 1))), (Layout(3, 3), Layout((2, 4), (1, 8))))",
        "((3,(2,4)),(3,(2,2))):((177,(13,2)),(59,(26,1)))",
    ),
    ("logical_divide(Layout((6, 8), (8, 1)), (3, 4))", "((3,2),(4,2)):((8,24),(1,4))"),
    ("zipped_divide(Layout((6, 8), (8, 1)), (3, 4))", "((3,4),(2,2)):((8,1),(24,4))"),
    ("tiled_divide(Layout((6, 8), (8, 1)), (3, 4))", "((3,4),2,2):((8,1),24,4)"),
    ("flat_divide(Layout((6, 8), (8, 1)), (3, 4))", "(3,4,2,2):(8,1,24,4)"),
    (
        "logical_divide(Layout((6, 8), (8, 1)), (Layout((3,)), Layout((4,))))",
        "(((3),2),((4),2)):(((8),24),((1),4))",
    ),
    (
        "logical_divide(Layout((6, 8), (8, 1)), Layout((3, 4)))",
        "((3,(2,2)),4):((8,(24,1)),2)",
    ),
    ("logical_product(Layout((2, 2), (4, 1)), Layout(6))", "((2,2),(2,3)):((4,1),(2,8))"),
    (
        "logical_product(Layout((2, 2), (4, 1)), Layout((4, 2), (2, 1)))",
        "((2,2),(4,2)):((4,1),(8,2))",
    ),
    (
        "logical_product(Layout((2, 2), (4, 1)), Layout((3, 2), (2, 1)))",
        "((2,2),(3,2)):((4,1),(8,2))",
    ),
    ("zipped_product(Layout((3, 4), (4, 1)), Layout((2, 5)))", "((3,4),(2,5)):((4,1),(12,24))"),
    ("tiled_product(Layout((3, 4), (4, 1)), Layout((2, 5)))", "((3,4),2,5):((4,1),12,24)"),
    ("flat_product(Layout((3, 4), (4, 1)), Layout((2, 5)))", "(3,4,2,5):(4,1,12,24)"),
    # Each mode is coalesced, as the documentation of the algebra says: (3,2):(4,12) is 6:4.
    ("blocked_product(Layout((3, 4), (4, 1)), Layout((2, 5)))", "(6,(4,5)):(4,(1,24))"),
    ("raked_product(Layout((3, 4), (4, 1)), Layout((2, 5)))", "((2,3),(5,4)):((12,4),(24,1))"),
    ("blocked_product(Layout((2, 5), (5, 1)), Layout((3, 4)))", "(6,(5,4)):(5,(1,30))"),
    ("raked_product(Layout((2, 5), (5, 1)), Layout((3, 4)))", "((3,2),(4,5)):((10,5),(30,1))"),
    ("recast_layout(32, 8, Layout((32, 4)))", "(8,4):(1,8)"),
    ("recast_layout(8, 32, Layout((8, 4)))", "(32,4):(1,32)"),
    ("recast_layout(32, 32, Layout((8, 4)))", "(8,4):(1,8)"),
    ("recast_layout(4, 6, Layout((8, 4)))", "(12,4):(1,12)"),
    ("make_ordered_layout((2, 2, 2, 2), (0, 2, 3, 1))", "(2,2,2,2):(1,4,8,2)"),
    ("make_identity_layout((32, 16, 8))", "(32,16,8):(1@0,1@1,1@2)"),
]


@pytest.mark.parametrize(("call", "answer"), PUBLISHED, ids=[call for call, _ in PUBLISHED])
def test_the_published_answers(call: str, answer: str) -> None:
    assert repr(eval(call, vars(enigma))) == answer


def test_the_tiles_of_a_zipped_divide_are_its_second_mode() -> None:
    a, by = Layout((9, (4, 8)), (59, (13, 1))), (Layout(3, 3), Layout((2, 4), (1, 8)))
    tiles = enigma.zipped_divide(a, by)
    assert tiles[0] == enigma.composition(a, by)
    assert tiles(0, 7) == tiles(0, (1, 2)) == 59 + 1


def test_threads_and_values() -> None:
    thr = enigma.make_ordered_layout((4, 64), order=(1, 0))
    val = enigma.make_ordered_layout((4, 4), order=(1, 0))
    tiler, tv = enigma.make_layout_tv(thr, val)
    assert tiler == (16, 256)
    assert repr(tv) == "((64,4),(4,4)):((64,4),(16,1))"
    assert enigma.make_layout_tv(Layout(32), Layout(4)) == ((128,), Layout((32, 4), (4, 1)))


def test_negative_strides() -> None:
    compose = enigma.composition
    assert compose(Layout(4, -1), Layout(4)) == Layout(4, -1)
    assert compose(Layout(4), Layout(4, -2)) == Layout(4, -2)
    assert compose(Layout((4, 4), (-1, 1)), Layout((2, 4, 2))) == Layout(
        (2, (2, 2), 2), (-1, (-2, 1), 2)
    )
    # Negative coordinates mirror: -1 counts to the same modes as 1.
    a = Layout((1, (2, 4)), (0, (-1, 512)))
    assert [compose(a, Layout(4, -1))(i) for i in range(4)] == [a(-i) for i in range(4)]
    assert enigma.right_inverse(Layout(4, -1)) == Layout(4, -1)
    assert Layout(4, -3).cosize() == 10


def test_strides_along_coordinates() -> None:
    identity = enigma.make_identity_layout((4, (2, 3)))
    assert [type(s).__name__ for s in enigma.tuple.flatten(identity.shape)] == ["int"] * 3
    assert identity.stride == (
        enigma.ScaledBasis(1, 0),
        (enigma.ScaledBasis(1, (1, 0)), enigma.ScaledBasis(1, (1, 1))),
    )
    assert identity(3, (1, 2)) == (3, (1, 2))
    tile = enigma.zipped_divide(enigma.make_identity_layout((8, 16)), (4, 8))
    assert tile((1, 2), (1, 1)) == (5, 10)
    # On the right side they choose the modes of the left.
    basis = enigma.ScaledBasis
    swapped = Layout((4, 4), (basis(1, 1), basis(1, 0)))
    assert enigma.composition(Layout((4, 4), (4, 1)), swapped) == Layout((4, 4), (1, 4))
    inner = Layout((2, 4), (basis(1, (1, 1)), basis(1, 0)))
    a = Layout((4, (2, 3)), (6, (3, 1)))
    assert enigma.composition(a, inner) == Layout((2, 4), (1, 6))
    assert [a(inner(i)) for i in range(8)] == [enigma.composition(a, inner)(i) for i in range(8)]


def test_a_layout_is_a_value() -> None:
    a = Layout((4, (2, 8)), (1, (64, 4)))
    assert a == Layout([4, [2, 8]], [1, [64, 4]]) == Layout((np.int64(4), (2, 8)), (1, (64, 4)))
    assert a != Layout((4, 16), (1, 4)) and a != "(4,(2,8)):(1,(64,4))" and a is not None
    assert len({a, Layout((4, (2, 8)), (1, (64, 4))), Layout((4, (2, 8)))}) == 2
    swizzled = enigma.swizzle(a, 2, 0, 3)
    for value in (a, swizzled, swizzled.swizzle, enigma.ScaledBasis(2, (0, 1))):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
        assert hash(pickle.loads(pickle.dumps(value))) == hash(value)
    with pytest.raises(AttributeError):
        a.shape = (1,)
    assert (a.shape, a.stride) == ((4, (2, 8)), (1, (64, 4)))


def test_modes() -> None:
    a = Layout((4, (2, 8)), (1, (64, 4)))
    assert len(a) == 2 and list(a) == [a[0], a[1]]
    assert a[0] == Layout(4) and a[1] == a[-1] == Layout((2, 8), (64, 4))
    assert a[1, 0] == Layout(2, 64)
    assert a[1:] == Layout(((2, 8),), ((64, 4),)) and a[::-1] == enigma.make_layout(a[1], a[0])
    assert list(Layout(8)) == [Layout(8)]
    assert (a.size(), a.size(1), a.size([1, 1]), a.cosize(mode=0)) == (64, 16, 8, 4)
    assert (a.rank(), a.depth()) == (2, 2)
    assert enigma.size((4, (2, 8)), mode=[1, 0]) == 2
    assert (enigma.rank(8), enigma.depth(8), enigma.rank(a), enigma.depth((1, (2,)))) == (
        1,
        0,
        2,
        2,
    )
    assert enigma.cosize(a, 1) == 64 + 28 + 1


def test_slices() -> None:
    a = Layout((4, (2, 8)), (1, (64, 4)))
    assert a(None, 3) == a((None, 3)) == Layout((4,), (1,))
    assert a(2, (None, 3)) == Layout((2,), (64,))
    assert a(None) == a
    assert a(1, 2) == a(1, (0, 1)) == a(9) == 5
    assert enigma.slice_(a, (None, (0, None))) == Layout((4, 8), (1, 4))
    assert enigma.dice(a, (None, (0, None))) == Layout((2,), (64,))
    assert enigma.slice_and_offset(a, (3, (1, None))) == (Layout((8,), (4,)), 67)
    identity = enigma.make_identity_layout((4, 8))
    assert enigma.slice_and_offset(identity, (None, 5)) == (identity(None, 5), (0, 5))


def test_tilers_take_modes_apart_one_by_one() -> None:
    a = Layout((8, (4, 6), 5))
    assert enigma.logical_divide(a, (None, (2, None))) == Layout(
        (8, ((2, 2), 6), 5), (1, ((8, 16), 32), 192)
    )
    assert enigma.zipped_divide(a, (2, None)) == Layout(
        ((2, 1), (4, (4, 6), 5)), ((1, 0), (2, (8, 32), 192))
    )
    assert enigma.composition(a, (2, None)) == Layout((2, (4, 6)), (1, (8, 32)))
    assert enigma.logical_divide(a, None) == a
    # A tile that does not divide is rounded up.
    assert enigma.zipped_divide(Layout((10, 7)), (4, 4)) == Layout(
        ((4, 4), (3, 2)), ((1, 10), (4, 40))
    )


def test_swizzles() -> None:
    a = enigma.swizzle(Layout((8, 8), (8, 1)), 3, 0, 3)
    assert repr(a) == "Sw<3,0,3> o 0 o (8,8):(8,1)"
    assert a == enigma.composition(enigma.Swizzle(3, 0, 3), Layout((8, 8), (8, 1)))
    assert a == enigma.SwizzledLayout(enigma.Swizzle(3, 0, 3), 0, Layout((8, 8), (8, 1)))
    # Column by column, all rows of an 8x8 tile lie in different banks.
    assert {a(row, 0) % 8 for row in range(8)} == set(range(8))
    assert sorted(a(i) for i in range(64)) == list(range(64))
    tiles = enigma.zipped_divide(a, (4, 2))
    assert tiles.swizzle == a.swizzle and tiles.layout == enigma.zipped_divide(a.layout, (4, 2))
    assert [a(None, 5)(i) for i in range(8)] == [a(i, 5) for i in range(8)]
    assert a(None, 5).offset == 5
    assert (a.size(), a.size(0), a.rank(), a.depth(), a.shape, len(a)) == (64, 8, 2, 1, (8, 8), 2)
    down = enigma.Swizzle(2, 0, -3)
    assert [down(down(i)) for i in range(100)] == list(range(100))
    assert [down(i) for i in (0, 1, 2, 8, 9)] == [0, 9, 18, 8, 1]
    assert enigma.composition(enigma.Swizzle(0, 4, 3), a.layout) == a.layout
    assert enigma.recast_layout(8, 16, a).swizzle == enigma.Swizzle(3, 1, 3)


def test_the_cosize_of_a_swizzled_layout_is_what_memory_it_needs() -> None:
    # Its 12 rows of 8 reach index 95, but the swizzle moves some of them further.
    rows = enigma.swizzle(Layout((12, 8), (8, 1)), 4, 0, -4)
    assert rows.layout.cosize() == 96
    assert rows.cosize() == max(rows(i) for i in range(96)) + 1 == 256
    huge = enigma.swizzle(Layout((1 << 20, 1 << 20)), 3, 4, 3)
    assert huge.cosize() == 1 << 40


def test_empty_and_single_modes() -> None:
    empty = Layout((0, 4))
    assert (empty.size(), empty.cosize(), empty(0)) == (0, 0, 0)
    assert enigma.logical_divide(Layout(0), 4) == Layout((4, 0), (1, 4))
    assert enigma.coalesce(Layout((1, 1, 1))) == Layout(1)
    nothing = Layout(())
    assert (nothing.size(), nothing.rank(), nothing.depth(), nothing()) == (1, 0, 1, 0)
    assert repr(nothing) == "():()" and enigma.coalesce(nothing) == Layout(1)
    assert repr(Layout((4, 1))) == "(4,1):(1,0)"


def documented() -> list[str]:
    names = [*enigma.tuple.__all__]
    for name, value in vars(enigma).items():
        if ">>>" in (getattr(value, "__doc__", None) or ""):
            names.append(name)
    return sorted(set(names))


@pytest.mark.parametrize("name", documented())
def test_every_function_has_an_example_that_is_right(name: str) -> None:
    function = getattr(enigma, name, None) or getattr(enigma.tuple, name)
    scope = {**vars(enigma), **{n: getattr(enigma.tuple, n) for n in enigma.tuple.__all__}}
    del scope["range"]  # the examples count with Python's
    test = doctest.DocTestParser().get_doctest(function.__doc__, scope, name, None, None)
    assert test.examples
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_all_of_the_algebra_is_offered() -> None:
    names = set(documented()) - set(enigma.tuple.__all__)
    assert names >= set(
        """Layout Swizzle SwizzledLayout ScaledBasis make_layout make_ordered_layout
        make_identity_layout size rank depth cosize coalesce filter complement composition
        logical_divide zipped_divide tiled_divide flat_divide logical_product zipped_product
        tiled_product flat_product blocked_product raked_product right_inverse left_inverse
        recast_layout make_layout_tv slice_ dice slice_and_offset swizzle print_layout layout_svg
        layout_latex""".split()
    )
    assert names <= set(enigma.__all__)
