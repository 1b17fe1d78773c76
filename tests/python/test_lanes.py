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


class Lanes:
    """A case: the threads that are active, and what every operation must give them."""

    def __init__(self, dtype: str, threads: int, active: np.ndarray) -> None:
        self.dtype, self.threads, self.active = dtype, threads, active
        self.total = total = len(active)
        rng = np.random.default_rng(1)
        self.joins = [(scope, name) for scope in WIDTHS for name in joins_of(dtype)]
        self.moves = [(scope, *move) for scope in WIDTHS for move in MOVES]
        self.moves += [(scope, name, None) for scope in WIDTHS for name in TRACED]
        self.x, self.y = values(dtype, total), random_values(dtype, total)
        self.numbers = rng.integers(0, 40, total, np.uint32)
        sources = [self._sources(*move) for move in self.moves]
        # Lanes that read one that is not active, which may hold anything, keep their own.
        self.defined = np.array([active[source] & (source >= 0) for source in sources])
        self.out = np.zeros((len(self.joins) + len(self.moves), total), NUMPY[dtype])
        self.want = self.out.copy()
        for k, (scope, name) in enumerate(self.joins):
            for unit in self._units(scope):
                lanes = unit[active[unit]]
                if len(lanes):
                    self.want[k, lanes] = joined(name, self.x[lanes])
        for k, source in enumerate(sources, len(self.joins)):
            moved = np.where(self.defined[k - len(self.joins)], self.y[source], self.y)
            self.want[k, active] = moved[active]

    def _units(self, scope: str) -> Iterator[np.ndarray]:
        return units(self.total, self.threads, WIDTHS[scope])

    def _sources(self, scope: str, name: str, number: int | None) -> np.ndarray:
        """The thread that each reads; -1 where there is none."""
        found = np.full(self.total, -1)
        for unit in self._units(scope):
            for lane, k in enumerate(unit):
                n = int(self.numbers[k]) if number is None else number
                other = source(name, lane, n, WIDTHS[scope])
                found[k] = unit[other] if other < len(unit) else -1
        return found

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.x, self.y, self.numbers, self.defined.ravel(), self.out.ravel()

    def write(self, i, x, y, n, defined, out) -> None:
        """In a kernel: all operations, one after the other."""
        results = [getattr(enigma, f"{scope}_{name}")(x) for scope, name in self.joins]
        for k, (scope, name, number) in enumerate(self.moves):
            moved = getattr(enigma, f"{scope}_{name}")(y, n if number is None else number)
            results.append(enigma.where(y, moved, defined[i + k * self.total]))
        for k, result in enumerate(results):
            out[i + k * self.total] = result

    def check(self) -> None:
        for case, got, want in zip([*self.joins, *self.moves], self.out, self.want, strict=True):
            shown = f"{case}, groups of {self.threads}"
            np.testing.assert_array_equal(got, want, err_msg=shown)


@pytest.mark.parametrize("dtype", NUMPY)
def test_full_and_partial_groups(dtype: str) -> None:
    for threads in (1, 5, 32, 33, 100, 256):
        lanes = Lanes(dtype, threads, np.ones(2 * threads + threads // 2, bool))

        @enigma.kernel
        def kernel(X: dtype, Y: dtype, N: enigma.u32, Defined: enigma.b1, Out: dtype):
            i = enigma.thread_position_in_grid
            lanes.write(i, X[i], Y[i], N[i], Defined, Out)

        enigma.compile(kernel)(*lanes.arrays, grid=lanes.total, threads=threads)
        lanes.check()


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize("where", ["odd", "low", "turns"])
def test_divergence(where: str, dtype: str) -> None:
    lane = np.arange(250) % 100 % 32
    active = {"odd": lane % 2 == 1, "low": lane < 13, "turns": lane % 3 == 2}
    lanes = Lanes(dtype, 100, active[where])

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, N: enigma.u32, Defined: enigma.b1, Out: dtype, K: enigma.u32):
        i = enigma.thread_position_in_grid
        lane = enigma.thread_index_in_simdgroup()
        x, y, n = X[i], Y[i], N[i]
        if where == "turns":  # the last of three turns is what stays
            with enigma.for_range(0, lane % 3 + 1, dtype="uint") as turn:
                with enigma.if_(turn == 2):
                    lanes.write(i, x, y, n, Defined, Out)
        else:
            with enigma.if_(lane % 2 == 1 if where == "odd" else lane < K[0]):
                lanes.write(i, x, y, n, Defined, Out)

    limit = np.array([13], np.uint32)
    enigma.compile(kernel)(*lanes.arrays, limit, grid=lanes.total, threads=100)
    lanes.check()
