"""Integer operations, conversions and choice against numpy, exact over edge values."""

import numpy as np
import pytest
from reference import (
    FLOATS,
    INTEGER_UNARY,
    INTEGERS,
    NUMPY,
    edge_values,
    random_values,
)

import enigma

pytestmark = pytest.mark.usefixtures("device")

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of edge values, and random ones."""
    edges = edge_values(dtype)
    x = np.concatenate([np.repeat(edges, len(edges)), random_values(dtype, 5000, 1)])
    y = np.concatenate([np.tile(edges, len(edges)), random_values(dtype, 5000, 2)])
    return x, y


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_wrap_as_numpys(symbol: str, dtype: str) -> None:
    operator = OPERATORS[symbol]

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = operator(X[i], Y[i])

    x, y = pairs(dtype)
    out = np.empty_like(x)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=256)
    with np.errstate(all="ignore"):
        want = operator(x, y)
    defined = np.ones(len(x), bool)
    if symbol in ("//", "%"):  # x / 0 and the minimum by -1 are unspecified, and do not trap
        defined = (y != 0) & ~((x == np.iinfo(x.dtype).min) & (y.astype(float) == -1))
    np.testing.assert_array_equal(out[defined], want[defined])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_division_truncates(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] / Y[i]

    x, y = pairs(dtype)
    out = np.empty_like(x)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=256)
    for a, b, got in zip(x.tolist(), y.tolist(), out.tolist(), strict=True):
        if b != 0 and not (b == -1 and a == np.iinfo(x.dtype).min):
            want = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            assert got == want, f"{a} / {b}"


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts_take_the_count_modulo_the_width(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Left: dtype, Right: dtype, Not: dtype, Neg: dtype):
        i = enigma.thread_position_in_grid
        Left[i] = X[i] << Y[i]
        Right[i] = X[i] >> Y[i]
        Not[i] = ~X[i]
        Neg[i] = -X[i]

    x, y = pairs(dtype)
    outs = [np.empty_like(x) for _ in range(4)]
    enigma.compile(kernel)(x, y, *outs, grid=len(x), threads=256)
    width = x.dtype.itemsize * 8
    count = (y.view(f"u{x.dtype.itemsize}") % np.array(width, f"u{x.dtype.itemsize}")).astype(
        x.dtype
    )
    wants = [x << count, x >> count, ~x, np.negative(x)]
    for got, want in zip(outs, wants, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_min_max_clamp_mul_hi(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Min: dtype, Max: dtype, Clamp: dtype, High: dtype):
        i = enigma.thread_position_in_grid
        Min[i] = enigma.imin(X[i], Y[i])
        Max[i] = enigma.imax(X[i], Y[i])
        Clamp[i] = enigma.iclamp(X[i], 3, 100)
        High[i] = enigma.mul_hi(X[i], Y[i])

    x, y = pairs(dtype)
    outs = [np.empty_like(x) for _ in range(4)]
    enigma.compile(kernel)(x, y, *outs, grid=len(x), threads=256)
    np.testing.assert_array_equal(outs[0], np.minimum(x, y))
    np.testing.assert_array_equal(outs[1], np.maximum(x, y))
    np.testing.assert_array_equal(outs[2], np.clip(x, 3, 100))
    width = x.dtype.itemsize * 8
    high = [(a * b) >> width for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert outs[3].tolist() == high


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", INTEGER_UNARY)
def test_bit_counts(name: str, dtype: str) -> None:
    operation = getattr(enigma, name)

    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = operation(X[i])

    x = np.concatenate([edge_values(dtype), random_values(dtype, 2000)])
    out = np.empty_like(x)
    enigma.compile(kernel)(x, out, grid=len(x), threads=256)
    unsigned = x.view(f"u{x.dtype.itemsize}")
    want = INTEGER_UNARY[name](unsigned if name == "popcount" else x)
    np.testing.assert_array_equal(out, want)


def converted(x: np.ndarray, to: np.dtype) -> np.ndarray:
    """metal_cast by its definition: integers wrap, floats truncate and saturate, NaN is 0."""
    if to == np.bool_:
        return x != 0
    if np.issubdtype(to, np.integer) and x.dtype.kind not in "iub":
        info = np.iinfo(to)
        cut = []
        for v in x.astype(np.float64).tolist():
            if v != v:
                cut.append(0)
            elif v in (np.inf, -np.inf):
                cut.append(info.max if v > 0 else info.min)
            else:
                cut.append(min(max(int(v), info.min), info.max))
        return np.array(cut, dtype=to)
    with np.errstate(all="ignore"):
        return x.astype(to)


@pytest.mark.parametrize("source", NUMPY)
def test_casts(source: str) -> None:
    targets = list(NUMPY)
    x = np.concatenate([edge_values(source), random_values(source, 500)])
    for target in targets:

        @enigma.kernel
        def kernel(X: source, Out: target):
            i = enigma.thread_position_in_grid
            Out[i] = enigma.metal_cast(X[i], target)

        out = np.empty(len(x), NUMPY[target])
        enigma.compile(kernel)(x, out, grid=len(x), threads=128)
        want = converted(x, NUMPY[target])
        flush = target in ("f32", "bf16") and source in FLOATS
        got, want = out.astype(object), want.astype(object)
        for a, g, w in zip(x.tolist(), got.tolist(), want.tolist(), strict=True):
            g, w = float(g), float(w)
            tiny = flush and abs(w) < 1.2e-38 and abs(g) < 1.2e-38
            assert g == w or (g != g and w != w) or tiny, f"{source}({a}) as {target}: {g}, not {w}"


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "b1"])
def test_where(dtype: str) -> None:
    @enigma.kernel
    def kernel(C: enigma.b1, X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.where(X[i], Y[i], C[i])

    x, y = random_values(dtype, 999, 1), random_values(dtype, 999, 2)
    c = random_values("b1", 999, 3)
    out = np.empty_like(x)
    enigma.compile(kernel)(c, x, y, out, grid=999, threads=96)
    np.testing.assert_array_equal(out, np.where(c, y, x))


@pytest.mark.parametrize(
    ("source", "target"),
    [("f32", "u32"), ("i32", "f32"), ("f16", "u16"), ("bf16", "i16"), ("u64", "i64"), ("u8", "i8")],
)
def test_as_type(source: str, target: str) -> None:
    @enigma.kernel
    def kernel(X: source, Out: target):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.as_type(X[i], target)

    x = random_values(source, 1000)
    out = np.empty(len(x), NUMPY[target])
    enigma.compile(kernel)(x, out, grid=len(x), threads=128)
    width = x.dtype.itemsize
    np.testing.assert_array_equal(out.view(f"u{width}"), x.view(f"u{width}"))


@pytest.mark.parametrize("name", [name for name in INTEGERS if not name.endswith("64")])
def test_quotients_in_a_range_of_0(name: str) -> None:
    @enigma.kernel
    def kernel(X: name, Y: name, Least: name, Clamped: name):
        i = enigma.thread_position_in_grid
        Least[i] = enigma.imin(X[i] / Y[i], 0)
        zero = (X[i] << (NUMPY[name].itemsize * 8 - 2)) & 3
        Clamped[i] = enigma.imax(enigma.imin(X[i] / Y[i], zero), 0)

    x, y = np.arange(64, dtype=NUMPY[name]), np.full(64, 3, NUMPY[name])
    least, clamped = np.ones_like(x), np.ones_like(x)
    enigma.compile(kernel)(x, y, least, clamped, grid=64, threads=32)
    assert not least.any() and not clamped.any()
