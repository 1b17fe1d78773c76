"""CPU kernels on one thread, against numpy, memcpy, OpenBLAS and the peers that are installed."""

import matmul
import numpy as np
import rmsnorm
import saxpy
import softmax

import enigma
from benchmarks import matmul as naive
from benchmarks import peers
from benchmarks.measure import Run, interleaved, vector_add
from benchmarks.table import Table

REPEATS = 21


def checked(candidates: dict[str, Run], out: np.ndarray, want: np.ndarray) -> dict[str, Run]:
    """The candidates, each of which has written what is wanted into `out`. Copies are excepted."""
    for name, run in candidates.items():
        if name == "memcpy":
            continue
        out.fill(np.nan)
        run()
        if not np.allclose(out, want, rtol=1e-4, atol=1e-6 * max(out.shape)):
            raise AssertionError(f"{name} computes something else")
    return candidates


def report(
    table: Table,
    what: str,
    times: dict[str, list[float]],
    goals: dict[str, float],
) -> None:
    """Rows of ours against each other candidate."""
    for name, theirs in times.items():
        if name != "enigma":
            table.ratio(what, times["enigma"], name, theirs, goals.get(name))


def vector_sum(table: Table, runtime: enigma.CpuRuntime) -> None:
    n = 16 << 20
    x, y = np.random.default_rng(0).standard_normal((2, n), dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(vector_add())
    candidates = {
        "enigma": lambda: compiled(x, y, out, grid=n, threads=256, runtime=runtime),
        "numpy": lambda: np.add(x, y, out=out),
        "memcpy": lambda: np.copyto(out, x),
        **peers.vector_add(x, y, out),
    }
    times = interleaved(checked(candidates, out, x + y), REPEATS)
    copy = times.pop("memcpy")
    what = "vector add, 3 x 64 MiB"
    report(table, what, times, {"numpy": 1.0})
    table.ratio(what, times["enigma"], "memcpy's bytes/s", copy, 1.25, weight=3 / 2)


def scaled_sum(table: Table, runtime: enigma.CpuRuntime) -> None:
    n = 16 << 20
    x, y = np.random.default_rng(0).standard_normal((2, n), dtype=np.float32)
    out, alpha = np.empty_like(x), np.float32(2.5)
    compiled = enigma.compile(saxpy.saxpy)
    candidates = {
        "enigma": lambda: compiled(x, alpha, y, out, grid=n, threads=256, runtime=runtime),
        "numpy": lambda: np.add(np.multiply(alpha, x, out=out), y, out=out),
    }
    times = interleaved(checked(candidates, out, alpha * x + y), REPEATS)
    report(table, "saxpy, 16 Mi floats", times, {})


def rms_norm(table: Table, runtime: enigma.CpuRuntime) -> None:
    rows = columns = 4096
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    w = rng.standard_normal(columns, dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(rmsnorm.rms_norm)
    size = {"grid": rows * rmsnorm.THREADS, "threads": rmsnorm.THREADS, "runtime": runtime}

    def reference() -> None:
        out[:] = rmsnorm.reference(x, w, 1e-6)

    candidates = {
        "enigma": lambda: compiled(x, w, out, columns, 1e-6, **size),
        "numpy": reference,
        "memcpy": lambda: np.copyto(out, x),
        **peers.rms_norm(x, w, out),
    }
    times = interleaved(checked(candidates, out, rmsnorm.reference(x, w, 1e-6)), REPEATS)
    report(table, "RMSNorm 4096 x 4096", times, {"memcpy": 0.95})


def soft_max(table: Table, runtime: enigma.CpuRuntime) -> None:
    rows, columns = 1024, 4096
    x = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(softmax.softmax)
    size = {"grid": rows * softmax.THREADS, "threads": softmax.THREADS, "runtime": runtime}

    def reference() -> None:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(axis=-1, keepdims=True), out=out)

    candidates = {
        "enigma": lambda: compiled(x, out, columns, **size),
        "numpy": reference,
        **peers.soft_max(x, out),
    }
    times = interleaved(checked(candidates, out, softmax.reference(x)), REPEATS)
    report(table, "softmax 1024 x 4096", times, {"numpy": 5.0})


def products(table: Table, runtime: enigma.CpuRuntime) -> None:
    tiled, simdgroups = enigma.compile(naive.tiled), matmul.kernel("float32")
    reference = peers.openblas_name()
    goals = {("simdgroup", 512): 0.95, ("simdgroup", 1024): 0.85, ("tiled", 1024): 0.65}
    for n in (512, 1024):
        a, b = np.random.default_rng(n).uniform(-1, 1, (2, n, n)).astype(np.float32)
        c = np.empty_like(a)
        grid, threads = matmul.launch(n, n)

        def simdgroup(a=a, b=b, c=c, n=n, grid=grid, threads=threads) -> None:
            simdgroups(a, b, c, n, n, n, grid=grid, threads=threads, runtime=runtime)

        candidates = {
            "simdgroup": simdgroup,
            "tiled": lambda a=a, b=b, c=c: naive.run(tiled, a, b, c, runtime),
            reference: lambda a=a, b=b, c=c: np.matmul(a, b, out=c),
            **peers.matmul(a, b, c),
        }
        want = a.astype(np.float64) @ b.astype(np.float64)
        times = interleaved(checked(candidates, c, want), 15)
        for name, what in (("simdgroup", "SIMD-group matrices"), ("tiled", "tiles of 32 x 32")):
            for other in list(times)[2:]:
                goal = goals.get((name, n))
                table.ratio(f"matmul {n}, {what}", times[name], other, times[other], goal)


def run(table: Table) -> None:
    table.begin("CPU kernels, one thread")
    runtime = enigma.CpuRuntime(threads=1)
    for subject in (vector_sum, scaled_sum, rms_norm, soft_max, products):
        subject(table, runtime)
