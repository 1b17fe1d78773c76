"""What every operation must give, in Python and numpy: one entry for each row of the table."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
class Real:
    """A function of float64 arrays.

    With 0 `ulps` results are its values rounded to the type; a narrow float's by way of float32
    where the function gives that. Else they are up to `ulps` units in the last place away.
    """

    function: Callable[..., np.ndarray]
    ulps: float = 0.0
    domain: Callable[..., np.ndarray] | None = None  # where something is promised; everywhere
    either_zero: bool = False  # the sign of a zero is not promised


@dataclass(frozen=True)
class Exact:
    """A function of the type's limits (iinfo or finfo) and Python numbers; integers wrap.

    It gives None where nothing is promised.
    """

    function: Callable[..., Any]


def _fma(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    # The product of two floats is exact in float64. The sum is rounded to odd, so that rounding it
    # once more gives what rounding the exact one would.
    product = x * y
    total = product + z
    back = total - product
    lost = (product - (total - back)) + (z - back)
    bits = total.view(np.int64)
    away = (lost != 0) & (np.signbit(lost) != np.signbit(total))
    odd = np.where((lost != 0) & np.isfinite(lost), (bits - away) | 1, bits)
    return odd.view(np.float64)


def _mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    step = (b - a).astype(np.float32).astype(np.float64)
    return _fma(step, t, a).astype(np.float32)


def _round_away(x: np.ndarray) -> np.ndarray:
    return np.copysign(np.where(np.abs(x) < 2.0**52, np.floor(np.abs(x) + 0.5), np.abs(x)), x)


def _fract(t: Any, x: float) -> float:
    return min(x - float(np.floor(x)), 1 - float(t.epsneg)) if math.isfinite(x) else math.nan


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, np.minimum(x, 1), 0.0)


def _smoothstep(e0: np.ndarray, e1: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = _saturate((x - e0) / (e1 - e0))
    return t * t * (3 - 2 * t)


def _quotient(x: int, y: int) -> int:
    return 0 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _power(t: Any, x: int, y: int) -> int:
    if y < 0:
        return {1: 1, -1: -1 if y % 2 else 1}.get(x, 0)
    return pow(x, y, 2**t.bits)


def _bits(t: Any, x: int) -> int:
    return x % 2**t.bits


def _saturated(t: Any, x: int) -> int:
    return min(max(x, t.min), t.max)


def _field(t: Any, offset: int, bits: int) -> int:
    """A mask of the bits that are in the type."""
    return (2 ** min(bits, t.bits) - 1 << min(offset, t.bits)) % 2**t.bits


def _extract(t: Any, x: int, offset: int, bits: int) -> int:
    mask = _field(t, offset, bits)
    if not mask:
        return 0
    value = (_bits(t, x) & mask) >> offset
    sign = (mask >> offset) // 2 + 1
    return value - 2 * sign if t.min < 0 and value & sign else value


def _insert(t: Any, base: int, insert: int, offset: int, bits: int) -> int:
    mask = _field(t, offset, bits)
    return _bits(t, base) & ~mask | _bits(t, insert) << min(offset, t.bits) & mask


def _dequantize(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> np.ndarray:
    return (x.astype(np.float32) - zero_point.astype(np.float32)) * scale.astype(np.float32)


def _in_float32(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda *operands: function(*(x.astype(np.float32) for x in operands))


def _within_10000(x: np.ndarray) -> np.ndarray:
    return np.abs(x) <= 1e4


REFERENCES: dict[str, Real | Exact] = {
    # ---- arithmetic ----
    "arith.addf": Real(np.add),
    "arith.addi": Exact(lambda t, x, y: x + y),
    "arith.subf": Real(np.subtract),
    "arith.subi": Exact(lambda t, x, y: x - y),
    "arith.mulf": Real(np.multiply),
    "arith.muli": Exact(lambda t, x, y: x * y),
    "arith.divf": Real(np.divide),
    "arith.divi": Exact(lambda t, x, y: _quotient(x, y)),
    "arith.floordivf": Real(_in_float32(np.floor_divide)),
    "arith.floordivi": Exact(lambda t, x, y: x // y if y else 0),
    "arith.floormodf": Real(_in_float32(np.remainder)),
    "arith.floormodi": Exact(lambda t, x, y: x % y if y else 0),
    "arith.powi": Exact(_power),
    "arith.negf": Real(np.negative),
    "arith.negi": Exact(lambda t, x: -x),
    "arith.andi": Exact(lambda t, x, y: x & y),
    "arith.andb": Exact(lambda t, x, y: x and y),
    "arith.ori": Exact(lambda t, x, y: x | y),
    "arith.orb": Exact(lambda t, x, y: x or y),
    "arith.xori": Exact(lambda t, x, y: x ^ y),
    "arith.xorb": Exact(lambda t, x, y: x != y),
    "arith.noti": Exact(lambda t, x: ~x),
    "arith.notb": Exact(lambda t, x: not x),
    "arith.shl": Exact(lambda t, x, y: x << y % t.bits),
    "arith.shr": Exact(lambda t, x, y: x >> y % t.bits),
    # ---- comparison and choice ----
    "arith.cmpf_eq": Real(np.equal),
    "arith.cmpi_eq": Exact(lambda t, x, y: x == y),
    "arith.cmpb_eq": Exact(lambda t, x, y: x == y),
    "arith.cmpf_ne": Real(np.not_equal),
    "arith.cmpi_ne": Exact(lambda t, x, y: x != y),
    "arith.cmpb_ne": Exact(lambda t, x, y: x != y),
    "arith.cmpf_lt": Real(np.less),
    "arith.cmpi_lt": Exact(lambda t, x, y: x < y),
    "arith.cmpf_le": Real(np.less_equal),
    "arith.cmpi_le": Exact(lambda t, x, y: x <= y),
    "arith.cmpf_gt": Real(np.greater),
    "arith.cmpi_gt": Exact(lambda t, x, y: x > y),
    "arith.cmpf_ge": Real(np.greater_equal),
    "arith.cmpi_ge": Exact(lambda t, x, y: x >= y),
    "arith.cmpi_ult": Exact(lambda t, x, y: _bits(t, x) < _bits(t, y)),
    "arith.cmpi_ule": Exact(lambda t, x, y: _bits(t, x) <= _bits(t, y)),
    "arith.cmpi_ugt": Exact(lambda t, x, y: _bits(t, x) > _bits(t, y)),
    "arith.cmpi_uge": Exact(lambda t, x, y: _bits(t, x) >= _bits(t, y)),
    "arith.select": Exact(lambda t, no, yes, condition: yes if condition else no),
    # ---- float functions of one operand ----
    "math.sqrt": Real(np.sqrt),
    "math.rsqrt": Real(lambda x: 1 / np.sqrt(x), 1),
    "math.absf": Real(np.abs),
    "math.absi": Exact(lambda t, x: abs(x)),
    "math.ceil": Real(np.ceil),
    "math.floor": Real(np.floor),
    "math.round": Real(_round_away),
    "math.rint": Real(np.rint),
    "math.trunc": Real(np.trunc),
    "math.sign": Real(lambda x: np.where(np.isnan(x), 0.0, np.where(x == 0, x, np.sign(x)))),
    "math.saturate": Real(_saturate, either_zero=True),
    "math.fract": Exact(_fract),
    "math.exp": Real(np.exp, 4),
    "math.exp2": Real(np.exp2, 4),
    "math.exp10": Real(lambda x: np.power(10.0, x), 4),
    "math.log": Real(np.log, 4),
    "math.log2": Real(np.log2, 4),
    "math.log10": Real(np.log10, 4),
    "math.sin": Real(np.sin, 4, _within_10000),
    "math.cos": Real(np.cos, 4, _within_10000),
    "math.tan": Real(np.tan, 4, _within_10000),
    "math.asin": Real(np.arcsin, 4),
    "math.acos": Real(np.arccos, 4),
    "math.atan": Real(np.arctan, 4),
    "math.sinh": Real(np.sinh, 4),
    "math.cosh": Real(np.cosh, 4),
    "math.tanh": Real(np.tanh, 4),
    "math.asinh": Real(np.arcsinh, 4),
    "math.acosh": Real(np.arccosh, 4),
    "math.atanh": Real(np.arctanh, 4),
    "math.erf": Real(np.vectorize(math.erf, otypes=[np.float64]), 4),
    "math.expm1": Real(np.expm1, 4),
    "math.log1p": Real(np.log1p, 4),
    # ---- float functions of two and three operands ----
    "math.fmin": Real(np.fmin, either_zero=True),
    "math.fmax": Real(np.fmax, either_zero=True),
    "math.pow": Real(np.power, 4),
    "math.fmod": Real(np.fmod),
    "math.atan2": Real(np.arctan2, 4),
    "math.step": Real(lambda edge, x: np.where(x < edge, 0.0, 1.0)),
    "math.copysign": Real(np.copysign),
    "math.hypot": Real(np.hypot, 4),
    "math.clamp": Real(
        lambda x, lo, hi: np.fmin(np.fmax(x, lo), hi),
        domain=lambda x, lo, hi: lo <= hi,
        either_zero=True,
    ),
    "math.fma": Real(_fma),
    "math.mix": Real(_mix),
    "math.smoothstep": Real(_smoothstep, 4, lambda e0, e1, x: (e0 < e1) & (e1 - e0 < 3e38)),
    "math.isnan": Real(np.isnan),
    "math.isinf": Real(np.isinf),
    "math.isfinite": Real(np.isfinite),
    "math.signbit": Real(np.signbit),
    "math.isnormal": Exact(lambda t, x: float(t.tiny) <= abs(x) <= float(t.max)),
    # ---- integer functions ----
    "math.imin": Exact(lambda t, x, y: min(x, y)),
    "math.imax": Exact(lambda t, x, y: max(x, y)),
    "math.iclamp": Exact(lambda t, x, lo, hi: min(max(x, lo), hi) if lo <= hi else None),
    "math.mul_hi": Exact(lambda t, x, y: x * y >> t.bits),
    "math.popcount": Exact(lambda t, x: _bits(t, x).bit_count()),
    "math.clz": Exact(lambda t, x: t.bits - _bits(t, x).bit_length()),
    "math.ctz": Exact(lambda t, x: ((x & -x).bit_length() - 1) if x else t.bits),
    "math.abs_diff": Exact(lambda t, x, y: abs(x - y)),
    "math.abs_diff_unary": Exact(lambda t, x: abs(x)),
    "math.add_sat": Exact(lambda t, x, y: _saturated(t, x + y)),
    "math.sub_sat": Exact(lambda t, x, y: _saturated(t, x - y)),
    "math.mad_sat": Exact(lambda t, x, y, z: _saturated(t, x * y + z)),
    "math.rotate": Exact(lambda t, x, n: _bits(t, x) * (2**t.bits + 1) << n % t.bits >> t.bits),
    "math.reverse_bits": Exact(lambda t, x: int(f"{_bits(t, x):0{t.bits}b}"[::-1], 2)),
    "math.extract_bits": Exact(_extract),
    "math.insert_bits": Exact(_insert),
    "math.dequantize_int8": Real(_dequantize),
}


def _rounded_to_odd(x: int) -> float:
    """x with 24 bits, the last of them set where that is not exact: rounding may go on from it."""
    beyond = max(abs(x).bit_length() - 24, 0)
    kept = abs(x) >> beyond
    return math.copysign(math.ldexp(kept | (kept << beyond != abs(x)), beyond), x)


def converted(x: np.ndarray, to: np.dtype) -> np.ndarray:
    """metal_cast: integers wrap, floats truncate and saturate, NaN is 0; rounded once."""
    if to == np.bool_:
        return x != 0
    if x.dtype.kind in "iu" and to in (NUMPY["f16"], NUMPY["bf16"]):  # numpy rounds them twice
        with np.errstate(over="ignore"):
            return np.array([_rounded_to_odd(v) for v in x.tolist()], np.float32).astype(to)
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


# Rows whose result's type is given: functions of an array and that type; None where it is refused.
CONVERSIONS: dict[str, Callable[[np.ndarray, np.dtype], np.ndarray | None]] = {
    "arith.cast": converted,
    "arith.as_type": lambda x, to: (
        None if bool in (x.dtype, to) or x.itemsize != to.itemsize else x.view(to)
    ),
}


def edge_values(dtype: str) -> np.ndarray:
    """The values at which operations go wrong."""
    numpy = NUMPY[dtype]
    if dtype == "b1":
        return np.array([False, True])
    if dtype in FLOATS:
        info = ml_dtypes.finfo(numpy)
        tiny, huge = float(info.tiny), float(info.max)
        positive = [0.0, float(info.smallest_subnormal), tiny * 0.99, tiny, huge, math.inf]
        positive += [1.0, 0.5, 0.75, 1.5, 2.0, 2.5, 3.0, 7.25, 100.0, 1e-3]
        positive += [0.49999997, 0.99999994, 8388607.5, 16777216.0, 1e4, 88.0, 89.0, 0.1]
        # The floats nearest to multiples of pi/2, where sines and cosines vanish.
        positive += [math.pi / 2, math.pi, 11 * math.pi, 355 * math.pi]
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
    return np.where(np.isnan(distance), np.inf, distance)
