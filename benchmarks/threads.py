"""Two threads over one, in bursts of milliseconds between rests, and nobody pins anything.

The goal is for what computes or is in the caches. What does nothing but move memory has none. What
the machine gives to two threads at all, two of Python's show in the same rounds, each held on a
processor of its own: hosts of virtual machines may have both processors on one core.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import enigma
from benchmarks import matmul
from benchmarks.measure import Run, interleaved, vector_add
from benchmarks.table import Table

GOAL = 1.7


@enigma.kernel
def gelu(X: enigma.f32, Out: enigma.f32):
    i = enigma.thread_position_in_grid
    x = X[i]
    Out[i] = 0.5 * x * (1.0 + enigma.erf(x * 0.70710678))


PROCESSORS = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def hold(k: int | None) -> None:
    """This thread on one processor, or on all of them, where the system lets it choose."""
    if len(PROCESSORS) > 1:
        os.sched_setaffinity(0, PROCESSORS if k is None else {PROCESSORS[k]})


def run(table: Table) -> None:
    table.begin("Two threads over one")
    if (os.cpu_count() or 1) < 2:
        table.add("a second core", "missing")
        return
    one, two = enigma.CpuRuntime(threads=1), enigma.CpuRuntime(threads=2)
    n, mi = 1024, 1 << 20
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, n, n)).astype(np.float32)
    c = np.empty_like(a)
    x, y, out = np.ones((3, 16 * mi), np.float32)
    tiled, add = enigma.compile(matmul.tiled), enigma.compile(vector_add())
    activation = enigma.compile(gelu)

    def product(runtime: enigma.CpuRuntime) -> Run:
        return lambda: matmul.run(tiled, a, b, c, runtime)

    def stream(kernel: enigma.CompiledKernel, arrays, n: int, times: int):
        def on(runtime: enigma.CpuRuntime) -> Run:
            given, size = [x[:n] for x in arrays], {"grid": n, "threads": 256, "runtime": runtime}
            return lambda: [kernel(*given, **size) for _ in range(times)]

        return on

    def exponentials(x: np.ndarray, out: np.ndarray) -> None:
        for _ in range(8):
            np.exp(x[: len(x) // 16], out=out[: len(x) // 16])

    def copy(x: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, x)

    rows = [
        (what, on(one), on(two), goal)
        for what, on, goal in (
            ("matmul 1024, tiles of 32 x 32", product, GOAL),
            ("GELU, 1 Mi floats, 16 times", stream(activation, (x, out), mi, 16), GOAL),
            ("vector add, 3 x 4 MiB, 32 times", stream(add, (x, y, out), mi, 32), GOAL),
            ("GELU, 16 Mi floats", stream(activation, (x, out), 16 * mi, 1), GOAL),
            ("vector add, 3 x 64 MiB", stream(add, (x, y, out), 16 * mi, 1), None),
        )
    ]
    with ThreadPoolExecutor(1, initializer=hold, initargs=(1,)) as other:

        def halves(work) -> Run:
            middle = len(x) // 2

            def both() -> None:
                second = other.submit(work, x[middle:], out[middle:])
                hold(0)
                work(x[:middle], out[:middle])
                second.result()
                hold(None)

            return both

        for what, work in (
            ("np.exp, 1 Mi floats, 8 times, by two of Python's", exponentials),
            ("memcpy, 64 MiB, by two of Python's", copy),
        ):
            rows.append((what, lambda work=work: work(x, out), halves(work), None))
        candidates = {f"{what}, {k}": row[k] for what, *row, _ in rows for k in (0, 1)}
        times = interleaved(candidates, 15, rest=0.2)
    for what, *_, goal in rows:
        table.ratio(what, times[f"{what}, 1"], "one thread", times[f"{what}, 0"], goal)
