"""That nothing is kept: how much the process grows by compiling, and by launching."""

import gc
import os
import resource
import sys

import numpy as np

import enigma
from benchmarks.measure import vector_add
from benchmarks.table import Table

CYCLES, DISPATCHES = 10_000, 10_000_000


def resident() -> float:
    """MiB that the process holds now; on a Mac the most that it has held."""
    gc.collect()
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run(table: Table) -> None:
    table.begin("Memory")
    runtime = enigma.CpuRuntime(threads=1)
    x, out = np.ones((2, 32), np.float32)

    def cycle(k: int) -> None:
        compiled = enigma.compile(vector_add(f"vadd{k % 20}"))
        compiled(x, x, out, grid=32, threads=32, runtime=runtime)

    for k in range(200):
        cycle(k)
    before = resident()
    for k in range(CYCLES):
        cycle(k)
    grown = max(0.0, resident() - before)
    table.at_most(f"growth by {CYCLES} kernels compiled, run, dropped", grown, "MiB", 10)

    compiled = enigma.compile(vector_add())
    with runtime.prepare(compiled, inputs=[x, x], output_size=x.nbytes) as prepared:
        tiny = (32, 1, 1)
        for _ in range(1000):
            prepared.dispatch(tiny, tiny)
        before = resident()
        for _ in range(DISPATCHES):
            prepared.dispatch(tiny, tiny)
        grown = max(0.0, resident() - before)
    table.at_most(f"growth by {DISPATCHES} dispatches", grown, "MiB", 10)
