"""Float operations against numpy: every type, edge values and random ones."""

import numpy as np
import pytest
from reference import (
    BINARY,
    FLOATS,
    NUMPY,
    UNARY,
    Reference,
    edge_values,
    random_values,
    ulps_apart,
)

import enigma

pytestmark = pytest.mark.usefixtures("device")


def assert_close(got: np.ndarray, reference: Reference, *inputs: np.ndarray) -> None:
    """Each result is within the reference's ulps where the inputs lie in its domain."""
    wide = [x.astype(np.float64) for x in inputs]
    with np.errstate(all="ignore"):
        exact = np.asarray(reference.function(*wide), np.float64)
    # A narrow result is computed in f32 and rounded once more: half a unit on top, at the most.
    wide_result = got.dtype == np.float32
    limit = 0.5 if not reference.ulps else reference.ulps if wide_result else 1.0
    distance = ulps_apart(got, exact)
    inside = np.ones(len(got), bool)
    for x in wide:
        low, high = reference.domain
        inside &= (x >= low) & (x <= high) | ~np.isfinite(x)
    bad = inside & ~(distance <= limit)
    if bad.any():
        k = np.flatnonzero(bad)[np.argmax(distance[bad])]
        shown = ", ".join(repr(x[k]) for x in inputs)
        pytest.fail(
            f"f({shown}) = {got[k]!r}, numpy {exact[k]!r}: {distance[k]:.3g} ulps "
            f"({bad.sum()} of {len(got)} wrong)"
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str, dtype: str) -> None:
    operation = getattr(enigma, name)

    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = operation(X[i])

    x = np.concatenate([edge_values(dtype), random_values(dtype, 10_000)])
    out = np.empty_like(x)
    enigma.compile(kernel)(x, out, grid=len(x), threads=256)
    assert_close(out, UNARY[name], x)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str, dtype: str) -> None:
    operation = getattr(enigma, name)

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = operation(X[i], Y[i])

    edges = edge_values(dtype)
    x = np.concatenate([np.repeat(edges, len(edges)), random_values(dtype, 10_000, 1)])
    y = np.concatenate([np.tile(edges, len(edges)), random_values(dtype, 10_000, 2)])
    out = np.empty_like(x)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=256)
    assert_close(out, BINARY[name], x, y)


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("symbol", OPERATORS)
def test_arithmetic_is_exact(symbol: str, dtype: str) -> None:
    operator = OPERATORS[symbol]

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = operator(X[i], Y[i])

    edges = edge_values(dtype)
    x = np.concatenate([np.repeat(edges, len(edges)), random_values(dtype, 10_000, 1)])
    y = np.concatenate([np.tile(edges, len(edges)), random_values(dtype, 10_000, 2)])
    out = np.empty_like(x)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=256)
    assert_close(out, Reference(operator), x, y)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["floordiv", "mod"])
def test_floor_division_is_pythons(name: str, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] // Y[i] if name == "floordiv" else X[i] % Y[i]

    rng = np.random.default_rng(0)
    x = np.round(rng.uniform(-100, 100, 5000), 1).astype(NUMPY[dtype])
    y = np.round(rng.uniform(-10, 10, 5000), 1).astype(NUMPY[dtype])
    y = np.where(y == 0, np.ones_like(y), y)
    out = np.empty_like(x)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=256)
    function = np.floor_divide if name == "floordiv" else np.remainder
    # In the type's own arithmetic when numpy has it exactly, which it has for f32.
    want = function(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
    np.testing.assert_array_equal(out.astype(np.float64), want.astype(np.float64))


@pytest.mark.parametrize("dtype", FLOATS)
def test_ternary(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Z: dtype, Fma: dtype, Clamp: dtype, Mix: dtype):
        i = enigma.thread_position_in_grid
        Fma[i] = enigma.fma(X[i], Y[i], Z[i])
        Clamp[i] = enigma.clamp(X[i], -1.5, 2.5)
        Mix[i] = enigma.mix(X[i], Y[i], enigma.saturate(Z[i]))

    x, y, z = (random_values(dtype, 10_000, seed) for seed in (1, 2, 3))
    x[:50] = np.resize(edge_values(dtype), 50)
    outs = [np.empty_like(x) for _ in range(3)]
    enigma.compile(kernel)(x, y, z, *outs, grid=len(x), threads=128)
    if dtype == "f32":
        exact = x.astype(np.longdouble) * y.astype(np.longdouble) + z.astype(np.longdouble)
        with np.errstate(all="ignore"):
            distance = ulps_apart(outs[0], exact.astype(np.float64))
        assert distance.max() <= 0.500001
    clamped = np.where(np.isnan(x), -1.5, np.clip(x.astype(np.float64), -1.5, 2.5))
    np.testing.assert_array_equal(outs[1].astype(np.float64), clamped.astype(x.dtype).astype(float))


@pytest.mark.parametrize("dtype", FLOATS)
def test_predicates(dtype: str) -> None:
    names = ["isnan", "isinf", "isfinite", "signbit"]

    @enigma.kernel
    def kernel(X: dtype, A: enigma.b1, B: enigma.b1, C: enigma.b1, D: enigma.b1):
        i = enigma.thread_position_in_grid
        for out, name in zip([A, B, C, D], names, strict=True):
            out[i] = getattr(enigma, name)(X[i])

    x = np.concatenate([edge_values(dtype), random_values(dtype, 1000)])
    outs = [np.empty(len(x), np.bool_) for _ in names]
    enigma.compile(kernel)(x, *outs, grid=len(x), threads=64)
    for out, name in zip(outs, names, strict=True):
        np.testing.assert_array_equal(out, getattr(np, name)(x.astype(np.float64)), err_msg=name)


COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal"}
COMPARISONS |= {"gt": "greater", "ge": "greater_equal"}


@pytest.mark.parametrize("dtype", [*FLOATS, "i8", "u8", "i32", "u32", "i64", "u64"])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str, dtype: str) -> None:
    compare = getattr(enigma, f"cmp_{name}")

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: enigma.b1):
        i = enigma.thread_position_in_grid
        Out[i] = compare(X[i], Y[i])

    edges = edge_values(dtype)
    x, y = np.repeat(edges, len(edges)), np.tile(edges, len(edges))
    out = np.empty(len(x), np.bool_)
    enigma.compile(kernel)(x, y, out, grid=len(x), threads=64)
    with np.errstate(invalid="ignore"):
        want = getattr(np, COMPARISONS[name])(x, y)
    np.testing.assert_array_equal(out, want)
