"""The algebra's promises, for the layouts that hypothesis finds: what it gives is what it means."""

import contextlib
import itertools
import math

from hypothesis import assume, given
from hypothesis import strategies as st

import enigma
from enigma import Layout
from enigma.tuple import compact_col_major, crd2idx, flatten, idx2crd, is_compatible, is_congruent

SIZES = st.sampled_from([1, 2, 2, 3, 4, 4, 5, 6, 8])
SHAPES = st.recursive(SIZES, lambda s: st.lists(s, min_size=1, max_size=3).map(tuple), max_leaves=5)


def leaves(t) -> list:
    return list(flatten(t)) if isinstance(t, tuple) else [t]


def like(shape, values):
    """The values in the form of a shape."""
    rest = iter(values)

    def fill(s):
        return next(rest) if isinstance(s, int) else tuple(fill(e) for e in s)

    return fill(shape)


@st.composite
def layouts(draw, nested: bool = False) -> Layout:
    """Any layout; a nested one has modes of which each begins at a multiple of where others end."""
    shape = draw(SHAPES)
    sizes = leaves(shape)
    assume(math.prod(sizes) <= 200)
    if not nested and draw(st.booleans()):
        steps = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 48])
        return Layout(shape, like(shape, [draw(steps) for _ in sizes]))
    strides, end = [0] * len(sizes), 1
    for i in draw(st.permutations(range(len(sizes)))):
        end *= draw(st.sampled_from([1, 1, 1, 2, 3]))
        strides[i] = end
        end *= sizes[i]
    return Layout(shape, like(shape, strides))


def image(layout: Layout) -> list[int]:
    return [layout(i) for i in range(layout.size())]


@given(layouts(), layouts())
def test_composition(a: Layout, b: Layout) -> None:
    try:
        r = enigma.composition(a, b)
    except enigma.EnigmaError as refused:
        assert " is not a layout: " in refused.message
        return
    assert is_compatible(b, r)
    assert image(r) == [a(b(c)) for c in range(b.size())]


@given(layouts(), layouts(), layouts())
def test_composition_is_associative(a: Layout, b: Layout, c: Layout) -> None:
    with contextlib.suppress(enigma.EnigmaError):
        left = enigma.composition(enigma.composition(a, b), c)
        right = enigma.composition(a, enigma.composition(b, c))
        # Beyond the end of b the two may differ, as the last modes of a o b and of b go on.
        if c.cosize() <= b.size():
            assert image(left) == image(right)


@given(layouts())
def test_every_coordinate_of_a_shape_names_the_same_place(a: Layout) -> None:
    for i in range(a.size()):
        coord = idx2crd(i, a.shape)
        assert is_congruent(coord, a.shape)
        assert crd2idx(coord, a.shape) == i
        assert a(coord) == a(i) == crd2idx(coord, a.shape, a.stride)
    if isinstance(a.shape, tuple):
        flat = Layout(flatten(a.shape), flatten(a.stride))
        assert image(flat) == image(a)


@given(layouts())
def test_coalesce_and_filter(a: Layout) -> None:
    c = enigma.coalesce(a)
    assert image(c) == image(a) and c.depth() <= 1
    assert set(image(enigma.filter(a))) == set(image(a))
    assert 0 not in leaves(enigma.filter(a).stride) or enigma.filter(a) == Layout(1)


@given(layouts(nested=True), st.integers(0, 400))
def test_complement(a: Layout, cosize: int) -> None:
    c = enigma.complement(a, cosize)
    both = image(enigma.make_layout(a, c))
    assert len(set(both)) == len(both), "disjoint"
    assert image(c) == sorted(image(c)), "ordered"
    assert set(range(cosize)) <= set(both), "complete"


@given(layouts(), layouts(nested=True))
def test_divides(a: Layout, tiler: Layout) -> None:
    with contextlib.suppress(enigma.EnigmaError):
        r = enigma.logical_divide(a, tiler)
        tile, rest = image(tiler), image(enigma.complement(tiler, a.size()))
        assert image(r) == [a(t + u) for u in rest for t in tile]
        assert r[0] == enigma.composition(a, tiler)


@given(st.lists(layouts(), min_size=2, max_size=3), st.lists(SIZES, min_size=1, max_size=3))
def test_divides_by_mode(modes: list[Layout], sizes: list[int]) -> None:
    a, tiler = enigma.make_layout(*modes), tuple(sizes[: len(modes)])
    with contextlib.suppress(enigma.EnigmaError):
        logical = enigma.logical_divide(a, tiler)
        n = len(tiler)
        each = [enigma.logical_divide(m, t) for m, t in zip(modes, tiler, strict=False)]
        assert list(logical) == [*each, *modes[n:]]
        zipped = enigma.zipped_divide(a, tiler)
        assert list(zipped[0]) == [e[0] for e in each]
        assert list(zipped[1]) == [*[e[1] for e in each], *modes[n:]]
        assert list(enigma.tiled_divide(a, tiler)) == [zipped[0], *zipped[1]]
        assert list(enigma.flat_divide(a, tiler)) == [*zipped[0], *zipped[1]]
        assert enigma.composition(a, tiler) == zipped[0]


@given(layouts(nested=True), layouts(nested=True))
def test_products(block: Layout, tiler: Layout) -> None:
    with contextlib.suppress(enigma.EnigmaError):
        r = enigma.logical_product(block, tiler)
        assert r[0] == block and is_compatible(tiler, r[1])
        assert len(set(image(r))) == block.size() * tiler.size()
        copies = enigma.complement(block, block.size() * tiler.cosize())
        assert image(r[1]) == [copies(i) for i in image(tiler)]
        for paired in (enigma.blocked_product(block, tiler), enigma.raked_product(block, tiler)):
            assert sorted(image(paired)) == sorted(image(r))
            assert len(paired) == max(len(block), len(tiler))


@given(layouts(nested=True))
def test_inverses(a: Layout) -> None:
    right, left = enigma.right_inverse(a), enigma.left_inverse(a)
    assert [a(i) for i in image(right)] == list(range(right.size()))
    assert [left(i) for i in image(a)] == list(range(a.size()))
    holes = set(range(a.cosize())) - set(image(a))
    assert right.size() <= min(holes, default=a.size())


@given(layouts(nested=True), st.sampled_from([(8, 16), (8, 32), (16, 32), (4, 6)]))
def test_recast(a: Layout, bits: tuple[int, int]) -> None:
    new, old = bits
    with contextlib.suppress(enigma.EnigmaError):
        narrow = enigma.recast_layout(new, old, a)

        def bits_of(indices: list[int], width: int) -> set[int]:
            return {i * width + b for i in indices for b in range(width)}

        assert bits_of(image(narrow), new) >= bits_of(image(a), old)
        if old % new == 0:
            assert bits_of(image(narrow), new) == bits_of(image(a), old)
            assert image(enigma.recast_layout(old, new, narrow)) == image(a)


POWERS = st.sampled_from([1, 2, 4, 8])
COMPACT = st.builds(
    enigma.make_ordered_layout, st.tuples(POWERS, POWERS), st.sampled_from([(0, 1), (1, 0)])
)


@given(COMPACT, COMPACT)
def test_threads_and_values_cover_the_tile(thr: Layout, val: Layout) -> None:
    tiler, tv = enigma.make_layout_tv(thr, val)
    assert tiler == tuple(t.size() * v.size() for t, v in zip(thr, val, strict=True))
    assert sorted(image(tv)) == list(range(math.prod(tiler)))
    place = Layout(tiler)
    sizes = [range(s) for s in (*thr.shape, *val.shape)]
    for m, n, i, j in itertools.product(*sizes):
        at = (m * val.size(0) + i, n * val.size(1) + j)
        assert tv(thr(m, n), val(i, j)) == place(at)


@given(layouts(), st.data())
def test_slices(a: Layout, data: st.DataObject) -> None:
    coord = like(a.shape, [data.draw(st.sampled_from([None, *range(s)])) for s in leaves(a.shape)])
    free, offset = enigma.slice_and_offset(a, coord)
    assert free == enigma.slice_(a, coord)
    fixed = enigma.dice(a, coord)
    assert free.size() * fixed.size() == a.size()
    for i in range(free.size()):
        digits, rest = leaves(coord), i
        for k, size in enumerate(leaves(a.shape)):
            if digits[k] is None:
                rest, digits[k] = divmod(rest, size)
        assert a(like(a.shape, digits)) == offset + free(i)


@given(layouts(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_swizzles(a: Layout, bits: int, base: int, more: int, down: bool) -> None:
    shift = -(bits + more) if down else bits + more
    s = enigma.swizzle(a, bits, base, shift)
    mask = (1 << bits) - 1

    def swizzled(x: int) -> int:
        if down:
            return x ^ ((x >> base & mask) << base - shift)
        return x ^ ((x >> base + shift & mask) << base)

    assert image(s) == [swizzled(i) for i in image(a)]
    assert s.cosize() == max(image(s)) + 1
    assert [s.swizzle(i) for i in image(s)] == image(a), "a swizzle is its own inverse"
    assert sorted(map(s.swizzle, range(s.swizzle.size()))) == list(range(s.swizzle.size()))


@given(SHAPES, st.data())
def test_ordered_layouts_are_compact(shape, data: st.DataObject) -> None:
    sizes = leaves(shape)
    order = data.draw(st.permutations(range(len(sizes))))
    a = enigma.make_ordered_layout(shape, like(shape, order))
    assert sorted(image(a)) == list(range(math.prod(sizes)))
    steps = [(o, d) for o, d, s in zip(order, leaves(a.stride), sizes, strict=True) if s > 1]
    assert [d for _, d in sorted(steps)] == sorted(d for _, d in steps)
    assert Layout(shape).stride == compact_col_major(shape)


@given(SHAPES)
def test_identity_layouts_give_every_coordinate(shape) -> None:
    identity = enigma.make_identity_layout(shape)
    assert image(identity) == [idx2crd(i, shape) for i in range(identity.size())]
