"""How times are taken: candidates take turns in one process, so that drift hits all alike."""

import gc
import linecache
import statistics
import time
from collections.abc import Callable

import enigma

Run = Callable[[], object]


def interleaved(
    candidates: dict[str, Run], repeats: int, rest: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of each, round by round. The one that begins changes from round to round. `rest`
    comes before each, for machines that give a burst of full speed and then less, and after it a
    run that is not timed: the host of a virtual machine takes milliseconds to wake a processor."""
    names = list(candidates)
    times: dict[str, list[float]] = {name: [] for name in names}
    for run in candidates.values():
        run()
    gc.collect()
    time.sleep(0.2)
    gc.disable()
    try:
        for turn in range(repeats):
            for k in range(len(names)):
                name = names[(k + turn) % len(names)]
                if rest:
                    time.sleep(rest)
                    candidates[name]()
                start = time.perf_counter()
                candidates[name]()
                times[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return times


def repeated(run: Run, repeats: int, inner: int = 1) -> float:
    """Median seconds of one call; `inner` calls are timed together where one is too short."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(inner):
            run()
        times.append((time.perf_counter() - start) / inner)
    return statistics.median(times)


def from_text(text: str, name: str) -> enigma.KernelDef:
    """A kernel from source text of its own, so that nothing is remembered of earlier ones."""
    file = f"<{name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {"enigma": enigma}
    exec(compile(text, file, "exec"), scope)
    return scope[name]


VECTOR_ADD = """
@enigma.kernel
def {name}(A: enigma.f32, B: enigma.f32, C: enigma.f32):
    i = enigma.thread_position_in_grid
    C[i] = A[i] + B[i]
"""


def vector_add(name: str = "vadd") -> enigma.KernelDef:
    return from_text(VECTOR_ADD.format(name=name), name)
