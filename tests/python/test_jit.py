"""@jit: the page's example, both forms of launch, several kernels, scalars, inferred sizes."""

import numpy as np
import pytest
from tiled_add import tiled_add

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZES = [(256, 512), (100, 1000), (13, 300), (17, 255), (1, 1)]


@enigma.kernel
def add_tiles(gA: enigma.Tensor, gB: enigma.Tensor, gC: enigma.Tensor, tv: enigma.Layout):
    tid, _, _ = enigma.arch.thread_idx()
    bid, _, _ = enigma.arch.block_idx()
    tile = ((None, None), bid)
    a, b, c = (enigma.tensor_composition(g[tile], tv)[tid, None] for g in (gA, gB, gC))
    c.store(a.load() + b.load())


@enigma.jit
def explicit_add(mA: enigma.Tensor, mB: enigma.Tensor, mC: enigma.Tensor):
    tiler, tv = enigma.make_layout_tv(
        enigma.make_ordered_layout((4, 64), (1, 0)), enigma.make_ordered_layout((4, 4), (1, 0))
    )
    gA, gB, gC = (enigma.tensor_zipped_divide(m, tiler) for m in (mA, mB, mC))
    tiles = gC.size(1)
    add_tiles(gA, gB, gC, tv).launch(grid=(tiles * 256, 1, 1), block=(256, 1, 1))


def matrices(m, n, layouts, offsets=(0, 0, 0), order=(0, 1, 2)):
    """Tensors A, B, C with buffers in this order, and memory that fits each."""
    tensors, memory = [], []
    rng = np.random.default_rng(m * 1000 + n)
    for name, kind, offset, index in zip("ABC", layouts, offsets, order, strict=True):
        layout = enigma.Layout((m, n), (n, 1) if kind == "r" else (1, m))
        tensors.append(enigma.Tensor(name, index, "float", layout, offset))
        memory.append(rng.standard_normal(m * n + offset, np.float32))
    return tensors, memory


def matrix(memory, m, n, kind, offset=0):
    return memory[offset:].reshape((m, n), order="C" if kind == "r" else "F")


@pytest.mark.parametrize(("m", "n"), SIZES)
@pytest.mark.parametrize("layouts", ["rrr", "ccc", "rcr"])
def test_page(m, n, layouts):
    # The explicit form writes out what the short one means.
    function = explicit_add if layouts == "ccc" else tiled_add
    tensors, (a, b, c) = matrices(m, n, layouts)
    compiled = enigma.compile(function, *tensors)
    tiles = -(-m // 16) * -(-n // 256)
    assert compiled.grid == (tiles * 256, 1, 1)
    assert compiled.block == (256, 1, 1)
    compiled(a, b, c)
    expected = matrix(a, m, n, layouts[0]) + matrix(b, m, n, layouts[1])
    np.testing.assert_array_equal(matrix(c, m, n, layouts[2]), expected)


@pytest.mark.parametrize(("m", "n"), [(256, 512), (13, 300)])
@pytest.mark.parametrize("offsets", [(4, 0, 8), (1, 2, 3)])
def test_views_at_an_offset_leave_what_is_before_them(m, n, offsets):
    tensors, (a, b, c) = matrices(m, n, "rrr", offsets)
    before = c.copy()
    enigma.compile(tiled_add, *tensors)(a, b, c)
    expected = matrix(a, m, n, "r", offsets[0]) + matrix(b, m, n, "r", offsets[1])
    np.testing.assert_array_equal(matrix(c, m, n, "r", offsets[2]), expected)
    np.testing.assert_array_equal(c[: offsets[2]], before[: offsets[2]])


def test_larger_arrays_keep_what_is_behind():
    tensors, _ = matrices(13, 300, "rrr")
    a, b, c = (np.ones(13 * 300 + 7000, np.float32) for _ in range(3))
    enigma.compile(tiled_add, *tensors)(a, b, c)
    assert (c[: 13 * 300] == 2).all()
    assert (c[13 * 300 :] == 1).all()


def test_buffer_indices_are_not_the_order_of_arguments():
    tensors, (a, b, c) = matrices(64, 256, "rrr", order=(7, 0, 2))
    compiled = enigma.compile(tiled_add, *tensors)
    assert [(p.name, p.index) for p in compiled.params] == [("A", 7), ("B", 0), ("C", 2)]
    assert "device const float* A [[buffer(7)]]" in compiled.metal_source
    compiled(a, b, c)
    np.testing.assert_array_equal(c, a + b)


@pytest.mark.parametrize("runner", ["execute", "prepare", "batch"])
def test_runtimes_run_it(runner):
    tensors, (a, b, c) = matrices(100, 300, "rrr")
    compiled = enigma.compile(tiled_add, *tensors)
    rt = enigma.default_runtime()
    if runner == "execute":
        got = np.frombuffer(rt.execute(compiled, [a, b], output_size=c.nbytes), np.float32)
    else:
        with rt.prepare(compiled, [a, b], output_size=c.nbytes) as prepared:
            if runner == "prepare":
                prepared.dispatch()
                prepared.set_input("A", 2 * a)
                assert prepared.dispatch_timed() >= 0
                a = 2 * a
            else:
                rt.dispatch_batch([(prepared, compiled.grid, compiled.block)])
            got = prepared.read_output(dtype=np.float32)
    np.testing.assert_array_equal(got, a + b)


@enigma.jit
def normalise(mX: enigma.Tensor, mY: enigma.Tensor, mSum: enigma.Tensor, eps: enigma.Scalar("f32")):
    rows, columns = mX.shape
    gX = enigma.tensor_zipped_divide(mX, (1, columns))

    @enigma.kernel
    def clear(total: enigma.f32):
        total[enigma.thread_position_in_grid] = 0.0

    @enigma.kernel
    def sums(x, total):
        row = enigma.threadgroup_position_in_grid()
        lane = enigma.thread_position_in_threadgroup()
        part = enigma.local_partition(x[(None, None), row], enigma.Layout((1, 32)), lane)
        acc = enigma.f32(0.0)
        for value in part.load():
            acc = acc + value
        acc = enigma.simd_sum(acc)
        with enigma.if_(lane == 0):
            total[row] = acc

    @enigma.kernel
    def scale(e):
        tid = enigma.thread_position_in_grid
        row, column = tid // columns, tid % columns
        mY[row, column] = mX[row, column] / (mSum[row] + e) + eps * 0.0

    clear(mSum).launch(grid=rows, block=min(rows, 256))
    sums(gX, mSum).launch(grid=rows * 32, block=32)
    scale(eps).launch(grid=rows * columns, block=64)


@pytest.mark.parametrize(("m", "n"), [(4, 96), (7, 33), (1, 5)])
def test_launches_run_in_order_on_shared_memory(m, n):
    x = enigma.Tensor("X", 0, "float", enigma.Layout((m, n), (n, 1)))
    y = enigma.Tensor("Y", 2, "float", enigma.Layout((m, n), (n, 1)))
    total = enigma.Tensor("Sum", 3, "float", enigma.Layout(m))
    compiled = enigma.compile(normalise, x, y, total)
    assert [p.name for p in compiled.params] == ["X", "Y", "Sum", "eps"]
    assert [p.index for p in compiled.params] == [0, 2, 3, 1]
    assert compiled.metal_source.count("kernel void") == 3
    data = np.random.default_rng(1).random((m, n), np.float32)
    out, sums = np.zeros_like(data), np.full(m, 9, np.float32)
    compiled(data, out, sums, 0.5)
    np.testing.assert_allclose(sums, data.sum(1), rtol=1e-5)
    np.testing.assert_allclose(out, data / (data.sum(1, keepdims=True) + 0.5), rtol=1e-5)

    rt = enigma.default_runtime()
    with rt.prepare(compiled, [data, np.zeros_like(data), sums, 0.25]) as prepared:
        prepared.dispatch(wait=False)
        got = prepared.read_output(0, np.float32).reshape(m, n)
        np.testing.assert_allclose(got, data / (data.sum(1, keepdims=True) + 0.25), rtol=1e-5)
    with pytest.raises(enigma.EnigmaError, match="launches its kernels itself"):
        compiled(data, out, sums, 0.5, grid=3, threads=1)
