"""What a launch costs when there is nothing to do."""

import numpy as np

import enigma
from benchmarks.measure import repeated, vector_add
from benchmarks.table import Table


def run(table: Table) -> None:
    table.begin("Launches of 32 threads on the CPU device")
    runtime = enigma.CpuRuntime()
    x = np.ones(32, np.float32)
    compiled = enigma.compile(vector_add())
    tiny = (32, 1, 1)
    with runtime.prepare(compiled, inputs=[x, x], output_size=x.nbytes) as prepared:
        seconds = repeated(lambda: prepared.dispatch(tiny, tiny), 201, 1000)
        assert (prepared.read_output(0, np.float32) == 2).all()
    table.at_most("prepared dispatch", seconds * 1e6, "us", 0.15)
    out = np.empty_like(x)
    seconds = repeated(
        lambda: compiled(x, x, out, grid=tiny, threads=tiny, runtime=runtime), 101, 1000
    )
    assert (out == 2).all()
    table.at_most("direct call with three arrays", seconds * 1e6, "us", 1)
