"""Two threads over one, in bursts of milliseconds after a rest, and nobody pins anything.

Copies by two threads of Python's show what the machine's memory gives to two at all: a kernel
that does nothing but move memory gains no more than they do.
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
    grid = {"grid": size, "threads": 256}
    activation = enigma.compile(gelu)
    burst(
        table,
        "GELU, 16 Mi floats",
        lambda: activation(x, out, **grid, runtime=one),
        lambda: activation(x, out, **grid, runtime=two),
        GOAL,
    )
    add = enigma.compile(vector_add())
    burst(
        table,
        "vector add, 3 x 64 MiB",
        lambda: add(x, y, out, **grid, runtime=one),
        lambda: add(x, y, out, **grid, runtime=two),
    )
    half = size // 2
    with ThreadPoolExecutor(1) as other:

        def copies() -> None:
            second = other.submit(np.copyto, out[half:], x[half:])
            np.copyto(out[:half], x[:half])
            second.result()

        burst(table, "memcpy, 64 MiB, by two of Python's", lambda: np.copyto(out, x), copies)


def burst(table: Table, what: str, alone: Run, both: Run, goal: float | None = None) -> None:
    times = interleaved({"alone": alone, "both": both}, 15, rest=0.2)
    table.ratio(what, times["both"], "one thread", times["alone"] / times["both"], goal)
