"""SIMD-group matrices: loaded, multiplied, carried, stored."""

import ml_dtypes
import numpy as np
import pytest

import enigma

NUMPY = {"float": np.float32, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
# left and right factor, sum
PRODUCTS = [
    ("float", "float", "float"),
    ("half", "half", "half"),
    ("bfloat", "bfloat", "bfloat"),
    ("half", "half", "float"),
    ("half", "float", "float"),
    ("bfloat", "bfloat", "float"),
]
ULP = {"float": 2.0**-23, "half": 2.0**-10, "bfloat": 2.0**-7}


def numbers(shape, dtype: str, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(NUMPY[dtype])


def wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def assert_close(got: np.ndarray, want: np.ndarray, dtype: str, terms: int = 8) -> None:
    bound = terms * ULP[dtype] * max(1.0, np.abs(want).max())
    np.testing.assert_allclose(wide(got), want, rtol=0, atol=bound)


# ---- one product ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("transposes", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("types", PRODUCTS, ids="-".join)
def test_product(types: tuple[str, str, str], transposes: tuple[bool, bool]) -> None:
    left, right, total = types
    turn_a, turn_b = transposes

    @enigma.kernel
    def mm(A: left, B: right, C: total, Out: total):
        a = enigma.simdgroup_matrix_load(A, 11, elem=left, offset=3, transpose=turn_a)
        b = enigma.simdgroup_matrix_load(B, 8, elem=right, transpose=turn_b)
        c = enigma.simdgroup_matrix_load(C, 16, elem=total, offset=8)
        d = enigma.simdgroup_multiply_accumulate(a, b, c)
        enigma.simdgroup_matrix_store(d, Out, 9, offset=1)

    a, b, c = numbers((8, 11), left, 1), numbers((8, 8), right, 2), numbers((8, 16), total, 3)
    out = np.zeros((8, 9), NUMPY[total])
    enigma.compile(mm)(a.ravel(), b.ravel(), c.ravel(), out.ravel(), grid=32, threads=32)
    x, y = wide(a)[:, 3:], wide(b)
    want = (x.T if turn_a else x) @ (y.T if turn_b else y) + wide(c)[:, 8:]
    assert_close(out[:, 1:], want, total)
    assert not out[:, 0].any()


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", NUMPY)
def test_memory_keeps_its_elements(dtype: str) -> None:
    """Through threadgroup memory of a shape, transposed on the way there and on the way back."""

    @enigma.kernel
    def turn(X: dtype, Turned: dtype, Same: dtype):
        tile = enigma.threadgroup_alloc(dtype, (10, 12))
        x = enigma.simdgroup_matrix_load(X, 8, elem=dtype)
        enigma.simdgroup_matrix_store(x, tile, 12, offset=(2, 4), transpose=True)
        enigma.barrier()
        turned = enigma.simdgroup_matrix_load(tile, 12, elem=dtype, offset=(2, 4))
        same = enigma.simdgroup_matrix_load(tile, 12, elem=dtype, offset=(2, 4), transpose=True)
        enigma.simdgroup_matrix_store(turned, Turned, 8)
        enigma.simdgroup_matrix_store(same, Same, 8)

    x = numbers((8, 8), dtype, 5)
    turned, same = np.empty_like(x), np.empty_like(x)
    enigma.compile(turn)(x.ravel(), turned.ravel(), same.ravel(), grid=32, threads=32)
    np.testing.assert_array_equal(wide(turned), wide(x).T)
    np.testing.assert_array_equal(wide(same), wide(x))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", NUMPY)
def test_filled(dtype: str) -> None:
    @enigma.kernel
    def fill(Out: dtype, x: enigma.Scalar(dtype)):
        enigma.simdgroup_matrix_store(enigma.make_filled_simdgroup_matrix(x, dtype), Out, 8)
        three = enigma.make_filled_simdgroup_matrix(3, elem=dtype)
        enigma.simdgroup_matrix_store(three, Out, 8, offset=64)

    out = np.zeros(128, NUMPY[dtype])
    enigma.compile(fill)(out, NUMPY[dtype](0.1), grid=32, threads=32)
    np.testing.assert_array_equal(wide(out), np.repeat([wide(NUMPY[dtype](0.1)), 3.0], 64))


@pytest.mark.usefixtures("device")
def test_infinities_and_nan_spread_as_in_numpy() -> None:
    @enigma.kernel
    def mm(A: enigma.f32, B: enigma.f32, Out: enigma.f32):
        a = enigma.simdgroup_matrix_load(A, 8)
        b = enigma.simdgroup_matrix_load(B, 8)
        zero = enigma.make_filled_simdgroup_matrix(0.0)
        enigma.simdgroup_matrix_store(enigma.simdgroup_multiply_accumulate(a, b, zero), Out, 8)

    a, b = np.eye(8, dtype=np.float32), numbers((8, 8), "float", 7)
    a[2, 5], b[3, 1] = np.inf, np.nan
    out = np.empty((8, 8), np.float32)
    enigma.compile(mm)(a.ravel(), b.ravel(), out.ravel(), grid=32, threads=32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(out, a @ b, rtol=1e-6)


# ---- carried values ------------------------------------------------------------------------------


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("transposes", [(False, False), (True, True)])
@pytest.mark.parametrize("types", [PRODUCTS[0], PRODUCTS[3], PRODUCTS[5]], ids="-".join)
def test_tiles_of_several_simdgroups(
    types: tuple[str, str, str], transposes: tuple[bool, bool]
) -> None:
    """2 x 2 SIMD-groups with 3 x 5 matrices each, which share what they load, over a traced K."""
    left, right, total = types
    turn_a, turn_b = transposes
    rows, cols, depth = 48, 80, 24

    @enigma.kernel
    def mm(A: left, B: right, C: total, K: enigma.Scalar(enigma.i32)):
        simd = enigma.simdgroup_index_in_threadgroup()
        row, col = simd / 2 * 24, simd % 2 * 40
        zero = enigma.make_filled_simdgroup_matrix(0.0, total)
        sums = [[zero] * 5 for _ in range(3)]
        with enigma.for_range(0, K, 8, init=[s for line in sums for s in line]) as (k, c):
            a, b = [], []
            for i in range(3):
                at = k * rows + row + i * 8 if turn_a else (row + i * 8) * K + k
                pitch = rows if turn_a else K
                a += [enigma.simdgroup_matrix_load(A, pitch, left, offset=at, transpose=turn_a)]
            for j in range(5):
                at = (col + j * 8) * K + k if turn_b else k * cols + col + j * 8
                pitch = K if turn_b else cols
                b += [enigma.simdgroup_matrix_load(B, pitch, right, offset=at, transpose=turn_b)]
            for i in range(3):
                for j in range(5):
                    n = i * 5 + j
                    c[n] = enigma.simdgroup_multiply_accumulate(a[i], b[j], c[n])
        for i in range(3):
            for j in range(5):
                at = (row + i * 8) * cols + col + j * 8
                enigma.simdgroup_matrix_store(c[i * 5 + j], C, cols, offset=at)

    a, b = numbers((rows, depth), left, 1), numbers((depth, cols), right, 2)
    c = np.empty((rows, cols), NUMPY[total])
    left_right = [(x.T if t else x).ravel() for x, t in zip((a, b), transposes, strict=True)]
    enigma.compile(mm)(*left_right, c.ravel(), depth, grid=128, threads=128)
    assert_close(c, wide(a) @ wide(b), total, terms=depth)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("turns", [0, 1, 2, 5])
def test_carried_across_barriers(turns: int) -> None:
    """Sums live in registers while threadgroup memory is filled again and again."""

    @enigma.kernel
    def powers(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
        lid = enigma.thread_position_in_threadgroup()
        simd = enigma.simdgroup_index_in_threadgroup()
        tile = enigma.threadgroup_alloc("float", 128)
        power = enigma.simdgroup_matrix_load(X, 8, offset=simd * 64)
        total = power
        with enigma.for_range(0, n):
            enigma.simdgroup_matrix_store(power, tile, 8, offset=simd * 64)
            enigma.barrier()
            tile[lid] = tile[lid] * 0.5
            tile[lid + 64] = tile[lid + 64] * 0.5
            enigma.barrier()
            half = enigma.simdgroup_matrix_load(tile, 8, offset=simd * 64)
            x = enigma.simdgroup_matrix_load(X, 8, offset=simd * 64)
            zero = enigma.make_filled_simdgroup_matrix(0)
            power = enigma.simdgroup_multiply_accumulate(half, x, zero)
            total = enigma.simdgroup_multiply_accumulate(half, x, total)
            enigma.barrier()
        enigma.simdgroup_matrix_store(total, Out, 8, offset=simd * 64)

    x = numbers((2, 8, 8), "float", 3)
    out = np.empty_like(x)
    enigma.compile(powers)(x.ravel(), out.ravel(), turns, grid=64, threads=64)
    for one, got in zip(wide(x), out, strict=True):
        want, power = one, one
        for _ in range(turns):
            power = power / 2 @ one
            want = want + power
        assert_close(got, want, "float", terms=20)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_squared_and_swapped(n: int) -> None:
    """A matrix that becomes its own square, two that change places, and one that may."""

    @enigma.kernel
    def squares(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
        zero = enigma.make_filled_simdgroup_matrix(0.0)
        x = enigma.simdgroup_matrix_load(X, 8)
        y = enigma.simdgroup_matrix_load(X, 8, offset=64)
        z = zero
        with enigma.for_range(0, n) as i:
            x = enigma.simdgroup_multiply_accumulate(x, x, x)
            x, y = y, x
            with enigma.if_(i == 2):
                z = enigma.simdgroup_multiply_accumulate(x, y, z)
        k = n
        with enigma.while_(lambda: k > 2):
            z = enigma.simdgroup_multiply_accumulate(z, y, x)
            k = k - 1
        enigma.simdgroup_matrix_store(x, Out, 8)
        enigma.simdgroup_matrix_store(y, Out, 8, offset=64)
        enigma.simdgroup_matrix_store(z, Out, 8, offset=128)

    data = numbers((2, 8, 8), "float", 9) * np.float32(0.3)
    out = np.empty((3, 8, 8), np.float32)
    enigma.compile(squares)(data.ravel(), out.ravel(), n, grid=32, threads=32)
    x, y = wide(data)
    z = np.zeros((8, 8))
    for i in range(n):
        x = x @ x + x
        x, y = y, x
        if i == 2:
            z = x @ y + z
    for _ in range(2, n):
        z = z @ y + x
    for got, want in zip(out, (x, y, z), strict=True):
        assert_close(got, want, "float", terms=40)


@pytest.mark.usefixtures("device")
def test_stores_and_loads_keep_their_order() -> None:
    """A product that waits for others sees what memory held when its factors were loaded."""

    @enigma.kernel
    def order(X: enigma.f32, Out: enigma.f32):
        lane = enigma.thread_index_in_simdgroup()
        tile = enigma.threadgroup_alloc("float", 64)
        x = enigma.simdgroup_matrix_load(X, 8)
        zero = enigma.make_filled_simdgroup_matrix(0.0)
        enigma.simdgroup_matrix_store(x, tile, 8)
        enigma.simd_barrier()
        before = enigma.simdgroup_matrix_load(tile, 8)
        first = enigma.simdgroup_multiply_accumulate(x, before, zero)
        enigma.simd_barrier()
        tile[lane] = 1.0
        tile[lane + 32] = 1.0
        enigma.simd_barrier()
        after = enigma.simdgroup_matrix_load(tile, 8)
        second = enigma.simdgroup_multiply_accumulate(x, after, zero)
        third = enigma.simdgroup_multiply_accumulate(x, first, second)
        late = enigma.simdgroup_multiply_accumulate(before, x, zero)
        enigma.simdgroup_matrix_store(late, Out, 8, offset=192)
        enigma.simdgroup_matrix_store(first, Out, 8)
        enigma.simdgroup_matrix_store(second, Out, 8, offset=64)
        enigma.simdgroup_matrix_store(third, Out, 8, offset=128)

    x = numbers((8, 8), "float", 4)
    out = np.empty((4, 8, 8), np.float32)
    enigma.compile(order)(x.ravel(), out.ravel(), grid=32, threads=32)
    first = wide(x) @ wide(x)
    second = wide(x) @ np.ones((8, 8))
    wanted = (first, second, wide(x) @ first + second, first)
    for got, want in zip(out, wanted, strict=True):
        assert_close(got, want, "float", terms=20)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("barrier", [False, True])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_sums_that_change_places(n: int, barrier: bool) -> None:
    """Of six sums of one factor two change places in each turn and two begin as the same matrix."""

    @enigma.kernel
    def mm(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
        one = enigma.make_filled_simdgroup_matrix(1.0)
        sums = [one, one] + [enigma.make_filled_simdgroup_matrix(k) for k in range(4)]
        with enigma.for_range(0, n) as i:
            x = enigma.simdgroup_matrix_load(X, 8, offset=i * 64)
            y = enigma.simdgroup_matrix_load(X, 8, offset=i * 64, transpose=True)
            sums = [enigma.simdgroup_multiply_accumulate(x, y, s) for s in sums]
            sums[2], sums[5] = sums[5], sums[2]
            if barrier:
                enigma.barrier()
        for k, s in enumerate(sums):
            enigma.simdgroup_matrix_store(s, Out, 8, offset=k * 64)

    x = numbers((4, 8, 8), "float", 6)
    out = np.empty((6, 8, 8), np.float32)
    enigma.compile(mm)(x.ravel(), out.ravel(), n, grid=32, threads=32)
    total = sum((wide(m) @ wide(m).T for m in x[:n]), np.zeros((8, 8)))
    starts = [1, 1, 3, 1, 2, 0] if n % 2 else [1, 1, 0, 1, 2, 3]
    for got, start in zip(out, starts, strict=True):
        assert_close(got, total + start, "float", terms=40)


# ---- text ----------------------------------------------------------------------------------------


def statements(kernel: enigma.KernelDef) -> list[str]:
    """The lines of its body in the MSL, without comments."""
    text = enigma.compile(kernel).metal_source
    lines = [line.split("//")[0].strip() for line in text.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.endswith("{")) + 1
    return [line for line in lines[start:-1] if line]


def test_msl_reads_as_by_hand() -> None:
    @enigma.kernel
    def mm(A: enigma.f16, B: enigma.f16, C: enigma.f32, K: enigma.Scalar(enigma.u32)):
        acc = enigma.make_filled_simdgroup_matrix(0.0)
        with enigma.for_range(0, K, 8, dtype="uint") as k:
            a = enigma.simdgroup_matrix_load(A, K, "half", offset=k)
            b = enigma.simdgroup_matrix_load(B, K, "half", offset=k, transpose=True)
            acc = enigma.simdgroup_multiply_accumulate(a, b, acc)
        enigma.simdgroup_matrix_store(acc, C, 8)

    assert statements(mm) == [
        "simdgroup_float8x8 acc = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);",
        "for (uint k = 0u; k < K; k += 8u) {",
        "simdgroup_half8x8 a;",
        "simdgroup_load(a, A + k, K);",
        "simdgroup_half8x8 b;",
        "simdgroup_load(b, B + k, K, 0, true);",
        "simdgroup_multiply_accumulate(acc, a, b, acc);",
        "}",
        "simdgroup_store(acc, C, 8);",
    ]


def test_sums_stay_in_the_matrix_that_they_began_in() -> None:
    @enigma.kernel
    def chain(A: enigma.f32, Out: enigma.f32):
        a = enigma.simdgroup_matrix_load(A, 8)
        zero = enigma.make_filled_simdgroup_matrix(0.0)
        square = enigma.simdgroup_multiply_accumulate(a, a, zero)  # zero is wanted again
        square = enigma.simdgroup_multiply_accumulate(a, square, square)  # square is a factor
        square = enigma.simdgroup_multiply_accumulate(a, a, square)
        last = enigma.simdgroup_multiply_accumulate(a, square, zero)
        enigma.simdgroup_matrix_store(last, Out, 8)

    products = [line for line in statements(chain) if "multiply" in line]
    assert products == [
        "simdgroup_multiply_accumulate(square, a, a, zero);",
        "simdgroup_multiply_accumulate(product, a, square, square);",
        "simdgroup_multiply_accumulate(square, a, a, square);",
        "simdgroup_multiply_accumulate(last, a, square, zero);",
    ]
    a = np.arange(64, dtype=np.float32).reshape(8, 8) / 64
    out = np.zeros_like(a)
    enigma.compile(chain)(a, out, grid=32, threads=32)
    square = a @ a
    square = a @ square + square
    assert np.allclose(out, a @ (a @ a + square), rtol=1e-5)
