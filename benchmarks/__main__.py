"""Speed, measured: each row names what it is compared with, measured in the same run.

Run with `make bench`. Medians of interleaved runs; the tests check the results.
"""

import linecache
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as ours, and before numpy reads it

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import matmul
import rmsnorm
import saxpy
import softmax

import enigma


def median_seconds(run: Callable[[], object], repeats: int, inner: int = 1) -> float:
    """Median time of one call; `inner` calls are timed together where one is too short."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(inner):
            run()
        times.append((time.perf_counter() - start) / inner)
    return statistics.median(times)


def interleaved(candidates: list[Callable[[], object]], repeats: int) -> list[float]:
    """Medians of several candidates that take turns, so that the machine's drift hits all alike."""
    times: list[list[float]] = [[] for _ in candidates]
    for run in candidates:
        run()
    for _ in range(repeats):
        for run, own in zip(candidates, times, strict=True):
            start = time.perf_counter()
            run()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


def import_seconds(module: str) -> float:
    """Median time of `import module` in a fresh process."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True) for _ in range(11)]
    return statistics.median(float(r.stdout) for r in runs)


def show(what: str, value: str, reference: str = "") -> None:
    print(f"{what:<52} {value:>14}   {reference}")


VECTOR_ADD = """
@enigma.kernel
def vadd{number}(A: enigma.f32, B: enigma.f32, C: enigma.f32):
    i = enigma.thread_position_in_grid
    C[i] = A[i] + B[i]
"""


def vector_add(number: int = 0) -> enigma.KernelDef:
    """A kernel from source text of its own, so that nothing is remembered of earlier ones."""
    text, file = VECTOR_ADD.format(number=number), f"<vector add {number}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {"enigma": enigma}
    exec(compile(text, file, "exec"), scope)
    return scope[f"vadd{number}"]


def start_up() -> None:
    numpy = import_seconds("numpy")
    both = import_seconds("numpy, enigma")
    show("import enigma, on top of numpy's import", f"{(both - numpy) * 1e3:.1f} ms")

    kernels = iter([vector_add(k) for k in range(120)])
    seconds = median_seconds(lambda: enigma.compile(next(kernels)).metal_source, 101)
    show("Python function to MSL, vector add", f"{seconds * 1e3:.3f} ms")
    compiled = vector_add()
    seconds = median_seconds(lambda: enigma.compile(compiled), 101)
    show("the same again, remembered", f"{seconds * 1e3:.3f} ms")


def chain(length: int, number: int) -> enigma.KernelDef:
    """A kernel of that many products and sums, each of the one before."""

    @enigma.kernel
    def chained(A: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        for k in range(length):
            x = x * float(k % 7 + 2) + A[k + number]
        A[i] = x

    return chained


def growth() -> None:
    """Ten times as many operations take about ten times as long to compile."""

    def seconds(length: int) -> float:
        kernels = iter([chain(length, k) for k in range(6)])
        return median_seconds(lambda: enigma.compile(next(kernels)).metal_source, 5)

    short, long = seconds(1000), seconds(10_000)
    reference = f"{long / short:.1f} x the time of 1 000"
    show("MSL of a chain of 10 000 products and sums", f"{long * 1e3:.0f} ms", reference)


def dispatch() -> None:
    runtime = enigma.CpuRuntime()
    x = np.ones(32, np.float32)
    compiled = enigma.compile(vector_add())
    with runtime.prepare(compiled, inputs=[x, x], output_size=x.nbytes) as prepared:
        tiny = (32, 1, 1)
        seconds = median_seconds(lambda: prepared.dispatch(tiny, tiny), 201, 1000)
        show("prepared dispatch, tiny grid", f"{seconds * 1e6:.3f} us")
    out = np.empty_like(x)
    seconds = median_seconds(
        lambda: compiled(x, x, out, grid=tiny, threads=tiny, runtime=runtime), 101, 1000
    )
    show("direct call with three arrays", f"{seconds * 1e6:.3f} us")


def kernels() -> None:
    runtime = enigma.CpuRuntime(threads=1)
    rng = np.random.default_rng(0)

    n = 16 << 20
    x, y = rng.standard_normal((2, n), dtype=np.float32)
    out = np.empty_like(x)
    compiled = enigma.compile(saxpy.saxpy)
    alpha = np.float32(2.5)
    mine, numpys = interleaved(
        [
            lambda: compiled(x, alpha, y, out, grid=n, threads=256, runtime=runtime),
            lambda: np.add(np.multiply(alpha, x, out=out), y, out=out),
        ],
        15,
    )
    show("saxpy, 16 Mi floats, 1 thread", f"{mine * 1e3:.2f} ms", f"{numpys / mine:.2f} x numpy")

    x = rng.standard_normal((4096, 4096), dtype=np.float32)
    w = rng.standard_normal(4096, dtype=np.float32)
    out = np.empty_like(x)
    norm = enigma.compile(rmsnorm.rms_norm)
    grid = 4096 * rmsnorm.THREADS
    mine, numpys, copy = interleaved(
        [
            lambda: norm(
                x, w, out, 4096, 1e-6, grid=grid, threads=rmsnorm.THREADS, runtime=runtime
            ),
            lambda: rmsnorm.reference(x, w, 1e-6),
            lambda: np.copyto(out, x),
        ],
        9,
    )
    reference = f"{numpys / mine:.2f} x numpy, {copy / mine:.2f} x memcpy"
    show("RMSNorm 4096 x 4096, 1 thread", f"{mine * 1e3:.2f} ms", reference)

    for n in (512, 1024):
        a, b, c = rng.standard_normal((3, n, n), dtype=np.float32)
        product = matmul.kernel("float32")
        grid, threads = matmul.launch(n, n)

        def ours(a=a, b=b, c=c, n=n, grid=grid) -> None:
            product(a, b, c, n, n, n, grid=grid, threads=threads, runtime=runtime)

        def numpys_product(a=a, b=b, c=c) -> None:
            np.matmul(a, b, out=c)

        mine, numpys = interleaved([ours, numpys_product], 15)
        reference = f"{numpys / mine:.2f} x numpy"
        show(f"matmul {n} x {n} x {n}, 1 thread", f"{mine * 1e3:.2f} ms", reference)

    x = rng.standard_normal((1024, 4096), dtype=np.float32)
    out = np.empty_like(x)
    soft = enigma.compile(softmax.softmax)
    grid = 1024 * softmax.THREADS
    mine, numpys = interleaved(
        [
            lambda: soft(x, out, 4096, grid=grid, threads=softmax.THREADS, runtime=runtime),
            lambda: softmax.reference(x),
        ],
        9,
    )
    show("softmax 1024 x 4096, 1 thread", f"{mine * 1e3:.2f} ms", f"{numpys / mine:.2f} x numpy")


def layouts() -> None:
    """Layout algebra, where pycute can be compared with: pip install --no-deps nvidia-cutlass."""
    try:
        import pycute
    except ImportError:
        return
    row, column = ((6, 2), (8, 2)), ((4, 3), (3, 1))
    matrix, tiler = ((9, (4, 8)), (59, (13, 1))), ((3, 3), ((2, 4), (1, 8)))
    subjects = [
        ("composition of two layouts", "composition", row, lambda make: make(*column)),
        (
            "logical_divide by mode",
            "logical_divide",
            matrix,
            lambda make: tuple(make(*t) for t in tiler),
        ),
    ]
    for what, name, layout, other in subjects:

        def calls(library, name=name, layout=layout, other=other) -> Callable[[], object]:
            f, a, b = getattr(library, name), library.Layout(*layout), other(library.Layout)
            return lambda: [f(a, b) for _ in range(1000)]

        mine, pycutes = (s / 1000 for s in interleaved([calls(enigma), calls(pycute)], 15))
        show(what, f"{mine * 1e6:.3f} us", f"{pycutes / mine:.1f} x pycute")


def main() -> None:
    start_up()
    growth()
    dispatch()
    layouts()
    kernels()


if __name__ == "__main__":
    main()
