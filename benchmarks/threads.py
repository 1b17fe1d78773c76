"""Two threads over one, in bursts of milliseconds after a rest, and nobody pins anything."""

import os

import numpy as np

import enigma
from benchmarks import matmul
from benchmarks.measure import interleaved, vector_add
from benchmarks.table import Table


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
    )

    size = 16 << 20
    x, y, out = np.ones((3, size), np.float32)
    add = enigma.compile(vector_add())
    burst(
        table,
        "vector add, 3 x 64 MiB",
        lambda: add(x, y, out, grid=size, threads=256, runtime=one),
        lambda: add(x, y, out, grid=size, threads=256, runtime=two),
    )


def burst(table: Table, what: str, alone, both) -> None:
    times = interleaved({"alone": alone, "both": both}, 15, rest=0.2)
    table.ratio(what, times["both"], "one thread", times["alone"] / times["both"], 1.7)
