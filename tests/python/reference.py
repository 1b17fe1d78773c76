"""What every operation must give, in numpy: the reference that the tests compare with."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np

NUMPY = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    **{f"{s}{w}": np.dtype(f"{'u' * (s == 'u')}int{w}") for s in "iu" for w in (8, 16, 32, 64)},
    "b1": np.dtype(np.bool_),
}
FLOATS = ("f32", "f16", "bf16")
INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")


@dataclass(frozen=True)
class Reference:
    """A float function in float64; results may be `ulps` units of the result's type away."""

    function: Callable[..., np.ndarray]
    ulps: float = 0.0
    domain: tuple[float, float] = (-math.inf, math.inf)  # beyond it nothing is promised


def _round_away(x: np.ndarray) -> np.ndarray:
    return np.copysign(np.where(np.abs(x) < 2.0**52, np.floor(np.abs(x) + 0.5), np.abs(x)), x)


def _fract(x: np.ndarray) -> np.ndarray:
    return np.minimum(x - np.floor(x), np.nextafter(np.float32(1), np.float32(0)))


def _sign(x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), 0.0, np.where(x == 0, x, np.sign(x)))


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), 0.0, np.clip(x, 0, 1))


def _smoothstep(e0: np.ndarray, e1: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - e0) / (e1 - e0), 0, 1)
    return t * t * (3 - 2 * t)


_erf = np.vectorize(math.erf, otypes=[np.float64])
_MAX = 3.4e38

# Unary operations on floats.
UNARY = {
    "sqrt": Reference(np.sqrt),
    "rsqrt": Reference(lambda x: 1 / np.sqrt(x), 1),
    "abs": Reference(np.abs),
    "ceil": Reference(np.ceil),
    "floor": Reference(np.floor),
    "round": Reference(_round_away),
    "rint": Reference(np.rint),
    "trunc": Reference(np.trunc),
    "sign": Reference(_sign),
    "saturate": Reference(_saturate),
    "exp": Reference(np.exp, 4),
    "exp2": Reference(np.exp2, 4),
    "exp10": Reference(lambda x: np.power(10.0, x), 4),
    "log": Reference(np.log, 4),
    "log2": Reference(np.log2, 4),
    "log10": Reference(np.log10, 4),
    "sin": Reference(np.sin, 4, (-1e4, 1e4)),
    "cos": Reference(np.cos, 4, (-1e4, 1e4)),
    "tan": Reference(np.tan, 4, (-1e4, 1e4)),
    "asin": Reference(np.arcsin, 4),
    "acos": Reference(np.arccos, 4),
    "atan": Reference(np.arctan, 4),
    "sinh": Reference(np.sinh, 4),
    "cosh": Reference(np.cosh, 4),
    "tanh": Reference(np.tanh, 4),
    "asinh": Reference(np.arcsinh, 4),
    "acosh": Reference(np.arccosh, 4),
    "atanh": Reference(np.arctanh, 4),
    "erf": Reference(_erf, 4),
    "expm1": Reference(np.expm1, 4),
    "log1p": Reference(np.log1p, 4),
}

BINARY = {
    "fmin": Reference(np.fmin),
    "fmax": Reference(np.fmax),
    "pow": Reference(np.power, 4),
    "fmod": Reference(np.fmod),
    "atan2": Reference(np.arctan2, 4),
    "step": Reference(lambda edge, x: np.where(x < edge, 0.0, 1.0)),
    "copysign": Reference(np.copysign),
    "hypot": Reference(np.hypot, 4),
}

# Integer functions: arguments and result of one type, exact.
INTEGER_UNARY = {
    "popcount": np.bitwise_count,
    "clz": lambda x: _leading_zeros(x),
    "ctz": lambda x: _trailing_zeros(x),
}


def _leading_zeros(x: np.ndarray) -> np.ndarray:
    width = x.dtype.itemsize * 8
    unsigned = x.view(f"u{x.dtype.itemsize}")
    return np.array([width - int(v).bit_length() for v in unsigned])


def _trailing_zeros(x: np.ndarray) -> np.ndarray:
    width = x.dtype.itemsize * 8
    unsigned = x.view(f"u{x.dtype.itemsize}")
    return np.array([(int(v) & -int(v)).bit_length() - 1 if v else width for v in unsigned])


def edge_values(dtype: str) -> np.ndarray:
    """The values at which operations go wrong."""
    numpy = NUMPY[dtype]
    if dtype == "b1":
        return np.array([False, True])
    if dtype in FLOATS:
        info = ml_dtypes.finfo(numpy)
        tiny, huge = float(info.tiny), float(info.max)
        positive = [0.0, 1.0, 0.5, 1.5, 2.0, 2.5, 3.0, 7.25, 100.0, 1e-3, tiny, huge, math.inf]
        positive += [0.49999997, 0.99999994, 8388607.5, 16777216.0, 1e4, 88.0, 89.0, 0.1]
        values = np.array(positive + [-v for v in positive] + [math.nan])
        with np.errstate(over="ignore"):
            return values.astype(numpy)
    info = np.iinfo(numpy)
    values = {0, 1, 2, 3, 7, 100, info.max, info.max - 1, info.max // 2, info.max // 2 + 1}
    values |= {info.min, info.min + 1} | ({-1, -2, -3, -7, -100} if info.min < 0 else set())
    return np.array(sorted(values), dtype=numpy)


def random_values(dtype: str, count: int, seed: int = 0) -> np.ndarray:
    """Values over the whole range: for floats uniform in the exponent."""
    rng = np.random.default_rng(seed)
    numpy = NUMPY[dtype]
    if dtype == "b1":
        return rng.integers(0, 2, count).astype(np.bool_)
    if dtype in FLOATS:
        top = 38 if dtype != "f16" else 4.8
        bottom = -38 if dtype != "f16" else -5
        magnitudes = 10.0 ** np.concatenate(
            [rng.uniform(bottom, top, count // 2), rng.uniform(-3, 2, count - count // 2)]
        )
        with np.errstate(over="ignore"):
            return (magnitudes * rng.choice([-1, 1], count)).astype(numpy)
    info = np.iinfo(numpy)
    return rng.integers(info.min, info.max, count, dtype=numpy, endpoint=True)


def ulps_apart(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance of got from the float64 result, in units in the last place of got's type.

    NaN meets NaN at 0. Infinity meets what rounds to it. Below the smallest normal number of f32
    and bf16, where denormals may be flushed, the unit is that smallest normal number.
    """
    info = ml_dtypes.finfo(got.dtype)
    bits, tiny, huge = info.nmant, float(info.tiny), float(info.max)
    value = got.astype(np.float64)
    with np.errstate(all="ignore"):
        exponent = np.floor(np.log2(np.maximum(np.abs(exact), tiny)))
        unit = np.exp2(exponent - bits)
        distance = np.abs(value - exact) / unit
        if got.dtype != np.float16:
            flushed = (np.abs(exact) < tiny) & (np.abs(value) <= tiny)
            distance = np.where(flushed, 0.0, distance)
        # A result within half a unit of the largest number may round to infinity, and back.
        limit = huge * (1 + 2.0 ** -(bits + 1))
        overflow = (np.abs(exact) >= limit) | np.isinf(exact)
        same_sign = np.signbit(value) == np.signbit(exact)
        near = np.isinf(value) & same_sign & (np.abs(exact) > huge * (1 - 2.0 ** -(bits - 2)))
        met = (overflow & np.isinf(value) & same_sign) | near
        met |= overflow & same_sign & ~np.isinf(exact) & (np.abs(value) == huge)
        distance = np.where(met, 0.0, distance)
    distance = np.where(np.isnan(exact) & np.isnan(value), 0.0, distance)
    return np.where(np.isnan(exact) != np.isnan(value), np.inf, distance)
