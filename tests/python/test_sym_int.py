"""Sizes that only a run knows: one compiled object for arrays of any shape."""

import numpy as np
import pytest
from test_jit import explicit_add
from tiled_add import tiled_add

import enigma
from enigma import Tensor, sym_int

pytestmark = pytest.mark.usefixtures("device")

M, N = sym_int("M"), sym_int("N")
ROWS = ((M, N), (N, 1))
SIZES = [(256, 512), (1, 1), (17, 33), (100, 700), (1, 300)]
rng = np.random.default_rng(0)


def random(*shape):
    return rng.standard_normal(shape, np.float32)


def tensors(names, layout=ROWS):
    return [Tensor(name, k, "float", layout) for k, name in enumerate(names)]


@pytest.fixture(scope="module")
def added():
    return enigma.compile(tiled_add, *tensors("ABC"))


def test_page_with_one_compiled_object(added):
    for m, n in SIZES:
        a, b, c = random(m, n), random(m, n), random(m, n)
        added(a, b, c)
        assert np.array_equal(c, a + b)


def test_it_compiles_once(monkeypatch):
    modules = []
    compile_module = enigma._core.compile
    monkeypatch.setattr(enigma._core, "compile", lambda *x: modules.append(x) or compile_module(*x))
    function = enigma.jit(tiled_add.function)
    for m, n in SIZES[1:3]:
        compiled = enigma.compile(function, *tensors("ABC"))
        a, c = random(m, n), np.zeros((m, n), np.float32)
        compiled(a, a + 1, c)
        assert np.array_equal(c, a + (a + 1))
    assert len(modules) == 1
    assert [p.name for p in compiled.params] == ["A", "B", "C", "M", "N"]
    assert str(compiled.grid) == "(256*ceil_div(M, 16)*ceil_div(N, 256), 1, 1)"
    assert compiled.block == (256, 1, 1)


def test_explicit_launch():
    compiled = enigma.compile(explicit_add, *tensors("ABC"))
    a, b, c = random(19, 257), random(19, 257), np.zeros((19, 257), np.float32)
    compiled(a, b, c)
    assert np.array_equal(c, a + b)


def test_vectors_exactly_where_divisibility_proves_them():
    for divisibility, vector in ((1, None), (2, "float2"), (6, "float2"), (12, "float4")):
        n = sym_int("N", divisibility=divisibility)
        compiled = enigma.compile(tiled_add, *tensors("ABC", ((M, n), (n, 1))))
        source = compiled.metal_source
        assert ("*)(A + " in source) == (vector is not None)
        assert vector is None or f"*(device const {vector}*)(A + " in source
    a, b = random(21, 60), random(21, 60)
    c = np.zeros_like(a)
    compiled(a, b, c)
    assert np.array_equal(c, a + b)


@enigma.jit
def transposed(mX: enigma.Tensor, mY: enigma.Tensor):
    plain = enigma.Layout((16, 16), (16, 1))
    gX = enigma.tensor_zipped_divide(mX, (16, 16))
    gY = enigma.tensor_zipped_divide(mY, (16, 16))
    rows, columns = gX.shape[1]

    @enigma.kernel
    def turn_tiles():
        x, y, _ = enigma.arch.thread_idx()
        i, j = (enigma.threadgroup_position_in_grid(dim) for dim in "yx")
        tile = enigma.threadgroup_alloc("float", enigma.swizzle(plain, 4, 0, 4))
        tile[y, x] = gX[(y, x), (i, j)]
        enigma.barrier()
        gY[(y, x), (j, i)] = tile[x, y]

    turn_tiles().launch(grid=(columns * 16, rows * 16), block=(16, 16))


def test_transpose_by_tiles_and_elements():
    compiled = enigma.compile(
        transposed, Tensor("X", 0, "float", ROWS), Tensor("Y", 1, "float", ((N, M), (M, 1)))
    )
    for m, n in SIZES[1:4]:
        x, y = random(m, n), np.zeros((n, m), np.float32)
        compiled(x, y)
        assert np.array_equal(y, x.T)


@enigma.jit
def rows_and_columns(
    mX: enigma.Tensor, mR: enigma.Tensor, mC: enigma.Tensor, f: enigma.Scalar("f32")
):
    """Sums of the rows by local_tile, of the columns by local_partition and an identity tensor."""
    m, n = mX.shape
    threads = enigma.Layout((1, 32), (32, 1))

    @enigma.kernel
    def of_rows(x, r):
        row = enigma.threadgroup_position_in_grid()
        lane = enigma.thread_position_in_threadgroup()
        total = enigma.f32(0.0)
        with enigma.for_range(0, -(-n // 64)) as j:
            two = enigma.local_tile(x, (1, 64), (row, j))
            mine = enigma.tensor_composition(two, enigma.Layout((32, 2), (2, 1)))[lane, None]
            a, b = mine.load()
            total = total + a + b
        r[row] = f * enigma.simd_sum(total)

    @enigma.kernel
    def of_columns(x, c):
        lane = enigma.thread_position_in_threadgroup()
        part = enigma.local_partition(x, threads, lane)
        where = enigma.local_partition(enigma.make_identity_tensor((m, n)), threads, lane)
        with enigma.for_range(0, part.shape[1]) as j:
            total = enigma.f32(0.0)
            with enigma.for_range(0, m) as i:
                total = total + part[i, j]
            _, column = where[0, j]
            with enigma.if_(column < n):
                c[column] = total * f

    of_rows(mX, mR).launch(grid=m * 32, block=32)
    of_columns(mX, mC).launch(grid=32, block=32)


def test_partitions_loops_and_scalars():
    compiled = enigma.compile(
        rows_and_columns,
        Tensor("X", 0, "float", ROWS),
        Tensor("R", 1, "float", ((M,), (1,))),
        Tensor("C", 2, "float", ((N,), (1,))),
    )
    for m, n in ((1, 1), (17, 33), (5, 130)):
        x, r, c = random(m, n), np.zeros(m, np.float32), np.zeros(n, np.float32)
        compiled(x, r, c, 2.0)
        np.testing.assert_allclose(r, 2 * x.sum(1, dtype=np.float64), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(c, 2 * x.sum(0, dtype=np.float64), rtol=1e-4, atol=1e-4)


@enigma.kernel
def plus(x: enigma.Tensor, n: enigma.Scalar("f32"), half: enigma.Scalar("u32")):
    x[1] = n + enigma.metal_cast(half, "float")


@enigma.jit
def counting(x: enigma.Tensor):
    (m,) = x.shape

    @enigma.kernel
    def count():
        n = m
        with enigma.for_range(0, 4) as i:
            n = n + i
        with enigma.if_(m > 4):
            n = m * 2
        x[0] = enigma.metal_cast(n, "float")

    count().launch(grid=1, block=1)
    plus(x, m, m // 2).launch(grid=1, block=1)


def test_sizes_as_numbers_of_a_kernel():
    compiled = enigma.compile(counting, Tensor("X", 0, "float", ((M,), (1,))))
    for n, want in ((4, [10, 6]), (9, [18, 13]), (1, [7])):
        x = np.zeros(n, np.float32)
        compiled(x)
        assert x[:2].tolist() == want


OPERATORS = {
    "%": lambda n, i: (n % 5, i % n),
    "/": lambda n, i: (n / 2, n / i),
    "//": lambda n, i: (n // i, 100 // n),
    "**": lambda n, i: (n**2, 2**n),
    "&|^": lambda n, i: (n & 6 | i, 9 ^ n),
    "<<": lambda n, i: (n << i, 3 << n),
    ">>": lambda n, i: (n >> 1, i >> n),
    "<": lambda n, i: (i < n, n > 4),
    "unary": lambda n, i: (~n, abs(+n)),
}


def test_every_operator_of_a_number():
    @enigma.jit
    def operated(x: enigma.Tensor):
        (n,) = x.shape

        @enigma.kernel
        def body():
            i = enigma.thread_position_in_grid + 2
            for k, f in enumerate(OPERATORS.values()):
                for j, result in enumerate(f(n, i)):
                    x[2 * k + j] = enigma.metal_cast(result, "uint")

        body().launch(grid=1, block=1)

    x = np.zeros(2 * len(OPERATORS), np.uint32)
    enigma.compile(operated, Tensor("X", 0, "uint", ((M,), (1,))))(x)
    n, i = len(x), 2
    want = [int(result) & 0xFFFFFFFF for f in OPERATORS.values() for result in f(n, i)]
    assert x.tolist() == want


def test_differences_are_spelled_as_such():
    @enigma.jit
    def taken(x: enigma.Tensor, y: enigma.Tensor):
        (m,), (n,) = x.shape, y.shape

        @enigma.kernel
        def body():
            x[0], x[1], x[2] = m - n, m - 3, 5 - 2 * n

        body().launch(grid=1, block=1)

    X, Y = Tensor("X", 0, "uint", ((M,), (1,))), Tensor("Y", 1, "uint", ((N,), (1,)))
    compiled = enigma.compile(taken, X, Y)
    x, y = np.zeros(9, np.uint32), np.zeros(7, np.uint32)
    compiled(x, y)
    assert x[:3].tolist() == [2, 6, (5 - 14) % 2**32]
    for text in ("M - N;", "M - 3u;", "5u - 2u * N;"):
        assert text in compiled.metal_source


def test_modes_that_are_known_and_strides_of_their_own():
    """A matrix of vectors of 3, to three matrices of columns that lie a pitch apart."""
    pitch = sym_int("P", divisibility=4)

    @enigma.jit
    def copied(mX: enigma.Tensor, mY: enigma.Tensor):
        gX, gY = (enigma.tensor_zipped_divide(t, (8, 4, None)) for t in (mX, mY))

        @enigma.kernel
        def body(x, y):
            i = enigma.thread_position_in_threadgroup()
            j, k = enigma.threadgroup_position_in_grid(), enigma.threadgroup_position_in_grid("y")
            tile = ((i, None, 0), (j, k, None))
            y[tile].store(x[tile].load())

        rows, columns, _ = gX.shape[1]
        body(gX, gY).launch(grid=(rows * 8, columns), block=8)

    compiled = enigma.compile(
        copied,
        Tensor("X", 0, "float", ((M, N, 3), (3 * N, 3, 1))),
        Tensor("Y", 1, "float", ((M, N, 3), (1, pitch, pitch * N)), 2),
    )
    x = random(9, 5, 3)
    y = np.zeros(2 + 12 * 15, np.float32)
    compiled(x, y, scalars={"P": 12})
    assert np.array_equal(y[2:].reshape(3, 5, 12)[:, :, :9].transpose(2, 1, 0), x)
    assert not y[2:].reshape(3, 5, 12)[:, :, 9:].any()


def test_runtimes_and_sizes_by_name(added):
    rt = enigma.default_runtime()
    a, b = random(17, 33), random(17, 33)
    sizes = {"M": 17, "N": 33}
    want = (a + b).tobytes()
    assert rt.execute(added, [a, b], output_size=a.nbytes) == want
    assert rt.execute(added, [a.ravel(), b.ravel()], a.nbytes, scalars=sizes) == want
    c = np.zeros(a.size, np.float32)
    added(a.ravel(), b.ravel(), c, scalars=sizes)
    assert c.tobytes() == want
    with rt.prepare(added, [a, b], output_size=a.nbytes) as prepared:
        prepared.dispatch()
        assert prepared.read_output() == want
        prepared.set_input("A", b)
        rt.dispatch_batch([(prepared, added.grid, added.block)])
        assert prepared.read_output() == (b + b).tobytes()
        with pytest.raises(enigma.EnigmaError, match=r"\(5, 33\) where the tensor's is \(17, 33\)"):
            prepared.set_input("A", random(5, 33))
        with pytest.raises(enigma.EnigmaError, match="it is a size of the arrays"):
            prepared.set_input("M", 5)


def test_rows_may_be_longer_than_what_is_used_of_them():
    compiled = enigma.compile(doubled, Tensor("X", 0, "float", ((N,), (2,)), 1))
    x = random(70)
    want = np.where(np.isin(np.arange(70), np.arange(1, 67, 2)), 2 * x, x)
    compiled(x, scalars={"N": 33})
    assert np.array_equal(x, want)
    with pytest.raises(enigma.EnigmaError, match="with the shape \\(36,\\) its layout reaches 72"):
        compiled(x, scalars={"N": 36})
    with pytest.raises(enigma.EnigmaError, match="the size N is not known"):
        compiled(x)


@enigma.jit
def doubled(mX: enigma.Tensor):
    gX = enigma.tensor_zipped_divide(mX, (32,))

    @enigma.kernel
    def body(x):
        i = enigma.thread_position_in_threadgroup()
        x[i,] = 2.0 * x[i,]

    body.launch(block=32)


@enigma.jit
def counted(mX: enigma.Tensor, mY: enigma.Tensor, mZ: enigma.Tensor):
    gX, gY = (enigma.tensor_zipped_divide(t, (3, 5)) for t in (mX, mY))
    # Tiles of 2 x 2 tiles.
    hX, hY = (enigma.tensor_zipped_divide(g, (None, (2, 2))) for g in (gX, gY))

    @enigma.kernel
    def by_number():
        i = enigma.thread_position_in_grid
        mZ[i] = mX[i]

    @enigma.kernel
    def by_tiles(x, y):
        place = ((0, None), (None, enigma.threadgroup_position_in_grid()))
        y[place].store(x[place].load())

    @enigma.kernel
    def by_copy():
        enigma.copy(mX, mZ, 8, 4, 4, coalesced_width=4)

    by_number().launch(grid=mX.size(), block=32)
    by_tiles(hX, hY).launch(grid=hX.size(1), block=1)
    by_copy().launch(grid=1, block=1)


def test_numbers_count_through_sizes():
    compiled = enigma.compile(counted, *tensors("XYZ"))
    for m, n in ((5, 7), (40, 33), (1, 1)):
        x, y, z = random(m, n), np.zeros((m, n), np.float32), np.zeros((m, n), np.float32)
        compiled(x, y, z)
        assert np.array_equal(x, y)
        assert np.array_equal(x, z)


def test_terms():
    size = -(-M // 16) * (N + 3) * 2 - 1
    assert str(size) == "2*(N + 3)*ceil_div(M, 16) - 1"
    assert size.at({"M": 17, "N": 4}) == 27
    assert (str(M * 0), 4 * N // 2) == ("0", 2 * N)
    texts = [3 * (M // 16), M // 16 * (N // 2) * 4, (M + N) // 4, M - 3 * (N - 1), 2 - M, -(M + N)]
    for term in texts:
        assert term.at({"M": 37, "N": 12}) == eval(str(term), {"M": 37, "N": 12})
    assert str(texts[:4]) == "[3*(M//16), 4*(M//16)*(N//2), (M + N)//4, M - 3*(N - 1)]"
    assert M * N * 2 == 2 * (N * M) != 3 * M
    assert enigma.tuple.ceil_div(M * 2, 16) == -(-M // 8)
    assert (8 * N) // 3 != 2 * N and (N * 6) // 3 == 2 * N and len({M, sym_int("M"), N}) == 2
