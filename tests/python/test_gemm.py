"""gemm on tiles in device and threadgroup memory and in registers, for every size up to 33."""

import itertools

import ml_dtypes
import numpy as np
import pytest

import enigma

NUMPY = {
    "float": np.float32,
    "half": np.float16,
    "bfloat": ml_dtypes.bfloat16,
    "int": np.int32,
    "char": np.int8,
}
ULP = {"float": 2.0**-23, "half": 2.0**-10, "bfloat": 2.0**-7}
TRANSPOSES = list(itertools.product((False, True), repeat=2))

# Every size of each of M, N and K, and all triples of those around the sides of the matrices.
EDGES = (1, 8, 9, 33)
SIZES = sorted(
    {(m, m * 7 % 33 + 1, m * 13 % 33 + 1) for m in range(1, 34)}
    | set(itertools.product(EDGES, repeat=3))
)
FEW = [(1, 1, 1), (8, 8, 8), (16, 32, 24), (7, 33, 9), (33, 33, 33), (24, 9, 17), (40, 72, 8)]


def numbers(shape, dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype in ("int", "char"):
        return rng.integers(-100, 100, shape).astype(NUMPY[dtype])
    return rng.uniform(-1, 1, shape).astype(NUMPY[dtype])


def run(
    sizes: tuple[int, int, int],
    transposes: tuple[bool, bool] = (False, False),
    types: tuple[str, str, str] = ("float", "float", "float"),
    accumulate: str = "float",
    use_simdgroup: bool | None = None,
    threads: int | tuple[int, ...] = 64,
) -> None:
    """C += A @ B in device memory, by one threadgroup, against float64."""
    m, n, k = sizes
    turn_a, turn_b = transposes
    left, right, total = types

    @enigma.kernel
    def product(A: left, B: right, C: total):
        enigma.gemm(
            A,
            B,
            C,
            M=m,
            N=n,
            K=k,
            transpose_A=turn_a,
            transpose_B=turn_b,
            accum_dtype=accumulate,
            use_simdgroup=use_simdgroup,
        )

    a, b, c = numbers((m, k), left, 1), numbers((k, n), right, 2), numbers((m, n), total, 3)
    want = c.astype(np.float64) + a.astype(np.float64) @ b.astype(np.float64)
    stored = (a.T if turn_a else a).ravel(), (b.T if turn_b else b).ravel()
    enigma.compile(product)(*stored, c.ravel(), grid=threads, threads=threads)
    assert_close(c, want, total, accumulate, k)


def assert_close(got: np.ndarray, want: np.ndarray, total: str, accumulate: str, k: int) -> None:
    if total not in ULP:
        np.testing.assert_array_equal(got, want)
        return
    size = max(1.0, np.abs(want).max())
    bound = size * (ULP[total] + (k + 1) * ULP[accumulate])
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=0, atol=bound)


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_simdgroup", [None, False])
def test_sizes(use_simdgroup: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENIGMA_DEVICE", "cpu")
    for number, sizes in enumerate(SIZES):
        run(sizes, TRANSPOSES[number % 4], use_simdgroup=use_simdgroup)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("transposes", TRANSPOSES)
def test_transposes(transposes: tuple[bool, bool]) -> None:
    for sizes in FEW:
        run(sizes, transposes)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("threads", [32, 256, (8, 4, 3)])
def test_threadgroups(threads: int | tuple[int, ...]) -> None:
    for sizes in [(33, 40, 9), (8, 8, 8), (64, 64, 16)]:
        run(sizes, threads=threads)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("threads", [1, 5, 48, (3, 2, 2)])
def test_partial_simdgroups(threads: int | tuple[int, ...]) -> None:
    """Without matrices any number of threads will do, and small sizes have none to begin with."""
    run((9, 17, 8), use_simdgroup=False, threads=threads)
    run((7, 17, 8), threads=threads)


# ---- types ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("types", "accumulate"),
    [
        (("half", "half", "float"), "float"),
        (("bfloat", "bfloat", "float"), "float"),
        (("half", "float", "float"), "float"),
        (("half", "half", "half"), "half"),
        (("half", "half", "half"), "float"),
        (("bfloat", "bfloat", "bfloat"), "float"),
        (("half", "bfloat", "float"), "float"),
        (("char", "char", "int"), "int"),
        (("char", "float", "float"), "float"),
    ],
    ids=str,
)
def test_types(types: tuple[str, str, str], accumulate: str) -> None:
    for sizes in [(9, 17, 10), (16, 8, 24), (24, 40, 33)]:
        run(sizes, (True, False), types, accumulate)


def test_matrices_are_used_where_they_can_be() -> None:
    def text(total="float", **more) -> str:
        @enigma.kernel
        def product(A: enigma.f16, B: enigma.f16, C: total):
            enigma.gemm(A, B, C, **{"M": 16, "N": 16, "K": 16, **more})

        return enigma.compile(product).metal_source

    assert "simdgroup_multiply_accumulate" in text()
    assert "simdgroup_multiply_accumulate" in text(use_simdgroup=True, M=17)
    assert "simdgroup_multiply_accumulate" in text("half", use_simdgroup=True)
    assert "simdgroup_multiply_accumulate" in text("bfloat", use_simdgroup=True)
    assert "simdgroup_" not in text("int")
    assert "simdgroup_" not in text(use_simdgroup=False)
    assert "simdgroup_" not in text(N=7)


# ---- tiles ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("use_simdgroup", [None, False])
def test_padded_tiles_in_threadgroup_memory(use_simdgroup: bool | None) -> None:
    """Tiles are corners of memory with two dimensions; what is beside them stays."""
    m, n, k = 17, 24, 12

    @enigma.kernel
    def product(A: enigma.f32, B: enigma.f32, C: enigma.f32):
        lid = enigma.thread_position_in_threadgroup()
        a = enigma.threadgroup_alloc("float", (k, m + 4))
        b = enigma.threadgroup_alloc("float", (k + 1, n + 1))
        c = enigma.threadgroup_alloc("float", (m, n + 3))
        with enigma.for_range(lid, m * k, 64, dtype="uint") as i:
            a[i % k, i // k] = A[i]
        with enigma.for_range(lid, n * k, 64, dtype="uint") as i:
            b[i // n, i % n] = B[i]
        with enigma.for_range(lid, m * (n + 3), 64, dtype="uint") as i:
            c[i // (n + 3), i % (n + 3)] = 1.0
        enigma.barrier()
        enigma.gemm(a, b, c, M=m, N=n, K=k, transpose_A=True, use_simdgroup=use_simdgroup)
        enigma.gemm(a, b, c, M=m, N=n, K=k, transpose_A=True, use_simdgroup=use_simdgroup)
        enigma.barrier()
        with enigma.for_range(lid, m * (n + 3), 64, dtype="uint") as i:
            C[i] = c[i // (n + 3), i % (n + 3)]

    a, b = numbers((m, k), "float", 1), numbers((k, n), "float", 2)
    c = np.zeros((m, n + 3), np.float32)
    enigma.compile(product)(a.ravel(), b.ravel(), c.ravel(), grid=64, threads=64)
    assert_close(c[:, :n], 1 + 2 * (a.astype(np.float64) @ b), "float", "float", 2 * k)
    np.testing.assert_array_equal(c[:, n:], 1)


@pytest.mark.usefixtures("device")
def test_tiles_of_tensors() -> None:
    """Tiles of a jit function's tensors, where they lie, and padded ones in threadgroup memory."""

    @enigma.jit
    def product(A: enigma.Tensor, B: enigma.Tensor, C: enigma.Tensor):
        tiles_a, tiles_c = enigma.tensor_zipped_divide(A, (16, 24)), C[None, None]

        @enigma.kernel
        def body():
            group = enigma.threadgroup_position_in_grid("x")
            c = enigma.threadgroup_alloc("float", enigma.Layout((16, 24), (28, 1)))
            enigma.copy(tiles_c, c, 16 * 24, cooperative=True)
            enigma.barrier()
            enigma.gemm(tiles_a[None, (group, 1)], B, c, M=16, N=24, K=24)
            first = enigma.simdgroup_matrix_load(c, 28, offset=(8, 16))
            enigma.barrier()
            enigma.simdgroup_matrix_store(first, c, 28, offset=(8, 8))
            enigma.barrier()
            enigma.copy(c, tiles_c, 16 * 24, cooperative=True)

        body().launch(grid=32, block=32)

    tensors = [
        enigma.Tensor(name, k, "float", enigma.Layout(shape, (shape[1], 1)))
        for k, (name, shape) in enumerate(zip("ABC", [(16, 48), (24, 24), (16, 24)], strict=True))
    ]
    a, b = numbers((16, 48), "float", 1), numbers((24, 24), "float", 2)
    c = numbers((16, 24), "float", 3)
    want = c + a[:, 24:].astype(np.float64) @ b
    want[8:, 8:16] = want[8:, 16:]
    enigma.compile(product, *tensors)(a, b, c)
    assert_close(c, want, "float", "float", 24)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("tiles", [1, 2, 5])
def test_pipelined_tiles(tiles: int) -> None:
    m, n, k = 16, 24, 8

    @enigma.kernel
    def product(A: enigma.f32, B: enigma.f32, C: enigma.f32, tiles: enigma.Scalar(enigma.i32)):
        a = enigma.pipeline("float", (m, k), stages=2)
        b = enigma.pipeline("float", (k, n), stages=2)

        def fetch(t):
            enigma.copy(A, a.back(), m * k, src_offset=t * (m * k), cooperative=True)
            enigma.copy(B, b.back(), k * n, src_offset=t * (k * n), cooperative=True)

        fetch(0)
        with enigma.for_range(0, tiles) as t:
            a.advance()
            b.advance()
            enigma.barrier()
            with enigma.if_(t + 1 < tiles):
                fetch(t + 1)
            enigma.gemm(a.front(), b.front(), C, M=m, N=n, K=k)

    a, b = numbers((tiles, m, k), "float", 1), numbers((tiles, k, n), "float", 2)
    c = np.zeros((m, n), np.float32)
    enigma.compile(product)(a.ravel(), b.ravel(), c.ravel(), tiles, grid=96, threads=96)
    want = sum(x.astype(np.float64) @ y for x, y in zip(a, b, strict=True))
    assert_close(c, want, "float", "float", tiles * k)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("transposes", TRANSPOSES)
@pytest.mark.parametrize(
    ("sizes", "dtype"), [((1, 1, 1), "float"), ((3, 5, 9), "float"), ((4, 4, 33), "half")]
)
def test_registers(sizes: tuple[int, int, int], dtype: str, transposes: tuple[bool, bool]) -> None:
    m, n, k = sizes
    turn_a, turn_b = transposes

    @enigma.kernel
    def product(A: dtype, B: dtype, C: dtype):
        sums = enigma.register_tensor((m, n), dtype=dtype, fill=0.5)
        for _ in range(2):
            enigma.gemm(A, B, sums, M=m, N=n, K=k, transpose_A=turn_a, transpose_B=turn_b)
        tid = enigma.thread_position_in_grid
        for i in range(m):
            for j in range(n):
                C[tid * (m * n) + i * n + j] = sums[i, j]

    a, b = numbers((m, k), dtype, 1), numbers((k, n), dtype, 2)
    c = np.zeros((40, m, n), NUMPY[dtype])
    stored = (a.T if turn_a else a).ravel(), (b.T if turn_b else b).ravel()
    enigma.compile(product)(*stored, c.ravel(), grid=40, threads=20)
    want = 0.5 + 2 * (a.astype(np.float64) @ b.astype(np.float64))
    for one in c:
        assert_close(one, want, dtype, dtype, 2)


# ---- refused -------------------------------------------------------------------------------------

MISTAKES = {
    "zero": (
        {"K": 0},
        "gemm: M, N and K must be at least 1; they are 16, 16 and 0",
    ),
    "traced": (
        {"M": "tid"},
        "gemm: M is an int that is known while tracing, not <IRValue tid: u32 in kernel 'product'> "
        "(IRValue)",
    ),
    "flag": (
        {"transpose_B": 1},
        "gemm: transpose_B must be True or False, but is 1",
    ),
    "small": (
        {"N": 7, "use_simdgroup": True},
        "gemm: use_simdgroup=True needs M, N and K of at least 8; they are 16, 7 and 16",
    ),
    "type": (
        {"accum_dtype": "half", "use_simdgroup": True},
        "gemm: use_simdgroup=True needs float, half or bfloat tiles of one type, accumulated in it "
        "or in float; A is float, B is float and accum_dtype is half",
    ),
    "sum": (
        {"C": "I", "use_simdgroup": True},
        "gemm: use_simdgroup=True needs C of a float type; C is int and accum_dtype is float",
    ),
    "room": (
        {"C": "H", "use_simdgroup": True, "M": 64, "N": 64},
        "gemm: use_simdgroup=True needs 2048 bytes of threadgroup memory, to convert sums of float "
        "to the half of C; 1968 are left",
    ),
    "tile": (
        {"A": "tile", "transpose_A": True, "K": 17},
        "gemm: A has 17 x 16 elements, and tile has 16 x 20",
    ),
    "padding": (
        {"A": "padded", "K": 17},
        "gemm: A has 16 x 17 elements, and padded has 16 x 16",
    ),
    "columns": (
        {"B": "columns"},
        "gemm: 'columns' has the layout (16,16):(1,16), and rows of elements side by side are "
        "needed, all there, as in (8,16):(20,1)",
    ),
    "registers": (
        {"C": "sums", "use_simdgroup": True},
        "gemm: use_simdgroup=True needs C in device or threadgroup memory; a register tensor is "
        "one thread's own",
    ),
    "shape": (
        {"C": "sums"},
        "gemm: C has M x N = 16 x 16 elements, and is sums: 4 x 4 x f32",
    ),
    "memory": (
        {"B": "sums"},
        "gemm: expected a buffer or threadgroup memory, but got <RegisterTensor sums: 4 x 4 x "
        "f32> (RegisterTensor)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused(mistake: str) -> None:
    changes, expected = MISTAKES[mistake]

    @enigma.kernel
    def product(X: enigma.f32, H: enigma.f16, I: enigma.i32):
        tid = enigma.thread_position_in_grid
        tile = enigma.threadgroup_alloc("float", (16, 20))
        enigma.threadgroup_alloc("uchar", 32768 - 1280 - 1024 - 1264 - 1968)
        columns = enigma.threadgroup_alloc("float", enigma.Layout((16, 16)))
        padded = enigma.threadgroup_alloc("float", enigma.Layout((16, 16), (20, 1)))
        sums = enigma.register_tensor((4, 4))
        names = {"tid": tid, "tile": tile, "columns": columns, "padded": padded, "sums": sums}
        names.update({"X": X, "H": H, "I": I})
        given = {"A": "X", "B": "X", "C": "X", "M": 16, "N": 16, "K": 16, **changes}
        enigma.gemm(**{k: names.get(v, v) if isinstance(v, str) else v for k, v in given.items()})

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(product)
    assert caught.value.message == expected
