"""Matrices against numpy: products of all shapes, sums, transposes, determinants, in regions."""

import numpy as np
import pytest
from reference import NUMPY

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZES = (2, 3, 4)
TYPES = ("f32", "f16")
N = 96


def matrices(dtype: str, rows: int, cols: int, seed: int = 0) -> np.ndarray:
    """N matrices whose sums are exact in float, but do not fit a half."""
    rng = np.random.default_rng(seed + 10 * rows + cols)
    return (rng.integers(-60, 61, (N, rows, cols)) / 8).astype(NUMPY[dtype])


def flat(m: np.ndarray) -> np.ndarray:
    """As a kernel reads it here: column by column."""
    return np.ascontiguousarray(m.swapaxes(-1, -2)).ravel()


def read(buffer, i, rows: int, cols: int):
    """The matrix, or for one column the vector, of thread i."""
    columns = [
        enigma.make_vec(*(buffer[(i * cols + c) * rows + r] for r in range(rows)))
        for c in range(cols)
    ]
    return columns[0] if cols == 1 else enigma.make_matrix(*columns)


def write(buffer, i, value, rows: int, cols: int) -> None:
    for c in range(cols):
        column = value if cols == 1 else value[c]
        for r in range(rows):
            buffer[(i * cols + c) * rows + r] = column[r]


def unflat(out: np.ndarray, rows: int, cols: int) -> np.ndarray:
    return out.reshape(N, cols, rows).swapaxes(-1, -2)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("inner", SIZES)
def test_products(inner: int, rows: int, dtype: str) -> None:
    @enigma.kernel
    def kernel(A: dtype, B: dtype, V: dtype, W: dtype, AB: dtype, AV: dtype, WA: dtype):
        i = enigma.thread_position_in_grid
        a = read(A, i, rows, inner)
        for cols in SIZES:
            start = sum(inner * c for c in SIZES if c < cols) * N
            there = sum(rows * c for c in SIZES if c < cols) * N
            b = read(Shifted(B, start), i, inner, cols)
            write(Shifted(AB, there), i, a @ b, rows, cols)
        write(AV, i, enigma.matmul(a, read(V, i, inner, 1)), rows, 1)
        write(WA, i, read(W, i, rows, 1) @ a, inner, 1)

    a = matrices(dtype, rows, inner)
    bs = [matrices(dtype, inner, cols, 1) for cols in SIZES]
    v, w = matrices(dtype, inner, 1, 2), matrices(dtype, rows, 1, 3)
    outs = [np.empty(N * rows * sum(SIZES), a.dtype)]
    outs += [np.empty(N * n, a.dtype) for n in (rows, inner)]
    given = [flat(a), np.concatenate([flat(b) for b in bs]), flat(v), flat(w)]
    enigma.compile(kernel)(*given, *outs, grid=N, threads=32)
    wide = a.astype(np.float64)
    start = 0
    for b, cols in zip(bs, SIZES, strict=True):
        got = unflat(outs[0][start : start + N * rows * cols], rows, cols)
        np.testing.assert_array_equal(got, (wide @ b.astype(np.float64)).astype(a.dtype))
        start += N * rows * cols
    np.testing.assert_array_equal(unflat(outs[1], rows, 1), (wide @ v).astype(a.dtype))
    turned = w.astype(np.float64).swapaxes(-1, -2) @ wide
    np.testing.assert_array_equal(outs[2].reshape(N, 1, inner), turned.astype(a.dtype))


class Shifted:
    """A buffer from an element on."""

    def __init__(self, buffer, start: int) -> None:
        self.buffer, self.start = buffer, start

    def __getitem__(self, i):
        return self.buffer[i + self.start]

    def __setitem__(self, i, value) -> None:
        self.buffer[i + self.start] = value


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("cols", SIZES)
def test_sums_scales_and_transposes(cols: int, rows: int, dtype: str) -> None:
    @enigma.kernel
    def kernel(A: dtype, B: dtype, S: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        a, b, s = read(A, i, rows, cols), read(B, i, rows, cols), S[i]
        results = [a + b, a - b, a * s, s * a, 3 * a, a * 0.5]
        for k, m in enumerate(results):
            assert m.dtype == getattr(enigma, dtype) and len(m) == cols
            write(Shifted(Out, k * N * rows * cols), i, m, rows, cols)
        turned = enigma.transpose(a)
        assert len(turned) == rows
        write(Shifted(Out, len(results) * N * rows * cols), i, turned, cols, rows)

    a, b = matrices(dtype, rows, cols), matrices(dtype, rows, cols, 1)
    s = (np.arange(N) / 4 - 8).astype(a.dtype)
    out = np.empty((7, N * rows * cols), a.dtype)
    enigma.compile(kernel)(flat(a), flat(b), s, out.ravel(), grid=N, threads=32)
    x, y, t = (m.astype(np.float64) for m in (a, b, s[:, None, None]))
    for got, want in zip(out, [x + y, x - y, x * t, t * x, 3 * x, x * 0.5], strict=False):
        np.testing.assert_array_equal(unflat(got, rows, cols), want.astype(a.dtype))
    np.testing.assert_array_equal(unflat(out[6], cols, rows), a.swapaxes(-1, -2))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("size", SIZES)
def test_determinants(size: int, dtype: str) -> None:
    @enigma.kernel
    def kernel(A: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.determinant(read(A, i, size, size))

    a = matrices(dtype, size, size)
    a[0] = np.eye(size)
    a[1] = 0
    a[2, 0] = a[2, 1]  # singular
    out = np.empty(N, a.dtype)
    enigma.compile(kernel)(flat(a), out, grid=N, threads=32)
    want = np.linalg.det(a.astype(np.float64))
    scale = np.abs(want).max()
    with np.errstate(over="ignore"):
        want = want.astype(a.dtype)
    tolerance = 1e-6 if dtype == "f32" else 1e-3
    np.testing.assert_allclose(out, want, rtol=tolerance, atol=1e-6 * scale)


def test_infinities_and_nan() -> None:
    @enigma.kernel
    def kernel(A: enigma.f32, V: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        write(Out, i, read(A, i, 2, 2) @ read(V, i, 2, 1), 2, 1)

    inf, nan = np.inf, np.nan
    a = np.array([[[inf, 1], [0, 1]], [[inf, 1], [-inf, 2]], [[1, 2], [nan, 4]]], np.float32)
    v = np.array([[[1], [2]], [[1], [inf]], [[1], [1]]], np.float32)
    out = np.empty(6, np.float32)
    enigma.compile(kernel)(flat(a), flat(v), out, grid=3, threads=3)
    np.testing.assert_array_equal(out, [inf, 2, inf, nan, 3, nan])


def test_types_meet() -> None:
    @enigma.kernel
    def kernel(H: enigma.f16, F: enigma.f32, Out: enigma.f32):
        h, f = read(H, 0, 2, 2), read(F, 0, 2, 2)
        assert (h @ h).dtype == enigma.f16
        assert (h * 2).dtype == enigma.f16
        assert (h * F[0]).dtype == enigma.f32
        assert enigma.metal_cast(f, "half").dtype == enigma.f16
        write(Out, 0, h @ f + enigma.metal_cast(h, "float"), 2, 2)

    h = np.array([[1, 2], [3, 4]], np.float16)
    f = np.array([[0.5, 1], [1.5, 2**20]], np.float32)
    out = np.empty(4, np.float32)
    enigma.compile(kernel)(flat(h), flat(f), out, grid=1, threads=1)
    np.testing.assert_array_equal(out.reshape(2, 2).T, h.astype(np.float64) @ f + h)


def test_carried_by_loops_and_merged_by_ifs() -> None:
    @enigma.kernel
    def kernel(A: enigma.f32, K: enigma.i32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        a = read(A, i, 3, 3)
        power = enigma.make_matrix(
            enigma.make_float3(1, 0, 0), enigma.make_float3(0, 1, 0), enigma.make_float3(0, 0, 1)
        )
        with enigma.for_range(0, K[i]):
            power = power @ a
        with enigma.if_(K[i] % 2 == 0):
            power = enigma.transpose(power)
        column = power[K[i] % 3]
        write(Out, i, column, 3, 1)

    rng = np.random.default_rng(0)
    a = rng.integers(-2, 3, (N, 3, 3)).astype(np.float32)
    k = rng.integers(0, 5, N).astype(np.int32)
    out = np.empty((N, 3), np.float32)
    enigma.compile(kernel)(flat(a), k, out.ravel(), grid=N, threads=32)
    for i in range(N):
        power = np.linalg.matrix_power(a[i], k[i])
        power = power.T if k[i] % 2 == 0 else power
        np.testing.assert_array_equal(out[i], power[:, k[i] % 3])
