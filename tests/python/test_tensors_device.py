"""Tensors in kernels: what coordinates reach, what is guarded, and how short the arithmetic is."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enigma
from enigma import Layout, Tensor

pytestmark = pytest.mark.usefixtures("device")

EXAMPLES = 12


def compiled(tensors, body, grid, block=32):
    """The jit function that launches one kernel, body(*tensors), over these tensors."""

    @enigma.jit
    def launch_it(a: enigma.Tensor, b: enigma.Tensor):
        @enigma.kernel
        def kernel(x, y):
            body(x, y)

        kernel(a, b).launch(grid=grid, block=block)

    return enigma.compile(launch_it, *tensors)


def pair(layout, n, base=0, dtype="float"):
    return Tensor("A", 0, dtype, layout, base), Tensor("B", 1, dtype, Layout(n))


def text_of(kernel):
    """The body of its MSL, without comments."""
    source = kernel.metal_source
    return re.sub(r"//.*", "", source[source.index(") {") :])


@st.composite
def layouts(draw):
    """Layouts without overlaps, of up to three modes of up to two modes."""
    shape = draw(
        st.lists(
            st.one_of(st.integers(1, 6), st.tuples(st.integers(1, 4), st.integers(1, 4))),
            min_size=1,
            max_size=3,
        ).map(tuple)
    )
    flat = enigma.tuple.flatten(shape)
    order = draw(st.permutations(range(len(flat))))
    gaps = draw(st.lists(st.integers(1, 3), min_size=len(flat), max_size=len(flat)))
    strides, step = [0] * len(flat), 1
    for k in order:
        strides[k] = step
        step *= flat[k] * gaps[k]
    nested = iter(strides)
    return Layout(
        shape,
        tuple(tuple(next(nested) for _ in s) if type(s) is tuple else next(nested) for s in shape),
    )


@settings(max_examples=EXAMPLES)
@given(layouts(), st.integers(0, 9))
def test_an_index_goes_through_the_layout_modulo_the_size(layout, base):
    n = 2 * layout.size() + 5
    a, b = pair(layout, n, base)

    def body(x, y):
        tid = enigma.thread_position_in_grid
        y[tid] = x[tid]

    kernel = compiled((a, b), body, n)
    data = np.arange(a.elements, dtype=np.float32)
    out = np.zeros(n, np.float32)
    kernel(data, out)
    expected = [base + layout(i % layout.size()) for i in range(n)]
    np.testing.assert_array_equal(out, expected)


@settings(max_examples=EXAMPLES)
@given(layouts(), st.data())
def test_slices_fix_what_a_coordinate_names(layout, data):
    """Every mode is kept, fixed by an int, or fixed by a traced index."""
    kinds = [data.draw(st.sampled_from(["keep", "int", "traced"])) for _ in range(layout.rank())]
    ints = [data.draw(st.integers(0, layout.size(k) - 1)) for k in range(layout.rank())]
    kept = [k for k, kind in enumerate(kinds) if kind == "keep"]
    n = 7
    count = int(np.prod([layout.size(k) for k in kept]))
    a, b = Tensor("A", 0, "int", layout), Tensor("B", 1, "int", Layout((n, count)))

    def body(x, y):
        tid = enigma.thread_position_in_grid
        place = {"keep": None, "traced": tid}
        part = x[tuple(place.get(kind, i) for kind, i in zip(kinds, ints, strict=True))]
        y[tid, None] = part.load() if kept else part

    kernel = compiled((a, b), body, n)
    values = np.arange(a.elements, dtype=np.int32)
    out = np.zeros(n * count, np.int32)
    kernel(values, out)
    for tid in range(n):
        coord = [
            tid % layout.size(k) if kind == "traced" else i
            for k, (kind, i) in enumerate(zip(kinds, ints, strict=True))
        ]
        for c in range(count):
            rest = c
            for k in kept:
                coord[k], rest = rest % layout.size(k), rest // layout.size(k)
            assert out[tid + c * n] == layout(tuple(coord)), (tid, coord)


@settings(max_examples=EXAMPLES)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(1, 8), (8, 1), (4, 4), (3, 5)]),
    st.sampled_from([(1, 4), (2, 2), (4, 1), (3, 1)]),
    st.booleans(),
    st.booleans(),
)
def test_tiles_that_do_not_divide_are_guarded(m, n, threads, values, by_row, order):
    """Every element is doubled once, and nothing outside of the matrix is touched."""
    layout = Layout((m, n), (n + 3, 1) if by_row else (1, m + 2))
    a, b = Tensor("A", 0, "float", layout, 5), Tensor("B", 1, "float", layout, 5)

    @enigma.jit
    def double(x: enigma.Tensor, y: enigma.Tensor):
        tiler, _ = enigma.make_layout_tv(
            enigma.make_ordered_layout(threads, (1, 0) if order else (0, 1)), Layout(values)
        )
        tx, ty = enigma.tensor_zipped_divide(x, tiler), enigma.tensor_zipped_divide(y, tiler)

        @enigma.kernel
        def body(x, y, tv):
            tid = enigma.thread_position_in_grid
            mine = enigma.tensor_composition(x, tv, tiler)[tid, None].load()
            enigma.tensor_composition(y, tv, tiler)[tid, None].store(mine * 2.0)

        body.launch()

    kernel = enigma.compile(double, a, b)
    data = np.random.default_rng(m + n).random(a.elements + 50, np.float32)
    out = np.full_like(data, 7)
    expected = out.copy()
    for i in range(m):
        for j in range(n):
            expected[5 + layout(i, j)] = 2 * data[5 + layout(i, j)]
    kernel(data, out)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(data, data)


def test_what_is_beyond_the_end_loads_as_zero():
    a, b = Tensor("A", 0, "int", Layout(10)), Tensor("B", 1, "int", Layout(4))

    @enigma.jit
    def tails(x: enigma.Tensor, y: enigma.Tensor):
        tiles = enigma.tensor_zipped_divide(x, 4)

        @enigma.kernel
        def body():
            last = tiles[None, 2].load()
            total = enigma.i32(0)
            for v in last:
                total = total + v
            y[0] = total
            y[1] = tiles[1, 2]
            y[2] = tiles[2, 2]
            y[3] = enigma.load_if(tiles, (3, 2), True, 5)
            tiles[3, 2] = 9

        body().launch(grid=1, block=1)

    kernel = enigma.compile(tails, a, b)
    data, out = np.arange(1, 13, dtype=np.int32), np.zeros(4, np.int32)
    kernel(data, out)
    assert out.tolist() == [9 + 10, 10, 0, 5]
    assert data.tolist() == list(range(1, 13))


def test_powers_of_two_are_shifts_and_masks():
    n = 4096
    layout = Layout((16, (8, 32)), (256, (1, 8)))

    def body(x, y):
        tid = enigma.thread_position_in_grid
        y[tid] = x[tid]

    text = text_of(compiled(pair(layout, n), body, 2 * n))
    assert "/" not in text
    assert "%" not in text
    assert ">>" in text


def test_what_bounds_prove_idle_is_left_out():
    def body(x, y):
        i = enigma.thread_position_in_threadgroup()
        group = enigma.threadgroup_position_in_grid()
        y[i, group] = x[i, group]

    a = Tensor("A", 0, "float", Layout((48, 6), (6, 1)))
    b = Tensor("B", 1, "float", Layout((48, 6)))
    text = text_of(compiled((a, b), body, 48 * 6, 48))
    assert not re.search(r"[%&/]|>>", text)
    # The same over more threadgroups than the mode has.
    text = text_of(compiled((a, b), body, 48 * 7, 48))
    assert "% 6u" in text
    assert "% 48" not in text


def test_loops_bound_their_index():
    def body(x, y):
        with enigma.for_range(0, 24) as i:
            y[i] = x[i, 2]

    a, b = Tensor("A", 0, "float", Layout((24, 5), (5, 1))), Tensor("B", 1, "float", Layout(24))
    assert "%" not in text_of(compiled((a, b), body, 1, 1))


def test_negative_coordinates_wrap_as_in_python():
    def body(x, y):
        i = enigma.metal_cast(enigma.thread_position_in_grid, "int") - 7
        y[enigma.thread_position_in_grid] = x[i]

    a, b = pair(Layout(5), 20)
    kernel = compiled((a, b), body, 20)
    data, out = np.arange(5, dtype=np.float32), np.zeros(20, np.float32)
    kernel(data, out)
    np.testing.assert_array_equal(out, [(i - 7) % 5 for i in range(20)])


@pytest.mark.parametrize("kind", ["u8", "i16", "i64", "u64"])
def test_coordinates_of_any_integer_type(kind):
    def body(x, y):
        tid = enigma.thread_position_in_grid
        y[tid] = x[enigma.metal_cast(tid, kind)]

    a, b = pair(Layout((3, 4), (4, 1)), 100)
    kernel = compiled((a, b), body, 100)
    data, out = np.arange(12, dtype=np.float32), np.zeros(100, np.float32)
    kernel(data, out)
    np.testing.assert_array_equal(out, [a.layout(i % 12) for i in range(100)])


def test_every_operation_works_on_fragments():
    n, width = 32, 4
    a = Tensor("A", 0, "float", Layout((n, width), (width, 1)))
    b = Tensor("B", 1, "float", Layout((n, width, 6), (width, 1, n * width)))

    def body(x, y):
        tid = enigma.thread_position_in_grid
        f = x[tid, None].load()
        assert len(f) == width
        assert f.dtype == enigma.f32
        assert f.shape == (width,)
        y[tid, None, 0] = 1.0 - f * 2.0 + tid
        y[tid, None, 1] = enigma.exp(-abs(f))
        y[tid, None, 2] = enigma.where(f, 0.0, f < 0.5)
        y[tid, None, 3] = enigma.metal_cast(f * 8.0, "int") % 3 + enigma.metal_cast(f, "half")
        y[tid, None, 4] = enigma.fma(f, f, 0.5)
        y[tid, None, 5] = f / 3.0

    kernel = compiled((a, b), body, n)
    x = np.random.default_rng(3).random((n, width), np.float32)
    out = np.zeros((6, n, width), np.float32)
    kernel(x, out)
    np.testing.assert_allclose(out[0], 1 - x * 2 + np.arange(n)[:, None], rtol=1e-6)
    np.testing.assert_allclose(out[1], np.exp(-x), rtol=1e-6)
    np.testing.assert_array_equal(out[2], np.where(x < 0.5, 0, x))
    expected = (x * 8).astype(np.int32) % 3 + x.astype(np.float16)
    np.testing.assert_allclose(out[3], expected, rtol=1e-3)
    np.testing.assert_allclose(out[4], x * x + np.float32(0.5), rtol=1e-6)
    np.testing.assert_array_equal(out[5], x / np.float32(3))


@pytest.mark.parametrize("swizzled", [False, True])
def test_threadgroup_tensors(swizzled):
    layout = Layout((8, 8), (8, 1))
    shared_layout = enigma.swizzle(layout, 3, 0, 3) if swizzled else layout
    a, b = Tensor("A", 0, "int", layout), Tensor("B", 1, "int", layout)

    def body(x, y):
        tile = enigma.threadgroup_alloc("int", shared_layout)
        lid = enigma.thread_position_in_threadgroup()
        i, j = lid % 8, lid // 8
        tile[i, j] = x[i, j]
        enigma.barrier()
        y[j, i] = tile[i, j] + 0 * tile[i, None].load()[3]

    kernel = compiled((a, b), body, 64, 64)
    x, out = np.arange(64, dtype=np.int32).reshape(8, 8), np.zeros((8, 8), np.int32)
    kernel(x, out)
    np.testing.assert_array_equal(out, x.T)
    assert ("^" in text_of(kernel)) == swizzled


def test_atomics_and_masks_take_tensors():
    a, b = Tensor("A", 0, "int", Layout((4, 8), (8, 1))), Tensor("B", 1, "int", Layout(8))

    def body(x, y):
        tid = enigma.thread_position_in_grid
        enigma.atomic_fetch_add(y, tid % 8, enigma.load_if(x, (tid % 4, tid // 4), tid < 30, -1))
        enigma.store_if(x, (3, 7), 99, tid == 0)

    kernel = compiled((a, b), body, 32)
    x, out = np.arange(32, dtype=np.int32), np.zeros(8, np.int32)
    expected = np.zeros(8, np.int64)
    for t in range(32):
        expected[t % 8] += x[t % 4 * 8 + t // 4] if t < 30 else -1
    kernel(x, out)
    assert x[31] == 99
    np.testing.assert_array_equal(out, expected)


def test_rows_of_any_size():
    a, b = Tensor("A", 0, "float"), Tensor("B", 1, "float", None, 3)

    def body(x, y):
        tid = enigma.thread_position_in_grid
        tile = enigma.tensor_zipped_divide(x, 4)[None, tid]
        y[tid] = tile[0] + tile[3]

    kernel = compiled((a, b), body, 10)
    x, out = np.arange(40, dtype=np.float32), np.zeros(13, np.float32)
    kernel(x, out)
    np.testing.assert_array_equal(out[3:], x[::4] + x[3::4])
    assert "%" not in text_of(kernel)
