"""What compiling costs: the import, Python to MSL, machine code, the disk cache."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matmul
import numpy as np
import rmsnorm

import enigma
from benchmarks.measure import repeated, vector_add
from benchmarks.table import Table
from enigma import _core, _llvm


def fresh(*codes: str, environment: dict[str, str] | None = None, runs: int = 11) -> list[float]:
    """The medians of the seconds that programs print, which take turns in fresh processes."""
    env = {**os.environ, **(environment or {})}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's programs are compiled anew each time
    printed: list[list[float]] = [[] for _ in codes]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            for k, code in enumerate(codes):
                # A file, since kernels are read from where they are written.
                program = Path(folder) / f"program{k}.py"
                program.write_text(code, encoding="utf-8")
                done = subprocess.run(
                    [sys.executable, program], capture_output=True, text=True, check=True, env=env
                )
                printed[k].append(float(done.stdout))
    return [statistics.median(own[1:]) for own in printed]


IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

HIT = """
import time
import numpy as np
import enigma

@enigma.kernel
def vadd(A: enigma.f32, B: enigma.f32, C: enigma.f32):
    i = enigma.thread_position_in_grid
    C[i] = A[i] + B[i]

compiled = enigma.compile(vadd)
x, out = np.ones((2, 32), np.float32)
t = time.perf_counter()
compiled(x, x, out, grid=32, threads=32, runtime=enigma.CpuRuntime(threads=1))
print(time.perf_counter() - t)
assert (out == 2).all()
"""


def start_up(table: Table) -> None:
    numpy, both = fresh(IMPORT.format("numpy"), IMPORT.format("numpy, enigma"))
    table.at_most("import enigma, on top of numpy's import", (both - numpy) * 1e3, "ms", 25)
    with tempfile.TemporaryDirectory() as folder:
        (seconds,) = fresh(HIT, environment={"ENIGMA_CACHE_DIR": folder})
    table.at_most("first launch in a fresh process, disk cache hit", seconds * 1e3, "ms", 1)


def to_msl(table: Table) -> None:
    kernels = iter([vector_add(f"vadd{k}") for k in range(120)])
    seconds = repeated(lambda: enigma.compile(next(kernels)).metal_source, 101)
    table.at_most("Python to MSL, vector add", seconds * 1e3, "ms", 1)
    anew = matmul.kernel.__wrapped__  # without its memory
    seconds = repeated(lambda: anew("float32").metal_source, 21)
    table.at_most("Python to MSL, 64 x 64 x 32 SIMD-group matmul", seconds * 1e3, "ms", 10)


def to_machine_code(table: Table) -> None:
    texts: list[str] = []
    times: list[float] = []

    def compile_ir(text: str) -> bytes:
        start = time.perf_counter()
        made = _llvm.compile_ir(text)
        texts.append(text)
        times.append(time.perf_counter() - start)
        return made

    def measured(run, runs: int = 11) -> tuple[float, int]:
        """Median seconds of the compiler, and the lines that it got."""
        texts.clear()
        times.clear()
        for _ in range(runs + 1):
            run(_core.cpu_runtime(compile_ir, 1, ""))  # one that has compiled nothing yet
        return statistics.median(times[1:]), texts[0].count("\n")

    x, out = np.ones((2, 4096), np.float32)
    add, norm = enigma.compile(vector_add()), enigma.compile(rmsnorm.rms_norm)

    def run_add(core) -> None:
        _core.call(core, add.artifact, (x, x, out), 4096, 256)

    def run_norm(core) -> None:
        _core.call(core, norm.artifact, (x, x, out, 4096, 1e-6), 256, 256)

    seconds, lines = measured(run_add)
    table.at_most(f"LLVM IR to machine code, {lines} lines", seconds * 1e3, "ms", 8)
    seconds, lines = measured(run_norm)
    table.at_most(f"LLVM IR to machine code, {lines} lines", seconds * 1e3, "ms", 25 * lines / 800)


def run(table: Table) -> None:
    table.begin("Compiling")
    for subject in (start_up, to_msl, to_machine_code):
        subject(table)
