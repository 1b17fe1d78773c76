"""How the time to compile grows with the kernel: no faster than n log n, whatever its shape."""

import gc
import itertools
import math
import statistics
import time
from collections.abc import Callable

import numpy as np

import enigma
from benchmarks.table import Table
from enigma import _core

# A kernel of so many operations; `anew` is another number for each, so that nothing is remembered
# of an earlier one.
Shape = Callable[[int, int], enigma.KernelDef]
_anew = itertools.count()


def straight(size: int, anew: int) -> enigma.KernelDef:
    @enigma.kernel
    def straight(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        y = A[i + anew]
        for k in range(size // 2):
            x = x * float(k % 7 + 2) + y
        B[i] = x

    return straight


def stores(size: int, anew: int) -> enigma.KernelDef:
    @enigma.kernel
    def stores(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        for k in range(size // 7):
            B[i * 4 + k] = A[i + k + anew] * 2.0

    return stores


def kept(size: int, anew: int) -> enigma.KernelDef:
    """All values are computed before the first is used."""

    @enigma.kernel
    def kept(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        values = [A[i + k + anew] for k in range(size // 4)]
        total = 0.0
        for value in reversed(values):
            total = total + value
        B[i] = total

    return kept


def ifs(size: int, anew: int) -> enigma.KernelDef:
    @enigma.kernel
    def ifs(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        results = []
        for k in range(size // 10):
            with enigma.if_(x > float(k) + anew):
                x = x * 2.0 + A[i + k]
            results.append(x)
        B[i] = results[-1]

    return ifs


def loops(size: int, anew: int) -> enigma.KernelDef:
    @enigma.kernel
    def loops(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        for k in range(size // 22):
            with enigma.for_range(0, 8) as a:
                x = x + A[a + k + anew]
                with enigma.for_range(0, 8) as b:
                    x = x + A[b + a]
                    with enigma.for_range(0, 8) as c:
                        x = x + A[c * b + k]
        B[i] = x

    return loops


def barriers(size: int, anew: int) -> enigma.KernelDef:
    @enigma.kernel
    def barriers(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        me = enigma.thread_position_in_threadgroup()
        shared = enigma.threadgroup_alloc("float", 64)
        for k in range(size // 12):
            shared[me] = A[i + k + anew]
            enigma.barrier()
            B[i] = shared[(me + 1) % 32]
            enigma.barrier()

    return barriers


def registers(size: int, anew: int) -> enigma.KernelDef:
    """A loop that carries them all, and turns them round."""
    count = size // 8

    @enigma.kernel
    def registers(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        values = enigma.Carry(*[A[i + k + anew] for k in range(count)])
        with enigma.for_range(0, 8):
            turned = [values[(k + 1) % count] for k in range(count)]
            for k in range(count):
                values[k] = turned[k]
        for k in range(count):
            B[i + k] = values[k]

    return registers


SHAPES: list[Shape] = [
    straight,
    stores,
    kept,
    ifs,
    loops,
    barriers,
    registers,
]


class _Stop(Exception):
    pass


def seconds(kernel: enigma.KernelDef) -> tuple[float, float]:
    """From Python to MSL, and from the IR to the text that LLVM gets, in time of this process."""
    texts: list[str] = []

    def keep(text: str) -> bytes:
        texts.append(text)
        raise _Stop

    start = time.process_time()
    compiled = enigma.compile(kernel)
    assert compiled.metal_source
    to_msl = time.process_time() - start
    arrays = np.zeros((2, compiled.ir.count("\n") * 2 + 4096), np.float32)
    device = _core.cpu_runtime(keep, 1, "")
    start = time.process_time()
    try:
        _core.call(device, compiled.artifact, tuple(arrays), 64, 64)
    except _Stop:
        pass
    assert texts
    return to_msl, time.process_time() - start


def medians(shape: Shape, size: int, runs: int) -> tuple[float, float]:
    """Of `seconds`, after one run that is not counted."""
    gc.collect()
    times = [seconds(shape(size, next(_anew))) for _ in range(runs + 1)][1:]
    msl, llvm = (statistics.median(own) for own in zip(*times, strict=True))
    return msl, llvm


def growth(shape: Shape, small: int, large: int) -> tuple[float, float]:
    """How many times as long the large kernel takes, on both ways; 1 is the growth of n log n."""
    allowed = large * math.log(large) / (small * math.log(small))
    short, long = medians(shape, small, 51), medians(shape, large, 5)
    return long[0] / short[0] / allowed, long[1] / short[1] / allowed


def run(table: Table) -> None:
    small, large = 1000, 100_000
    table.begin(f"Growth of the time to compile, {large} operations over {small}")
    for shape in SHAPES:
        for way, times in zip(
            ("Python to MSL", "IR to LLVM's text"), growth(shape, small, large), strict=True
        ):
            what = f"{shape.__name__}, {way}"
            table.add(what, f"{times:.2f}", "of n log n", "<= 1", 1 / times)
