"""Vector accesses: there where alignment is proven, and nowhere else, with the same numbers."""

import re

import numpy as np
import pytest

import enigma
from enigma import Layout, Tensor

pytestmark = pytest.mark.usefixtures("device")

VALUES = 8  # of a thread


def copy_add(a: Tensor, c: Tensor, values=VALUES, threads=32):
    """Adds 1 to each element, with `values` of a row to a thread; gives the compiled object."""

    @enigma.jit
    def add_one(x: enigma.Tensor, y: enigma.Tensor):
        tiler, _ = enigma.make_layout_tv(
            enigma.make_ordered_layout((1, threads), (1, 0)),
            enigma.make_ordered_layout((1, values), (1, 0)),
        )
        tx, ty = enigma.tensor_zipped_divide(x, tiler), enigma.tensor_zipped_divide(y, tiler)

        @enigma.kernel
        def body(x, y, tv):
            tid = enigma.thread_position_in_grid
            mine = enigma.tensor_composition(x, tv, tiler)[tid, None]
            enigma.tensor_composition(y, tv, tiler)[tid, None].store(mine.load() + 1)

        body.launch()

    return enigma.compile(add_one, a, c)


def widths(compiled, name: str) -> set[str]:
    """How the MSL accesses a buffer: "float4", "float" for single elements, ..."""
    text = compiled.metal_source
    wide = re.findall(rf"\*\(device (?:const )?(\w+)\*\)\({name} \+", text)
    single = re.findall(rf"\b{name}\[", text)
    (scalar,) = re.findall(rf"device (?:const )?(\w+)\* {name} \[\[", text)
    return set(wide) | ({scalar} if single else set())


# m, n, stride, base_offset, dtype: how its rows are accessed.
CASES = [
    ((4, 256), (256, 1), 0, "float", {"float4"}),
    ((4, 256), (256, 1), 4, "float", {"float4"}),
    # Of the eight from 2 on, two, four and two; of those from 1 on, one, two, four and one.
    ((4, 256), (256, 1), 2, "float", {"float2", "float4"}),
    ((4, 256), (256, 1), 1, "float", {"float", "float2", "float4"}),
    ((4, 256), (260, 1), 0, "float", {"float4"}),
    ((4, 256), (258, 1), 0, "float", {"float2"}),
    ((4, 256), (257, 1), 0, "float", {"float"}),
    ((4, 256), (1, 4), 0, "float", {"float"}),  # column-major: a thread's values are 4 apart
    ((4, 256), (512, 2), 0, "float", {"float"}),
    ((3, 300), (300, 1), 0, "float", {"float4"}),  # predicated by fours
    ((3, 298), (298, 1), 0, "float", {"float2"}),
    ((3, 299), (300, 1), 0, "float", {"float"}),  # the row ends within a four and a two
    ((4, 256), (256, 1), 0, "half", {"half4"}),
    ((4, 256), (256, 1), 2, "half", {"half2", "half4"}),
    ((4, 256), (256, 1), 0, "bfloat", {"bfloat4"}),
    ((4, 256), (256, 1), 0, "int", {"int4"}),
    ((4, 256), (256, 1), 0, "uchar", {"uchar4"}),
    ((4, 256), (256, 1), 0, "long", {"long2"}),  # 16 bytes are the most that a buffer promises
]


@pytest.mark.parametrize(("shape", "stride", "base", "dtype", "expected"), CASES)
def test_width_and_numbers(shape, stride, base, dtype, expected):
    layout = Layout(shape, stride)
    a, c = Tensor("A", 0, dtype, layout, base), Tensor("C", 1, dtype, layout, base)
    compiled = copy_add(a, c)
    assert widths(compiled, "A") == expected
    assert widths(compiled, "C") == expected
    data = (np.arange(a.elements + 9) % 100).astype(a.dtype.numpy)
    out = np.full_like(data, 50)
    wanted = out.copy()
    for i in range(shape[0]):
        for j in range(shape[1]):
            wanted[base + layout(i, j)] = data[base + layout(i, j)] + 1
    compiled(data, out)
    np.testing.assert_array_equal(out, wanted)


def test_each_buffer_has_its_own_width():
    a = Tensor("A", 0, "float", Layout((4, 256), (256, 1)), 1)
    c = Tensor("C", 1, "float", Layout((4, 256), (256, 1)))
    compiled = copy_add(a, c)
    assert widths(compiled, "A") == {"float", "float2", "float4"}
    assert widths(compiled, "C") == {"float4"}
    data, out = np.arange(1025, dtype=np.float32), np.zeros(1024, np.float32)
    compiled(data, out)
    np.testing.assert_array_equal(out, data[1:] + 1)


def test_a_column_major_tile_is_loaded_along_its_columns():
    a = Tensor("A", 0, "float", Layout((64, 64)))
    c = Tensor("C", 1, "float", Layout((64, 64), (64, 1)))

    @enigma.jit
    def transposed_copy(x: enigma.Tensor, y: enigma.Tensor):
        tx, ty = enigma.tensor_zipped_divide(x, (4, 4)), enigma.tensor_zipped_divide(y, (4, 4))

        @enigma.kernel
        def body():
            tile = enigma.thread_position_in_grid
            ty[None, tile].store(tx[None, tile].load())

        body().launch(grid=256, block=32)

    compiled = enigma.compile(transposed_copy, a, c)
    assert widths(compiled, "A") == widths(compiled, "C") == {"float4"}
    data = np.arange(4096, dtype=np.float32).reshape(64, 64)
    out = np.zeros_like(data)
    compiled(data, out)
    np.testing.assert_array_equal(out, data.T)


def test_unaligned_arrays_are_as_good():
    a = Tensor("A", 0, "float", Layout((4, 256), (256, 1)))
    c = Tensor("C", 1, "float", Layout((4, 256), (256, 1)))
    compiled = copy_add(a, c)
    assert widths(compiled, "A") == {"float4"}
    for shift in (1, 2, 3):
        whole, result = np.arange(1100, dtype=np.float32), np.zeros(1100, np.float32)
        compiled(whole[shift : shift + 1024], result[shift : shift + 1024])
        np.testing.assert_array_equal(
            result[shift : shift + 1024], np.arange(shift, shift + 1024) + 1
        )
        assert not result[:shift].any()


@pytest.mark.parametrize(
    ("swizzle", "expected"),
    [(None, "float4"), ((2, 2, 3), "float4"), ((3, 1, 3), "float2"), ((3, 0, 3), None)],
)
def test_threadgroup_memory(swizzle, expected):
    """A tile of 32 x 8, written by rows of a thread, read by others."""
    tile_layout = Layout((32, 8), (8, 1))
    shared_layout = enigma.swizzle(tile_layout, *swizzle) if swizzle else tile_layout
    a, c = (Tensor(n, i, "float", Layout((32, 8), (8, 1))) for i, n in enumerate("AC"))

    @enigma.jit
    def through(x: enigma.Tensor, y: enigma.Tensor):
        @enigma.kernel
        def body():
            shared = enigma.threadgroup_alloc("float", shared_layout)
            lid = enigma.thread_position_in_threadgroup()
            shared[lid, None].store(x[lid, None].load())
            enigma.barrier()
            y[lid, None].store(shared[31 - lid, None].load())

        body().launch(grid=32, block=32)

    compiled = enigma.compile(through, a, c)
    text = compiled.metal_source
    found = set(re.findall(r"\*\(threadgroup (\w+)\*\)", text))
    assert found == ({expected} if expected else set())
    assert ("alignas(16) threadgroup float shared" in text) == bool(expected)
    data, out = np.arange(256, dtype=np.float32).reshape(32, 8), np.zeros((32, 8), np.float32)
    compiled(data, out)
    np.testing.assert_array_equal(out, data[::-1])


def test_operations_on_vectors_and_on_single_elements():
    a = Tensor("A", 0, "float", Layout((32, 6), (8, 1)))  # a four and a two
    b = Tensor("B", 1, "float", Layout((32, 6)))  # single elements
    c = Tensor("C", 2, "float", Layout((32, 6, 5), (8, 1, 256)))

    @enigma.jit
    def mixed(a: enigma.Tensor, b: enigma.Tensor, c: enigma.Tensor):
        @enigma.kernel
        def body():
            tid = enigma.thread_position_in_grid
            x, y = a[tid, None].load(), b[tid, None].load()
            c[tid, None, 0] = x + y
            c[tid, None, 1] = enigma.where(x, 1.0, x > y)
            c[tid, None, 2] = enigma.where(0.0, 1.0, x > 0.5)
            c[tid, None, 3] = enigma.metal_cast(enigma.exp(x) * tid, "int") // 3 % 5
            c[tid, None, 4] = enigma.simd_max(x) - enigma.fma(x, 2.0, x[5])

        body().launch(grid=32, block=32)

    compiled = enigma.compile(mixed, a, b, c)
    assert widths(compiled, "A") == {"float4", "float2"}
    assert widths(compiled, "B") == {"float"}
    assert widths(compiled, "C") == {"float4", "float2"}
    rng = np.random.default_rng(5)
    x, y = rng.random((32, 8), np.float32), rng.random((6, 32), np.float32)
    out = np.zeros((5, 32, 8), np.float32)
    compiled(x, y, out)
    x, y, got = x[:, :6], y.T, out[:, :, :6]
    np.testing.assert_array_equal(got[0], x + y)
    np.testing.assert_array_equal(got[1], np.where(x > y, np.float32(1), x))
    np.testing.assert_array_equal(got[2], (x > 0.5).astype(np.float32))
    exact = np.exp(x.astype(np.float64)) * np.arange(32)[:, None]
    near = np.abs(exact - np.round(exact)) < 1e-4
    np.testing.assert_array_equal(
        np.where(near, 0, got[3]), np.where(near, 0, exact.astype(int) // 3 % 5)
    )
    np.testing.assert_allclose(got[4], x.max(0) - (2 * x + x[:, 5:6]), atol=1e-6)
    assert not out[:, :, 6:].any()


def test_elements_that_share_a_place_are_stored_in_order():
    a, c = Tensor("A", 0, "int", Layout((2, 4))), Tensor("C", 1, "int", Layout((2, 4), (1, 0)))

    @enigma.jit
    def last_stays(x: enigma.Tensor, y: enigma.Tensor):
        @enigma.kernel
        def body():
            y[None, None].store(x[None, None].load())

        body().launch(grid=1, block=1)

    compiled = enigma.compile(last_stays, a, c)
    data, out = np.arange(8, dtype=np.int32), np.zeros(2, np.int32)
    compiled(data, out)
    assert out.tolist() == [6, 7]


def test_a_vector_outside_of_its_buffer_is_told():
    a = Tensor("A", 0, "float")
    c = Tensor("C", 1, "float", Layout((4, 4)))

    @enigma.jit
    def beyond(x: enigma.Tensor, y: enigma.Tensor):
        rows = enigma.tensor_zipped_divide(x, 4)

        @enigma.kernel
        def body():
            tid = enigma.thread_position_in_grid
            y[None, tid].store(rows[None, tid].load())

        body().launch(grid=4, block=4)

    compiled = enigma.compile(beyond, a, c)
    assert widths(compiled, "A") == {"float4"}
    with pytest.raises(enigma.EnigmaError, match=r"out of bounds|reach"):
        compiled(np.zeros(14, np.float32), np.zeros(16, np.float32))
