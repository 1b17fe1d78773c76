"""Operations across lanes against numpy: every type, full and partial groups, and divergence."""

from collections.abc import Iterator

import numpy as np
import pytest
from reference import FLOATS, INTEGERS, NUMPY, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")

WIDTHS = {"simd": 32, "quad": 4}
JOINS = {
    "sum": (np.add, 0),
    "product": (np.multiply, 1),
    "min": (np.minimum, None),
    "max": (np.maximum, None),
}
BITS = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}
# Lanes and distances; beyond the width numbers of lanes are taken modulo it.
MOVES = [("shuffle", 2), ("shuffle", 35), ("shuffle_xor", 1), ("shuffle_xor", 37)]
MOVES += [("shuffle_up", 1), ("shuffle_up", 5), ("shuffle_up", 99)]
MOVES += [("shuffle_down", 2), ("shuffle_down", 2**31), ("broadcast", 0), ("broadcast", 6)]
TRACED = ["shuffle", "shuffle_xor", "shuffle_up", "shuffle_down"]
STRIDE = 640  # between the results of two operations: one kernel does for all sizes


def values(dtype: str, count: int) -> np.ndarray:
    """Of floats those whose sums and products are exact, in whatever order they are made."""
    if dtype not in FLOATS:
        return random_values(dtype, count)
    rng = np.random.default_rng(3)
    return (rng.choice([0.5, 1, 1, 1, 2], count) * rng.choice([-1, 1], count)).astype(NUMPY[dtype])


def joins_of(dtype: str) -> list[str]:
    """The names that join values of a type, without simd_ and quad_."""
    if dtype == "b1":
        return list(BITS)
    scans = [f"prefix_{form}_{kind}" for form in ("inclusive", "exclusive") for kind in JOINS]
    scans = [name for name in scans if name.endswith(("sum", "product"))]
    return [*JOINS, *scans, *(BITS if dtype in INTEGERS else ())]


def units(total: int, threads: int, width: int) -> Iterator[np.ndarray]:
    """The threads of each SIMD-group or quad of a grid."""
    for first in range(0, total, threads):
        group = np.arange(first, min(first + threads, total))
        for k in range(0, len(group), 32):
            simd = group[k : k + 32]
            yield from (simd[j : j + width] for j in range(0, len(simd), width))


def joined(name: str, x: np.ndarray) -> np.ndarray:
    """What the active lanes, whose values are x, get."""
    *form, kind = name.removeprefix("prefix_").split("_")
    wide = x if x.dtype.kind in "iub" else x.astype(np.float64)
    function, identity = JOINS[kind] if kind in JOINS else (BITS[kind], None)
    if not form:
        return np.full(len(x), function.reduce(wide, dtype=wide.dtype))
    scanned = function.accumulate(wide, dtype=wide.dtype)
    if form == ["inclusive"]:
        return scanned
    return np.concatenate([np.array([identity], wide.dtype), scanned[:-1]])


def source(name: str, lane: int, n: int, width: int) -> int:
    """The lane that is read."""
    if name == "shuffle_up":
        return lane - n if n <= lane else lane
    if name == "shuffle_down":
        return lane + n if lane + n < width else lane
    return (lane ^ n) % width if name == "shuffle_xor" else n % width


def joins(dtype: str) -> list[tuple[str, str]]:
    return [(scope, name) for scope in WIDTHS for name in joins_of(dtype)]


def moves() -> list[tuple[str, str, int | None]]:
    fixed = [(scope, *move) for scope in WIDTHS for move in MOVES]
    return [*fixed, *((scope, name, None) for scope in WIDTHS for name in TRACED)]


def write_all(dtype: str, i, x, y, n, defined, out) -> None:
    """In a kernel: all operations, one after the other."""
    results = [getattr(enigma, f"{scope}_{name}")(x) for scope, name in joins(dtype)]
    for k, (scope, name, number) in enumerate(moves()):
        moved = getattr(enigma, f"{scope}_{name}")(y, n if number is None else number)
        results.append(enigma.where(y, moved, defined[i + k * STRIDE]))
    for k, result in enumerate(results):
        out[i + k * STRIDE] = result


class Lanes:
    """A case: the threads that are active, and what every operation must give them."""

    def __init__(self, dtype: str, threads: int, active: np.ndarray) -> None:
        self.dtype, self.threads, self.total = dtype, threads, len(active)
        self.x, self.y = values(dtype, self.total), random_values(dtype, self.total)
        self.numbers = np.random.default_rng(1).integers(0, 40, self.total, np.uint32)
        self.defined = np.zeros((len(moves()), STRIDE), np.bool_)
        self.out = np.zeros((len(joins(dtype)) + len(moves()), STRIDE), NUMPY[dtype])
        self.want = self.out.copy()
        for want, (scope, name) in zip(self.want, joins(dtype), strict=False):
            for unit in units(self.total, threads, WIDTHS[scope]):
                lanes = unit[active[unit]]
                if len(lanes):
                    want[lanes] = joined(name, self.x[lanes])
        for k, move in enumerate(moves()):
            other = self._sources(*move)
            # Lanes that read one that is not active, which may hold anything, keep their own.
            defined = active[other] & (other >= 0)
            self.defined[k, : self.total] = defined
            moved = np.where(defined, self.y[other], self.y)
            self.want[len(joins(dtype)) + k, : self.total][active] = moved[active]

    def _sources(self, scope: str, name: str, number: int | None) -> np.ndarray:
        """The thread that each reads; -1 where there is none."""
        found = np.full(self.total, -1)
        for unit in units(self.total, self.threads, WIDTHS[scope]):
            for lane, k in enumerate(unit):
                n = int(self.numbers[k]) if number is None else number
                other = source(name, lane, n, WIDTHS[scope])
                found[k] = unit[other] if other < len(unit) else -1
        return found

    def run(self, compiled: enigma.CompiledKernel, *more: np.ndarray) -> None:
        arrays = self.x, self.y, self.numbers, self.defined.reshape(-1), self.out.reshape(-1)
        compiled(*arrays, *more, grid=self.total, threads=self.threads)
        cases = [*joins(self.dtype), *moves()]
        for case, got, want in zip(cases, self.out, self.want, strict=True):
            shown = f"{case}, groups of {self.threads}"
            np.testing.assert_array_equal(got, want, err_msg=shown)


@pytest.mark.parametrize("dtype", NUMPY)
def test_full_and_partial_groups(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, N: enigma.u32, Defined: enigma.b1, Out: dtype):
        i = enigma.thread_position_in_grid
        write_all(dtype, i, X[i], Y[i], N[i], Defined, Out)

    compiled = enigma.compile(kernel)
    for threads in (1, 5, 32, 33, 100, 256):
        Lanes(dtype, threads, np.ones(2 * threads + threads // 2, bool)).run(compiled)


@pytest.mark.parametrize("dtype", NUMPY)
def test_divergence(dtype: str) -> None:
    # fmt: off
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, N: enigma.u32, Defined: enigma.b1, Out: dtype,
               Trips: enigma.u32, Turn: enigma.u32):
        # fmt: on
        i = enigma.thread_position_in_grid
        x, y, n = X[i], Y[i], N[i]
        with enigma.for_range(0, Trips[i], dtype="uint") as turn:
            with enigma.if_(turn == Turn[0]):
                write_all(dtype, i, x, y, n, Defined, Out)

    compiled = enigma.compile(kernel)
    lane = np.arange(250) % 100 % 32
    odd, low, some = lane % 2, lane < 13, lane * 7 % 3
    for trips, turn in ((odd, 0), (low, 0), (some, 1)):
        case = Lanes(dtype, 100, trips > turn)
        case.run(compiled, trips.astype(np.uint32), np.array([turn], np.uint32))


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "i8", "u64", "b1"])
@pytest.mark.parametrize("size", [2, 3])
def test_vectors_go_by_components(size: int, dtype: str) -> None:
    names = [*joins_of(dtype), "shuffle_xor", "broadcast"]

    def apply(scope: str, name: str, x):
        return getattr(enigma, f"{scope}_{name}")(x, *([1] if name in names[-2:] else []))

    @enigma.kernel
    def kernel(X: dtype, Vectors: dtype, Numbers: dtype):
        i = enigma.thread_position_in_grid
        parts = [X[i + 50 * c] for c in range(size)]
        with enigma.if_(i % 8 < 6):  # lanes that read from each other are active together
            whole = enigma.make_vec(*parts)
            for k, (scope, name) in enumerate((s, n) for s in WIDTHS for n in names):
                of_vector = apply(scope, name, whole)
                for c, part in enumerate(parts):
                    at = i + 50 * (k * size + c)
                    Vectors[at] = enigma.vec_extract(of_vector, c)
                    Numbers[at] = apply(scope, name, part)

    x = values(dtype, 50 * size)
    vectors, numbers = np.zeros((2, 2 * len(names) * 50 * size), NUMPY[dtype])
    enigma.compile(kernel)(x, vectors, numbers, grid=50, threads=50)
    np.testing.assert_array_equal(vectors, numbers)


def test_one_value_for_all_is_counted() -> None:
    @enigma.kernel
    def kernel(Out: enigma.i32, Narrow: enigma.i8):
        i = enigma.thread_position_in_grid
        with enigma.if_(i % 3 != 0):
            Out[i] = enigma.quad_sum(1)
            Out[i + 40] = enigma.simd_prefix_exclusive_sum(1)
            Out[i + 80] = enigma.quad_broadcast(i, i)  # the number of the quad's first that asks
            Narrow[i] = enigma.simd_sum(enigma.i8(100))

    out, narrow = np.zeros(120, np.int32), np.zeros(40, np.int8)
    enigma.compile(kernel)(out, narrow, grid=40, threads=40)
    i = np.arange(40)
    active = i % 3 != 0
    quads = active.reshape(-1, 4)
    before = np.concatenate([np.cumsum(active[s]) - active[s] for s in (i < 32, i >= 32)])
    first = (quads.argmax(1)[:, None] + np.arange(0, 40, 4)[:, None]).repeat(4, 1).ravel()
    wanted = [quads.sum(1).repeat(4), before, first]
    for got, want in zip(out.reshape(3, 40), wanted, strict=True):
        np.testing.assert_array_equal(got, np.where(active, want, 0))
    sums = np.where(i < 32, active[:32].sum() * 100, active[32:].sum() * 100).astype(np.int8)
    np.testing.assert_array_equal(narrow, np.where(active, sums, 0))


def test_sums_of_bools_are_refused() -> None:
    @enigma.kernel
    def kernel(X: enigma.b1, Out: enigma.i32):
        Out[0] = enigma.quad_sum(X[0])

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.filename == __file__
    for text in ("quad_sum takes floats or integers, not ", 'write metal_cast(x, "int")'):
        assert text in caught.value.message


def test_metals_own_functions_are_called() -> None:
    names = ["simd_shuffle_up", "simd_shuffle_down", "quad_shuffle_up", "quad_shuffle_down"]

    @enigma.kernel
    def kernel(X: enigma.f16, Out: enigma.f16):
        i = enigma.thread_position_in_grid
        for k, name in enumerate(names):
            Out[i + 32 * k] = getattr(enigma, name)(X[i], 1)

    x, out = np.arange(32, dtype=np.float16), np.empty(128, np.float16)
    compiled = enigma.compile(kernel)
    compiled(x, out, grid=32, threads=32)
    quads = x.reshape(-1, 4)
    wanted = [x[[0, *range(31)]], x[[*range(1, 32), 31]]]
    wanted += [quads[:, [0, 0, 1, 2]].ravel(), quads[:, [1, 2, 3, 3]].ravel()]
    for name, got, want in zip(names, out.reshape(4, 32), wanted, strict=True):
        assert f"= {name}(" in compiled.metal_source
        np.testing.assert_array_equal(got, want)
