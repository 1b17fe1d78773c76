"""MSL that others wrote runs in the lab and agrees with numpy: kernels of the mlx-metal wheel.

They are read from the wheel; nothing of them is kept here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import ml_dtypes
import numpy as np
import pytest

from msl import foreign
from msl import lab as msl

KINDS = {"float": np.float32, "half": np.float16}
RELATIVE = {"float": 1e-5, "half": 2e-3}


@pytest.fixture(scope="module", autouse=True)
def headers() -> None:
    try:
        foreign.headers()
    except foreign.Unavailable as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


def softmax(x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True).astype(np.float64))
        return e / e.sum(1, keepdims=True)


# ---- softmax -------------------------------------------------------------------------------------
@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("columns", [1, 64, 127, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_softmax_single_row(lab: msl.Lab, kind: str, columns: int, schedule: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, columns)).astype(KINDS[kind])
    threads = (columns + 127) // 128 * 32
    result = lab.run(
        foreign.text_of("utils.h", "softmax.h"),
        [x, np.zeros_like(x), np.int32(columns)],
        threads * 3,
        threads,
        kernel="softmax_single_row",
        instance=f"<{kind}, float>",
        schedule=schedule,
        checked=schedule == "random",
    )
    np.testing.assert_allclose(result.arrays[1], softmax(x), rtol=RELATIVE[kind], atol=1e-7)


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("columns", [5000, 8191])
@pytest.mark.parametrize("kind", KINDS)
def test_softmax_looped(lab: msl.Lab, kind: str, columns: int, schedule: str) -> None:
    """It reads a partial result of each of 32 SIMD-groups: the threadgroup must be a full one."""
    x = np.random.default_rng(1).normal(size=(2, columns)).astype(KINDS[kind])
    x[0, 17] = -np.inf  # a masked element
    result = lab.run(
        foreign.text_of("utils.h", "softmax.h"),
        [x, np.zeros_like(x), np.int32(columns)],
        1024 * 2,
        1024,
        kernel="softmax_looped",
        instance=f"<{kind}, float>",
        schedule=schedule,
        checked=schedule == "random",
    )
    np.testing.assert_allclose(result.arrays[1], softmax(x), rtol=RELATIVE[kind], atol=1e-6)


@pytest.mark.parametrize("columns", [100, 777])
@pytest.mark.parametrize("kind", KINDS)
def test_logsumexp(lab: msl.Lab, kind: str, columns: int) -> None:
    x = np.random.default_rng(2).normal(size=(3, columns)).astype(KINDS[kind])
    threads = (columns + 127) // 128 * 32
    result = lab.run(
        foreign.text_of("utils.h", "logsumexp.h"),
        [x, np.zeros(3, x.dtype), np.int32(columns)],
        threads * 3,
        threads,
        kernel="logsumexp",
        instance=f"<{kind}>",
        checked=True,
    )
    want = np.log(np.exp(x.astype(np.float64)).sum(1))
    np.testing.assert_allclose(result.arrays[1], want, rtol=RELATIVE[kind])


# ---- unary operations ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Unary:
    """Numpy's function, where to test it, and the tolerance that the kernel's own formula needs."""

    function: Callable[[np.ndarray], np.ndarray]
    domain: tuple[float, float] = (-3, 3)
    float_tolerance: float = 2e-6


_inverse = NormalDist().inv_cdf
UNARY = {
    "Abs": Unary(np.abs),
    "ArcCos": Unary(np.arccos, (-1, 1)),
    "ArcCosh": Unary(np.arccosh, (1.1, 9)),
    "ArcSin": Unary(np.arcsin, (-1, 1)),
    "ArcSinh": Unary(np.arcsinh),
    "ArcTan": Unary(np.arctan),
    "ArcTanh": Unary(np.arctanh, (-0.9, 0.9)),
    "Ceil": Unary(np.ceil),
    "Cos": Unary(np.cos),
    "Cosh": Unary(np.cosh),
    "Erf": Unary(np.vectorize(math.erf)),
    "ErfInv": Unary(
        np.vectorize(lambda x: _inverse((x + 1) / 2) / math.sqrt(2)), (-0.9, 0.9), 1e-5
    ),
    "Exp": Unary(np.exp),
    # Theirs subtracts one part of log(2) only, and is off by 1.4e-6 for each step of it.
    "Expm1": Unary(np.expm1, (-3, 3), 1e-5),
    "Floor": Unary(np.floor),
    "Log": Unary(np.log, (0.1, 9)),
    "Log10": Unary(np.log10, (0.1, 9)),
    "Log1p": Unary(np.log1p, (-0.9, 9)),
    "Log2": Unary(np.log2, (0.1, 9)),
    "Negative": Unary(np.negative),
    "Round": Unary(np.rint),
    "Rsqrt": Unary(lambda x: 1 / np.sqrt(x), (0.1, 9)),
    "Sigmoid": Unary(lambda x: 1 / (1 + np.exp(-x))),
    "Sign": Unary(np.sign),
    "Sin": Unary(np.sin),
    "Sinh": Unary(np.sinh),
    "Sqrt": Unary(np.sqrt, (0, 9)),
    "Square": Unary(np.square),
    "Tan": Unary(np.tan, (-1.5, 1.5)),
    "Tanh": Unary(np.tanh),
}
OTHER_TYPES = {"BitwiseInvert", "LogicalNot", "ToFP8", "FromFP8"}  # tested below
COMPLEX = {"Conjugate", "Real", "Imag"}  # complex.h is not theirs here: see foreign.py


def unary(lab: msl.Lab, name: str, types: str, x: np.ndarray, out: np.ndarray) -> np.ndarray:
    text = foreign.text_of("utils.h", "unary_ops.h", "unary.h")
    arguments = [x, out, np.uint32(len(x))]
    options = {"kernel": "unary_v", "instance": f"<{types}, {name}>"}
    return lab.run(text, arguments, len(x), 64, checked=True, **options).arrays[1]


def test_all_unary_operations_are_tested() -> None:
    assert foreign.unary_operations() == UNARY.keys() | OTHER_TYPES | COMPLEX


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UNARY)
def test_unary(lab: msl.Lab, name: str, kind: str) -> None:
    op = UNARY[name]
    x = np.random.default_rng(0).uniform(*op.domain, 1001).astype(KINDS[kind])
    got = unary(lab, name, f"{kind}, {kind}", x, np.zeros_like(x))
    tolerance = op.float_tolerance if kind == "float" else 2e-3
    want = op.function(x.astype(np.float64))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, types, dtype", [
    ("BitwiseInvert", "uchar, uchar", np.uint8),
    ("BitwiseInvert", "long, long", np.int64),
    ("Abs", "char, char", np.int8),
    ("Negative", "short, short", np.int16),
    ("Sign", "uint, uint", np.uint32),
    ("Square", "ushort, ushort", np.uint16),
])  # fmt: skip
def test_unary_of_integers(lab: msl.Lab, name: str, types: str, dtype: type) -> None:
    info = np.iinfo(dtype)
    x = np.random.default_rng(0).integers(info.min, info.max, 77, dtype, endpoint=True)
    x[:2] = info.min, info.max
    functions = {"BitwiseInvert": np.invert, **{n: op.function for n, op in UNARY.items()}}
    got = unary(lab, name, types, x, np.zeros_like(x))
    np.testing.assert_array_equal(got, functions[name](x).astype(dtype))


def test_logical_not(lab: msl.Lab) -> None:
    x = np.random.default_rng(0).integers(0, 2, 77).astype(np.bool_)
    np.testing.assert_array_equal(unary(lab, "LogicalNot", "bool, bool", x, np.zeros_like(x)), ~x)


def test_fp8(lab: msl.Lab) -> None:
    codes = np.arange(256, dtype=np.uint8)
    numbers = codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    got = unary(lab, "FromFP8", "uint8_t, float", codes, np.zeros(256, np.float32))
    finite = np.isfinite(numbers)
    np.testing.assert_array_equal(got[finite], numbers[finite])
    x = np.random.default_rng(0).uniform(-400, 400, 500).astype(np.float32)
    got = unary(lab, "ToFP8", "float, uint8_t", x, np.zeros(500, np.uint8))
    np.testing.assert_array_equal(got, x.astype(ml_dtypes.float8_e4m3fn).view(np.uint8))


# ---- reductions ----------------------------------------------------------------------------------
REDUCTIONS = {"Sum": np.sum, "Prod": np.prod, "Max": np.max, "Min": np.min}
REDUCE = ("utils.h", "reduce_utils.h")


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("size", [1, 33, 5001])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_all_reduce(lab: msl.Lab, name: str, kind: str, size: int, schedule: str) -> None:
    x = np.random.default_rng(0).uniform(0.99, 1.01, size).astype(KINDS[kind])
    result = lab.run(
        foreign.text_of(*REDUCE, "reduction/reduce_all.h"),
        [x, np.zeros(1, np.float32), np.uint64(size), np.uint64(size)],
        256,
        256,
        kernel="all_reduce",
        instance=f"<{kind}, float, {name}<float>, long>",
        schedule=schedule,
        checked=schedule == "random",
    )
    np.testing.assert_allclose(result.arrays[1][0], REDUCTIONS[name](x.astype(float)), rtol=1e-5)


@pytest.mark.parametrize("name", ["Max", "Min"])
def test_reduction_with_nan(lab: msl.Lab, name: str) -> None:
    x = np.random.default_rng(0).normal(size=300).astype(np.float32)
    x[123] = np.nan
    text = foreign.text_of(*REDUCE, "reduction/reduce_all.h")
    arguments = [x, np.zeros(1, np.float32), np.uint64(300), np.uint64(300)]
    instance = f"<float, float, {name}<float>, long>"
    result = lab.run(text, arguments, 64, 64, kernel="all_reduce", instance=instance)
    assert np.isnan(result.arrays[1][0])


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_row_reduce(lab: msl.Lab, name: str, kind: str, schedule: str) -> None:
    rows, columns = 7, 517
    x = np.random.default_rng(0).uniform(0.99, 1.01, (rows, columns)).astype(KINDS[kind])
    result = lab.run(
        foreign.text_of(*REDUCE, "reduction/reduce_row.h"),
        [x, np.zeros(rows, np.float32), np.uint64(columns), np.int64(rows)],
        (64, 2, 1),
        (64, 1, 1),
        kernel="row_reduce_simple",
        instance=f"<{kind}, float, {name}<float>, long>",
        schedule=schedule,
    )
    want = REDUCTIONS[name](x.astype(float), axis=1)
    np.testing.assert_allclose(result.arrays[1], want, rtol=1e-5)


def column_reduce(lab: msl.Lab, name: str, kind: str, x: np.ndarray) -> np.ndarray:
    rows, columns = x.shape
    one, wide = np.ones(1, np.int32), np.ones(1, np.int64)
    layout = [one, wide, np.int32(0), one * rows, wide * columns, np.int32(1), np.uint64(1)]
    return lab.run(
        foreign.text_of(*REDUCE, "reduction/reduce_col.h"),
        [x, np.zeros(columns, np.float32), np.uint64(rows), np.int64(columns), *layout],
        ((columns + 127) // 128 * 32, 8, 1),
        (32, 8, 1),
        kernel="col_reduce_small",
        instance=f"<{kind}, float, {name}<float>, long, 1>",
        checked=True,
    ).arrays[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_column_reduce(lab: msl.Lab, name: str, kind: str) -> None:
    x = np.random.default_rng(0).uniform(0.99, 1.01, (37, 254)).astype(KINDS[kind])
    want = REDUCTIONS[name](x.astype(float), axis=0)
    np.testing.assert_allclose(column_reduce(lab, name, kind, x), want, rtol=1e-5)


def test_a_return_before_a_barrier_is_seen(lab: msl.Lab) -> None:
    """With these sizes most threads of the second threadgroup return before the barrier."""
    with pytest.raises(msl.KernelFault, match="8 of 256 threads reached the barrier"):
        column_reduce(lab, "Sum", "float", np.zeros((37, 131), np.float32))


# ---- scans and ranges ----------------------------------------------------------------------------
SCANS = {
    "CumSum": np.cumsum,
    "CumProd": np.cumprod,
    "CumMax": np.maximum.accumulate,
    "CumMin": np.minimum.accumulate,
}
START = {"CumSum": 0.0, "CumProd": 1.0, "CumMax": -np.inf, "CumMin": np.inf}


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("inclusive, reverse", [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("name", SCANS)
def test_scan(lab: msl.Lab, name: str, inclusive: bool, reverse: bool, schedule: str) -> None:
    rows, columns = 3, 1001
    x = np.random.default_rng(0).uniform(0.99, 1.01, (rows, columns)).astype(np.float32)
    flags = f"{str(inclusive).lower()}, {str(reverse).lower()}"
    result = lab.run(
        foreign.text_of("utils.h", "scan.h"),
        [x, np.zeros_like(x), np.uint64(columns)],
        (128, rows, 1),
        (128, 1, 1),
        kernel="contiguous_scan",
        instance=f"<float, float, {name}<float>, 4, {flags}>",
        schedule=schedule,
    )
    wide = x.astype(float)[:, ::-1] if reverse else x.astype(float)
    want = SCANS[name](wide, axis=1)
    want = want[:, ::-1] if reverse else want
    if not inclusive:
        want = np.concatenate([np.full((rows, 1), START[name]), want[:, :-1]], 1)
    np.testing.assert_allclose(result.arrays[1], want, rtol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_scan_of_columns(lab: msl.Lab, kind: str) -> None:
    rows, columns = 75, 45
    x = np.random.default_rng(0).uniform(-1, 1, (rows, columns)).astype(KINDS[kind])
    blocks = (columns + 31) // 32
    sizes = [np.uint64(rows), np.uint64(columns), np.uint64(blocks)]
    result = lab.run(
        foreign.text_of("utils.h", "scan.h"),
        [x, np.zeros((rows, columns), np.float32), *sizes],
        (256, blocks, 1),
        (256, 1, 1),
        kernel="strided_scan",
        instance=f"<{kind}, float, CumSum<float>, 4, true, false>",
    )
    np.testing.assert_allclose(result.arrays[1], np.cumsum(x.astype(float), 0), atol=1e-5)


@pytest.mark.parametrize("kind, dtype", [
    ("float", np.float32), ("half", np.float16), ("int", np.int32), ("uchar", np.uint8),
])  # fmt: skip
def test_arange(lab: msl.Lab, kind: str, dtype: type) -> None:
    start, step = dtype(3), dtype(2)
    text = foreign.text_of("utils.h", "arange.h")
    arguments = [start, step, np.zeros(99, dtype)]
    got = lab.run(text, arguments, 99, 32, kernel="arange", instance=f"<{kind}>").arrays[2]
    np.testing.assert_array_equal(got, (3 + 2 * np.arange(99)).astype(dtype))
