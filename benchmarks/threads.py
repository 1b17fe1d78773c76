"""Two threads over one, in bursts of milliseconds after a rest, and nobody pins anything.

The goal is for what computes or is in the caches. What does nothing but move memory has none:
there, copies by two threads of Python's show what the machine gives to two at all.
"""

import os
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


def run(table: Table) -> None:
    table.begin("Two threads over one")
    if (os.cpu_count() or 1) < 2:
        table.add("a second core", "missing")
        return
    one, two = enigma.CpuRuntime(threads=1), enigma.CpuRuntime(threads=2)

    n = 1024
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, n, n)).astype(np.float32)
    c = np.empty_like(a)
    tiled = enigma.compile(matmul.tiled)
    burst(
        table,
        "matmul 1024, tiles of 32 x 32",
        lambda: matmul.run(tiled, a, b, c, one),
        lambda: matmul.run(tiled, a, b, c, two),
        GOAL,
    )

    size = 16 << 20
    x, y, out = np.ones((3, size), np.float32)
    activation, add = enigma.compile(gelu), enigma.compile(vector_add())

    def streams(runtime: enigma.CpuRuntime, kernel: enigma.CompiledKernel, n: int, times: int):
        arrays = (x[:n], out[:n]) if kernel is activation else (x[:n], y[:n], out[:n])

        def run() -> None:
            for _ in range(times):
                kernel(*arrays, grid=n, threads=256, runtime=runtime)

        return run

    mi = 1 << 20
    for what, kernel, n, times, goal in (
        ("GELU, 1 Mi floats, 16 times", activation, mi, 16, GOAL),
        ("vector add, 3 x 4 MiB, 32 times", add, mi, 32, GOAL),
        ("GELU, 16 Mi floats", activation, size, 1, GOAL),
        ("vector add, 3 x 64 MiB", add, size, 1, None),
    ):
        alone, both = (streams(runtime, kernel, n, times) for runtime in (one, two))
        burst(table, what, alone, both, goal)
    half = size // 2
    with ThreadPoolExecutor(1) as other:

        def copies() -> None:
            second = other.submit(np.copyto, out[half:], x[half:])
            np.copyto(out[:half], x[:half])
            second.result()

        burst(table, "memcpy, 64 MiB, by two of Python's", lambda: np.copyto(out, x), copies)


def burst(table: Table, what: str, alone: Run, both: Run, goal: float | None = None) -> None:
    times = interleaved({"alone": alone, "both": both}, 15, rest=0.2)
    table.ratio(what, times["both"], "one thread", times["alone"], goal)
