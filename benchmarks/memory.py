"""That nothing is kept: how much the process grows by compiling, and by launching."""

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Callable

import numpy as np

import enigma
from benchmarks.growth import stores
from benchmarks.measure import from_text, vector_add
from benchmarks.table import Table
from enigma import _core

CYCLES, DISPATCHES = 10_000, 10_000_000
TINY = (32, 1, 1)

ADD_ONE = """
@enigma.jit
def {name}(mA: enigma.Tensor, mB: enigma.Tensor):
    thr = enigma.make_ordered_layout((4, 8), order=(1, 0))
    val = enigma.make_ordered_layout((1, 4), order=(1, 0))
    tiler, tv = enigma.make_layout_tv(thr, val)
    gA = enigma.tensor_zipped_divide(mA, tiler)
    gB = enigma.tensor_zipped_divide(mB, tiler)

    @enigma.kernel
    def add_one(blkA, blkB, tv):
        thread = enigma.thread_position_in_grid
        a = enigma.tensor_composition(blkA, tv, tiler)[(thread, None)]
        b = enigma.tensor_composition(blkB, tv, tiler)[(thread, None)]
        b.store(a.load() + 1.0)

    add_one.launch(grid=..., block=...)
"""


def resident() -> float:
    """MiB that the process holds now; on a Mac the most that it has held."""
    gc.collect()
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class _Heap(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks"),
            *("used", "fordblks", "keepcost"),
        )
    ]


def held(count: int, operations: int) -> float | None:
    """How many times the bytes of their texts compiled kernels hold; None where nobody can tell."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return None
    libc.mallinfo2.restype = _Heap

    def used() -> int:
        gc.collect()
        heap = libc.mallinfo2()
        return heap.used + heap.mapped

    def artifacts() -> list[_core.Artifact]:
        return [enigma.compile(stores(operations, k)).artifact for k in range(count)]

    artifacts()
    before = used()
    kept = artifacts()
    return (used() - before) / sum(len(a.ir) + len(a.msl) for a in kept)


def growth(cycle: Callable[[int], object], warm: int, cycles: int) -> float:
    """MiB by which the process grows from cycle `warm` on."""
    for k in range(warm):
        cycle(k)
    before = resident()
    for k in range(warm, warm + cycles):
        cycle(k)
    return max(0.0, resident() - before)


def kernels() -> Callable[[int], None]:
    """Compiles, runs and drops a kernel."""
    runtime = enigma.CpuRuntime(threads=1)
    x, out = np.ones((2, 32), np.float32)

    def cycle(k: int) -> None:
        out.fill(0)
        compiled = enigma.compile(vector_add(f"vadd{k % 20}"))
        compiled(x, x, out, grid=TINY, threads=TINY, runtime=runtime)
        assert (out == 2).all()

    return cycle


def jit_functions() -> Callable[[int], None]:
    """Compiles, runs and drops a jit function."""
    runtime = enigma.CpuRuntime(threads=1)
    x, out = np.ones((2, 4, 32), np.float32)
    layout = enigma.Layout((4, 32), (32, 1))
    tensors = [enigma.Tensor(name, k, "float", layout) for k, name in enumerate("AB")]

    def cycle(k: int) -> None:
        out.fill(0)
        name = f"add_one{k % 20}"
        compiled = enigma.compile(from_text(ADD_ONE.format(name=name), name), *tensors)
        compiled(x, out, runtime=runtime)
        assert (out == 2).all()

    return cycle


def growth_of_dispatches(warm: int, dispatches: int) -> tuple[float, float]:
    """MiB, for prepared dispatches of a kernel and of a jit function."""
    runtime = enigma.CpuRuntime(threads=1)
    x = np.ones(32, np.float32)
    compiled = enigma.compile(vector_add())
    with runtime.prepare(compiled, inputs=[x, x], output_size=x.nbytes) as prepared:
        kernel = growth(lambda _: prepared.dispatch(TINY, TINY), warm, dispatches)
    y = np.ones((4, 32), np.float32)
    tensors = [
        enigma.Tensor(name, k, "float", enigma.Layout((4, 32))) for k, name in enumerate("AB")
    ]
    compiled = enigma.compile(from_text(ADD_ONE.format(name="add_one"), "add_one"), *tensors)
    with runtime.prepare(compiled, inputs=[y], output_size=y.nbytes) as prepared:
        jit = growth(lambda _: prepared.dispatch(compiled.grid, compiled.block), warm, dispatches)
    return kernel, jit


def run(table: Table) -> None:
    table.begin("Memory")
    for what, cycle in (("kernels", kernels()), ("jit functions", jit_functions())):
        grown = growth(cycle, 200, CYCLES)
        table.at_most(f"growth by {CYCLES} {what} compiled, run, dropped", grown, "MiB", 10)
    times = held(20, 5000)
    if times is not None:
        table.at_most("bytes that a compiled kernel holds, over its texts", times, "x", 2)
    kernel, jit = growth_of_dispatches(1000, DISPATCHES // 2)
    table.at_most(f"growth by {DISPATCHES} dispatches of both", kernel + jit, "MiB", 10)
