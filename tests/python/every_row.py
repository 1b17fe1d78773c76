"""Runs the rows of the operation table, all that take a type in one kernel, and judges the results.

Edge values are paired all with all, a few of them in all triples, and 10 000 random ones follow.
"""

import functools
import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from reference import (
    CONVERSIONS,
    FLOATS,
    INTEGERS,
    NUMPY,
    REFERENCES,
    Real,
    edge_values,
    random_values,
    ulps_apart,
)

import enigma
from enigma import _core

# Rows that this cannot judge, by the beginning of their mnemonics, and the tests that do.
ELSEWHERE = {
    "simd.": ["test_lanes.py"],
    "quad.": ["test_lanes.py"],
    "vector.": ["test_vectors.py"],
    "matrix.": ["test_matrices.py"],
    "pack.": ["test_pack.py"],
    "unpack.": ["test_pack.py"],
    "simdgroup.": ["test_simdgroup_matrix.py"],
    "atomic.": ["test_atomics.py"],
    "gpu.": ["test_tracing_pages.py", "test_function_constants.py"],
}

ROWS = {row.mnemonic: row for row in _core.operations()}
CLASSES = {"F": FLOATS, "I": INTEGERS, "B": ("b1",), "A": tuple(NUMPY), "v": tuple(NUMPY)}
OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "~": operator.invert,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
RANDOM = 10_000


def is_value_row(row: Any) -> bool:
    """Whether a row computes values from values and can be written in Python."""
    return row.shape in ("Map", "Whole", "Cast", "Lane") and bool(row.python)


def is_elsewhere(row: Any) -> bool:
    return row.mnemonic.startswith(tuple(ELSEWHERE))


def function_of(row: Any) -> Callable[..., Any]:
    return OPERATORS.get(row.python) or getattr(_core, row.python)


def class_of(row: Any) -> str:
    """The letter of the row's signature that stands for its types, nothing for vectors."""
    return next((letter for letter in row.operands if letter in CLASSES), "")


def dtypes_of(row: Any) -> tuple[str, ...]:
    """The types for which this row is chosen among those of its Python name."""
    before = itertools.takewhile(lambda r: r.mnemonic != row.mnemonic, ROWS.values())
    taken = {t for r in before if r.python == row.python for t in CLASSES.get(class_of(r), ())}
    return tuple(t for t in CLASSES.get(class_of(row), ()) if t not in taken)


def result_dtype(row: Any, dtype: str) -> str:
    unsigned = f"u{dtype[1:]}" if dtype in INTEGERS else dtype
    return {"T": dtype, "b": "b1", "f": "f32", "u": "u32", "U": unsigned}[row.result]


@dataclass(frozen=True)
class Case:
    """A row for one type, and where its results go."""

    row: Any
    dtype: str
    result: str

    def __str__(self) -> str:
        arrow = f" as {self.result}" if self.row.result == "?" else ""
        return f"{self.row.python} of {self.dtype}{arrow}"


@functools.cache
def cases_of(dtype: str) -> list[Case]:
    """All that can be computed from operands of a type."""
    cases = []
    for row in ROWS.values():
        if not is_value_row(row) or is_elsewhere(row) or dtype not in dtypes_of(row):
            continue
        if row.mnemonic in CONVERSIONS:
            some = np.empty(1, NUMPY[dtype])
            convert = CONVERSIONS[row.mnemonic]
            cases += [Case(row, dtype, to) for to in NUMPY if convert(some, NUMPY[to]) is not None]
        else:
            cases.append(Case(row, dtype, result_dtype(row, dtype)))
    return cases


@dataclass(frozen=True)
class Operands:
    """Operands of a type, three for its class letter, two for u and f and one for b."""

    values: tuple[np.ndarray, ...]
    floats: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    conditions: tuple[np.ndarray, ...]

    def of(self, row: Any) -> list[np.ndarray]:
        """Those that the row takes, in its order."""
        left = {"f": iter(self.floats), "u": iter(self.counts), "b": iter(self.conditions)}
        values = iter(self.values)
        return [next(left.get(letter, values)) for letter in row.operands]


@functools.cache
def operands_of(dtype: str) -> Operands:
    edges = edge_values(dtype)
    few = edges if len(edges) < 9 else some_edges(dtype)
    triples = np.array(list(itertools.product(few, repeat=3)), NUMPY[dtype]).T
    pairs = [np.repeat(edges, len(edges)), np.tile(edges, len(edges))]
    count = RANDOM + -(len(pairs[0]) + len(triples[0]) + RANDOM) % 256
    values = [
        np.concatenate([part, triples[k], random_values(dtype, count, k)])
        for k, part in enumerate([*pairs, np.roll(pairs[0], 7)])
    ]
    if dtype in FLOATS:  # tenths, whose quotients are all but whole numbers
        for k, x in enumerate(values):
            x[-1000:] = np.round(random_values("i16", 1000, k) / 327, 1)
    total = len(values[0])
    rng = np.random.default_rng(9)
    sizes = [0, 1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 2**31 - 1, 2**31, 2**32 - 1]
    counts = [
        np.where(rng.random(total) < 0.2, rng.choice(sizes, total), rng.integers(0, 70, total))
        for _ in range(2)
    ]
    floats = [np.resize(flush(edge_values("f32")), total), np.round(rng.uniform(-200, 200, total))]
    conditions = rng.integers(0, 2, total).astype(np.bool_)
    return Operands(
        tuple(values),
        tuple(f.astype(np.float32) for f in floats),
        tuple(c.astype(np.uint32) for c in counts),
        (conditions,),
    )


def some_edges(dtype: str) -> list[Any]:
    if dtype in FLOATS:
        info = ml_dtypes.finfo(NUMPY[dtype])
        least, huge = float(info.smallest_subnormal), float(info.max)
        return [0.0, -0.0, 1.0, -2.5, least, huge, -huge, np.inf, np.nan]
    info = np.iinfo(NUMPY[dtype])
    return [0, 1, 3, info.max, info.max - 1, info.min, info.min + 1, info.max // 2 + 1]


def run(dtype: str) -> dict[Case, np.ndarray]:
    """The results of all cases of a type on the default device, by one kernel."""
    operands = operands_of(dtype)
    n = len(operands.values[0])
    places = {t: [case for case in cases_of(dtype) if case.result == t] for t in NUMPY}

    # fmt: off
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Z: dtype, S: enigma.f32, T: enigma.f32,
               N: enigma.u32, M: enigma.u32, C: enigma.b1,
               F32: enigma.f32, F16: enigma.f16, BF16: enigma.bf16,
               I8: enigma.i8, I16: enigma.i16, I32: enigma.i32, I64: enigma.i64,
               U8: enigma.u8, U16: enigma.u16, U32: enigma.u32, U64: enigma.u64, B1: enigma.b1):
        # fmt: on
        i = enigma.thread_position_in_grid
        given = Operands((X[i], Y[i], Z[i]), (S[i], T[i]), (N[i], M[i]), (C[i],))
        buffers = [F32, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, B1]
        for (to, there), out in zip(places.items(), buffers, strict=True):
            for k, case in enumerate(there):
                values = given.of(case.row) + ([to] if case.row.result == "?" else [])
                out[i + k * n] = function_of(case.row)(*values)

    results = {t: np.empty(max(len(there) * n, 1), NUMPY[t]) for t, there in places.items()}
    inputs = (*operands.values, *operands.floats, *operands.counts, *operands.conditions)
    enigma.compile(kernel)(*inputs, *results.values(), grid=n, threads=256)
    return {
        case: results[t][k * n : (k + 1) * n]
        for t, there in places.items()
        for k, case in enumerate(there)
    }


# ---- what the results must be -------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """The largest distance of a case's results from the reference, and the worst that is wrong."""

    ulps: float
    wrong: str | None


@functools.cache
def expected(case: Case, flushed: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the reference gives, before it is rounded to the type, and where it promises that.

    `flushed`: for operands whose denormals count as zeros.
    """
    given = operands_of(case.dtype).of(case.row)
    if flushed:
        given = [flush(x) for x in given]
    to = NUMPY[case.result]
    if case.row.mnemonic in CONVERSIONS:
        return CONVERSIONS[case.row.mnemonic](given[0], to), np.ones(len(given[0]), bool)
    reference = REFERENCES[case.row.mnemonic]
    if isinstance(reference, Real):
        wide = [x.astype(np.float64) for x in given]
        with np.errstate(all="ignore"):
            value = np.asarray(reference.function(*wide))
            inside = reference.domain(*wide) if reference.domain else np.ones(len(value), bool)
        return value, inside
    limits = None
    if case.dtype != "b1":
        limits = (ml_dtypes.finfo if case.dtype in FLOATS else np.iinfo)(NUMPY[case.dtype])
    values = [
        reference.function(limits, *x) for x in zip(*(g.tolist() for g in given), strict=True)
    ]
    inside = np.array([v is not None for v in values])
    if case.result in INTEGERS:
        bits = 2 ** np.iinfo(to).bits
        wrapped = np.array([0 if v is None else v % bits for v in values], np.uint64)
        return wrapped.astype(f"u{to.itemsize}").view(to), inside
    return np.array(
        [0 if v is None else v for v in values], np.bool_ if case.result == "b1" else float
    ), inside


def flush(x: np.ndarray) -> np.ndarray:
    if x.dtype not in (NUMPY["f32"], NUMPY["bf16"]):
        return x
    with np.errstate(invalid="ignore"):
        small = np.abs(x) < ml_dtypes.finfo(x.dtype).tiny
    return np.where(small, np.copysign(x.dtype.type(0), x), x)


def distances(case: Case, got: np.ndarray, flushed: bool) -> np.ndarray:
    """How far each result is away; infinity where it is just wrong."""
    value, inside = expected(case, flushed)
    reference = REFERENCES.get(case.row.mnemonic)
    with np.errstate(all="ignore"):
        rounded = value if value.dtype == got.dtype else value.astype(got.dtype)
        wide, want = got.astype(np.float64), rounded.astype(np.float64)
    if case.result not in FLOATS:
        return np.where(inside & (got != rounded), np.inf, 0.0)
    either_zero = isinstance(reference, Real) and reference.either_zero
    tiny = float(ml_dtypes.finfo(got.dtype).tiny) if case.result != "f16" else 0.0
    same = (wide == want) & ((np.signbit(wide) == np.signbit(want)) | (wide != 0) | either_zero)
    same |= np.isnan(wide) & np.isnan(want)
    same |= (wide == 0) & (np.abs(want) < tiny)  # a denormal may be flushed
    if isinstance(reference, Real) and reference.ulps:
        zero = (value == 0) & (np.signbit(wide) != np.signbit(value)) & (not either_zero)
        apart = np.where(zero, np.inf, ulps_apart(got, value.astype(np.float64)))
        return np.where(inside, apart, 0.0)
    return np.where(inside & ~same, np.inf, 0.0)


def judge(case: Case, got: np.ndarray) -> Verdict:
    """Whether results are what the reference says."""
    apart = distances(case, got, flushed=False)
    if case.dtype in ("f32", "bf16"):
        apart = np.minimum(apart, distances(case, got, flushed=True))
    reference = REFERENCES.get(case.row.mnemonic)
    limit = reference.ulps if isinstance(reference, Real) else 0.0
    if limit and case.dtype != "f32":
        limit = 1.0  # computed in float and rounded once more
    wrong = None
    if not (apart <= limit).all():
        k = int(np.argmax(apart))
        shown = ", ".join(repr(x[k]) for x in operands_of(case.dtype).of(case.row))
        value, _ = expected(case, False)
        wrong = (
            f"{case}: f({shown}) = {got[k]!r}, not {value[k]!r}: {apart[k]:.3g} ulps, "
            f"{limit} are allowed ({np.count_nonzero(apart > limit)} of {len(got)} are wrong)"
        )
    return Verdict(float(apart.max()), wrong)
