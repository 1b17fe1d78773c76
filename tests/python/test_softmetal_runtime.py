"""MetalRuntime from Python on software Metal: every fault has its text, frees all, and passes.

It shows that runtime and bindings use the API as the model in tests/softmetal has it, and nothing
about a real Mac. It is collected only where enigma was built with software Metal.
"""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from saxpy import saxpy
from softmetal import control

import enigma
import enigma.testing

control.use_msl_lab()
assert control.available() and enigma.testing.is_metal_available()

N = 100
METAL = "Software Metal"


@enigma.kernel
def increment(X: enigma.i32):
    tid = enigma.thread_position_in_grid
    X[tid] = X[tid] + 1


@enigma.kernel
def race(X: enigma.i32):
    tid = enigma.thread_position_in_grid
    X[tid] = X[tid ^ 1] + 1  # RACE


@enigma.kernel
def outside(Index: enigma.i32, Out: enigma.i32):
    tid = enigma.thread_position_in_grid
    Out[Index[tid]] = 1  # OUTSIDE


@enigma.kernel
def divergent(X: enigma.i32):
    tid = enigma.thread_position_in_grid
    with enigma.if_(X[tid] < 40):
        enigma.barrier()  # DIVERGENT


LINES = {
    line.rsplit("# ", 1)[1].lower(): number
    for number, line in enumerate(Path(__file__).read_text().splitlines(), 1)
    if line.endswith(("# RACE", "# OUTSIDE", "# DIVERGENT"))
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine that has compiled nothing yet; at the end nothing of the test is alive."""
    monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("ENIGMA_DEVICE", "metal")
    monkeypatch.delenv("MSL_LAB_SCHEDULE", raising=False)  # texts name threads
    gc.collect()
    before = control.live_objects()
    yield
    control.clear()
    gc.collect()
    assert control.live_objects() == before, control.describe()


def message_of(action: Callable[[], object]) -> str:
    """The message of the EnigmaError that must come, without keeping what its traceback keeps."""
    try:
        action()
    except enigma.EnigmaError as error:
        return error.message
    pytest.fail("no error")


def arguments() -> tuple[np.ndarray, float, np.ndarray]:
    """What saxpy reads. By chance numpy's memory begins on a page, which would be shared."""
    memory = np.ones(2 * N + 1, np.float32)
    x, y = memory[1 : N + 1], memory[N + 1 :]
    x[:] = np.arange(N)
    return x, 2.0, y


def execute(rt: enigma.MetalRuntime) -> np.ndarray:
    raw = rt.execute(enigma.compile(saxpy), arguments(), N * 4, grid=N, threads=32)
    return np.frombuffer(raw, np.float32)


def direct_call(rt: enigma.MetalRuntime) -> np.ndarray:
    out = np.zeros(N + 1, np.float32)[1:]
    enigma.compile(saxpy)(*arguments(), out, grid=N, threads=32, runtime=rt)
    return out


def prepared(rt: enigma.MetalRuntime) -> enigma.PreparedKernel:
    return rt.prepare(enigma.compile(saxpy), arguments(), N * 4)


def dispatch(rt: enigma.MetalRuntime) -> np.ndarray:
    with prepared(rt) as p:
        p.dispatch(N, 32)
        return p.read_output(dtype=np.float32)


def dispatch_timed(rt: enigma.MetalRuntime) -> np.ndarray:
    with prepared(rt) as p:
        assert p.dispatch_timed(N, 32) >= 0
        return p.read_output(dtype=np.float32)


def dispatch_later(rt: enigma.MetalRuntime) -> np.ndarray:
    with prepared(rt) as p:
        p.dispatch(N, 32, wait=False)
        return p.read_output(dtype=np.float32)


def dispatch_batch(rt: enigma.MetalRuntime) -> np.ndarray:
    with prepared(rt) as p:
        rt.dispatch_batch([(p, N, 32)])
        return p.read_output(dtype=np.float32)


WAYS = [execute, direct_call, dispatch, dispatch_timed, dispatch_later, dispatch_batch]
OPENING = {
    "no device": (
        "there is no Metal device here; to run on the CPU, use enigma.CpuRuntime() instead of "
        "enigma.MetalRuntime(), or set ENIGMA_DEVICE=cpu"
    ),
    "no queue": f"{METAL}: Metal gave no command queue; too many are in use",
}
RUNNING = {
    "no command buffer": f"{METAL}: Metal gave no command buffer; the system is out of memory",
    "library error": (
        "saxpy: Metal did not compile the kernel: injected error, in line 6 of its MSL: "
        "constant float& alpha [[buffer(1)]],"
    ),
    "pipeline error": (
        "saxpy: Metal made no pipeline of the compiled kernel: Compiler encountered an internal "
        "error (AGXMetalSoft, code 3)"
    ),
    "buffer allocation": (
        "saxpy: X: Metal has no memory for 400 bytes; free other arrays, or use smaller ones"
    ),
    "command buffer error": (
        "saxpy failed on the GPU: Internal Error (injected) (MTLCommandBufferErrorDomain, code 1)"
    ),
    "timeout": (
        "saxpy ran for so long that the system stopped it; look for a loop without end, or launch "
        "smaller grids: Caused GPU Timeout Error (injected) (MTLCommandBufferErrorDomain, code 2)"
    ),
    "page fault": (
        "saxpy touched memory outside of its buffers; look for an index out of bounds: Caused GPU "
        "Address Fault Error (injected) (MTLCommandBufferErrorDomain, code 3)"
    ),
    "out of memory": (
        "saxpy needs more memory than the GPU has free; use smaller buffers, or fewer of them: "
        "Insufficient Memory (injected) (MTLCommandBufferErrorDomain, code 8)"
    ),
}
RUNNING["access revoked"] = (
    "saxpy was refused, because kernels of this process have failed or hung too often; start the "
    "program again: Ignored (for causing prior/excessive GPU errors) (injected) "
    "(MTLCommandBufferErrorDomain, code 4)"
)
# What has another way out, or says nothing of the result.
HARMLESS = [
    "library warning",
    "no-copy refused",
    "archive error",
    "async copy refused",
    "async copy escaped only",
]


def test_every_fault_is_tested() -> None:
    assert {*OPENING, *RUNNING, *HARMLESS, "function error"} == set(control.FAULTS)


@pytest.mark.parametrize("fault", OPENING)
def test_a_machine_without(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 2 if fault == "no device" else 1  # for a default one, and for any
    control.inject(fault, 2 * asked)
    assert not enigma.testing.is_metal_available()
    assert message_of(enigma.MetalRuntime) == OPENING[fault]
    rt = enigma.MetalRuntime()
    np.testing.assert_array_equal(execute(rt), 2 * np.arange(N) + 1)
    # A program that asks for the CPU does not need one.
    control.inject(fault, asked)
    monkeypatch.setenv("ENIGMA_DEVICE", "cpu")
    assert enigma.MetalRuntime().device_capabilities().backend == "cpu"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", RUNNING)
def test_a_fault_has_its_text_and_passes(fault: str, way: Callable) -> None:
    rt = enigma.MetalRuntime()
    for _ in range(2):
        control.inject(fault)
        assert message_of(lambda: way(rt)) == RUNNING[fault]
        if fault in ("library error", "pipeline error"):
            break  # what compiled once is kept
    np.testing.assert_array_equal(way(rt), 2 * np.arange(N) + 1)
    rt.synchronize()  # nothing is told twice


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", HARMLESS)
def test_a_harmless_fault_is_none(fault: str, way: Callable) -> None:
    control.inject(fault, 3)
    np.testing.assert_array_equal(way(enigma.MetalRuntime()), 2 * np.arange(N) + 1)


def test_a_constant_that_metal_refuses_has_its_text() -> None:
    @enigma.kernel
    def fill(Out: enigma.i32):
        Out[enigma.thread_position_in_grid] = enigma.function_constant("int", 0)

    rt = enigma.MetalRuntime()

    def run() -> bytes:
        return rt.execute(enigma.compile(fill), [], 4 * N, grid=N, threads=32, constants={0: 7})

    control.inject("function error")
    assert message_of(run) == (
        "fill: Metal did not compile the kernel for these values of its function constants: "
        "injected error (MTLLibraryErrorDomain, code 3)"
    )
    np.testing.assert_array_equal(np.frombuffer(run(), np.int32), 7)


@pytest.mark.parametrize("fault", RUNNING)
def test_a_fault_at_any_moment_frees_everything(fault: str) -> None:
    for skip in range(4):
        control.inject(fault, 1, skip)
        rt = enigma.MetalRuntime()
        try:
            for way in WAYS:
                way(rt)
        except enigma.EnigmaError as error:
            assert error.message.startswith(("saxpy", METAL))
        control.clear()
        np.testing.assert_array_equal(execute(rt), 2 * np.arange(N) + 1)


@enigma.kernel
def append(Count: enigma.u32, Order: enigma.u32):
    tid = enigma.thread_position_in_grid
    Order[enigma.atomic_fetch_add(Count, 0, 1)] = tid


def test_threads_run_in_the_order_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    for schedule in ("forward", "reverse", "random"):
        monkeypatch.setenv("MSL_LAB_SCHEDULE", schedule)
        count, order = np.zeros(1, np.uint32), np.zeros(64, np.uint32)
        rt = enigma.MetalRuntime()  # compiles anew
        enigma.compile(append)(count, order, grid=64, threads=64, runtime=rt)
        assert count[0] == 64 and sorted(order) == list(range(64))
        seen[schedule] = list(order)
    assert seen["forward"] == list(range(64))
    assert seen["reverse"] == seen["forward"][::-1]
    assert seen["random"] not in (seen["forward"], seen["reverse"])


@pytest.mark.parametrize("fault", ["timeout", "page fault"])
def test_who_does_not_wait_is_told_later(fault: str) -> None:
    rt = enigma.MetalRuntime()
    x = np.zeros(N, np.int32)
    with (
        rt.prepare(enigma.compile(increment), [x]) as p,
        rt.prepare(enigma.compile(increment), [x]) as other,
    ):
        control.inject(fault)
        p.dispatch(N, 32, wait=False)
        other.dispatch(N, 32, wait=False)
        other.read_output()  # not its fault
        expected = RUNNING[fault].replace("saxpy", "increment")
        assert message_of(rt.synchronize) == expected
        rt.synchronize()
        control.inject(fault)
        p.dispatch(N, 32, wait=False)
        assert message_of(p.read_output) == expected
        before = p.read_output(dtype=np.int32)[0]
        p.dispatch(N, 32)
        assert p.read_output(dtype=np.int32)[0] == before + 1


# ---- What a kernel does wrong ----------------------------------------------------------------


def place_of(action: Callable[[], object]) -> tuple[str, str | None, int | None]:
    try:
        action()
    except enigma.EnigmaError as error:
        return error.message, error.filename, error.lineno
    pytest.fail("no error")


def run(rt: enigma.Runtime, kernel: enigma.KernelDef, *arrays: np.ndarray) -> None:
    enigma.compile(kernel)(*arrays, grid=64, threads=64, runtime=rt)


def test_a_race_is_named_with_its_line() -> None:
    rt = enigma.MetalRuntime()
    x = np.zeros(64, np.int32)
    message, filename, line = place_of(lambda: run(rt, race, x))
    assert (filename, line) == (__file__, LINES["race"])
    place = f"line 7 (test_softmetal_runtime.py:{line})"
    assert message == (
        "race failed on the GPU: race: read of X[0] by thread 1 of threadgroup 0 races with the "
        f"write by thread 0 of threadgroup 0, 32 times at {place} and {place}; race: write of X[1] "
        "by thread 1 of threadgroup 0 races with the read by thread 0 of threadgroup 0, 32 times "
        f"at {place} and {place} (MTLCommandBufferErrorDomain, code 1)"
    )
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_array_equal(execute(rt), 2 * np.arange(N) + 1)


def test_a_store_out_of_bounds_is_named_with_its_line_on_both_devices() -> None:
    rt = enigma.MetalRuntime()
    index, out = np.zeros(64, np.int32), np.zeros(64, np.int32)
    index[40] = 64
    told = [
        place_of(lambda rt=rt: run(rt, outside, index, out)) for rt in (rt, enigma.CpuRuntime())
    ]
    assert [t[1:] for t in told] == [(__file__, LINES["outside"])] * 2
    assert told[0][0] == (
        "outside touched memory outside of its buffers; look for an index out of bounds: out of "
        "bounds: write of Out[64], which has 64 elements, by thread 40 of threadgroup 0 at line 8 "
        f"(test_softmetal_runtime.py:{LINES['outside']}) (MTLCommandBufferErrorDomain, code 3)"
    )
    assert "Out[64] is out of bounds" in told[1][0]
    np.testing.assert_array_equal(execute(rt), 2 * np.arange(N) + 1)


def test_a_divergent_barrier_is_named_with_its_line_on_both_devices() -> None:
    rt = enigma.MetalRuntime()
    x = np.arange(64, dtype=np.int32)
    told = [place_of(lambda rt=rt: run(rt, divergent, x)) for rt in (rt, enigma.CpuRuntime())]
    # The CPU device tells it of the condition, which is where the threads part.
    assert told[0][1:] == (__file__, LINES["divergent"])
    assert told[1][1:] == (__file__, LINES["divergent"] - 1)
    assert told[0][0] == (
        "divergent failed on the GPU: divergent barrier: 40 of 64 threads reached the barrier at "
        f"line 9 (test_softmetal_runtime.py:{LINES['divergent']}) "
        "(MTLCommandBufferErrorDomain, code 1)"
    )
    assert "barrier" in told[1][0]
    np.testing.assert_array_equal(execute(rt), 2 * np.arange(N) + 1)


def test_a_fault_in_a_batch_has_the_line_of_its_kernel() -> None:
    rt = enigma.MetalRuntime()
    compiled = [enigma.compile(increment), enigma.compile(race)]
    with (
        rt.prepare(compiled[0], [np.zeros(64, np.int32)]) as first,
        rt.prepare(compiled[1], [np.zeros(64, np.int32)]) as second,
    ):
        batch = [(first, 64, 64), (second, 64, 64), (first, 64, 64)]
        message, filename, line = place_of(lambda: rt.dispatch_batch(batch))
        assert message.startswith(
            "increment, race, increment failed on the GPU: race: read of X[0]"
        )
        assert (filename, line) == (__file__, LINES["race"])


# ---- The same as on the CPU ------------------------------------------------------------------

GOOD = {
    "X": np.ones(N, np.float32),
    "alpha": 2.0,
    "Y": np.ones(N, np.float32),
    "Out": np.zeros(N, np.float32),
}
WRONG: list[tuple[dict[str, object], object, object]] = [
    ({}, 0, 32),
    ({}, N, 0),
    ({}, N, 1025),
    ({}, N, (32, 33)),
    ({}, (N, 1, 1, 1), 32),
    ({}, N + 1, 32),
    ({}, -1, 32),
    ({}, 2**40, 32),
    ({"X": np.ones(N)}, N, 32),
    ({"X": np.ones(N - 1, np.float32)}, N, 32),
    ({"X": np.ones(2 * N, np.float32)[::2]}, N, 32),
    ({"X": np.ones(0, np.float32)}, N, 32),
    ({"X": 3}, N, 32),
    ({"alpha": "two"}, N, 32),
    ({"alpha": np.ones(2, np.float32)}, N, 32),
    ({"Out": None}, N, 32),
]


@pytest.mark.parametrize(("changed", "grid", "threads"), WRONG)
def test_mistakes_have_one_text(changed: dict, grid: object, threads: object) -> None:
    compiled = enigma.compile(saxpy)
    given = list({**GOOD, **changed}.values())
    said = []
    for rt in (enigma.MetalRuntime(), enigma.CpuRuntime()):
        for action in (
            lambda rt=rt: compiled(*given, grid=grid, threads=threads, runtime=rt),
            lambda rt=rt: rt.prepare(compiled, given).dispatch(grid, threads),
        ):
            text = message_of(action)
            said.append(text.replace(rt.device_capabilities().name, "the device"))
    assert len(set(said)) == 1, said


def test_an_overlap_has_one_text() -> None:
    compiled, x = enigma.compile(saxpy), np.ones(2 * N, np.float32)
    for out in (x[:N], x[1 : N + 1]):
        for rt in (enigma.MetalRuntime(), enigma.CpuRuntime()):
            given = [x[:N], 2.0, x[N:], out]
            said = message_of(lambda rt=rt, g=given: compiled(*g, grid=N, threads=32, runtime=rt))
            assert said == (
                "saxpy: Out, which the kernel writes, overlaps X in memory; pass a copy, or give "
                "the kernel one parameter that it both reads and writes"
            )


def test_number_of_arguments_and_names_have_one_text() -> None:
    compiled = enigma.compile(saxpy)
    for action in (
        lambda rt: compiled(*list(GOOD.values())[:3], grid=N, threads=32, runtime=rt),
        lambda rt: rt.execute(compiled, list(GOOD.values())[:2], N * 4, grid=N, threads=32),
        lambda rt: prepared(rt).set_input("Z", GOOD["X"]),
        lambda rt: prepared(rt).set_input(9, GOOD["X"]),
        lambda rt: prepared(rt).set_input("X", GOOD["X"][:3]) or prepared(rt).dispatch(N, 0),
        lambda rt: prepared(rt).read_output(1),
        lambda rt: rt.dispatch_batch([(prepared(enigma.CpuRuntime(1)), N, 32)]),
        lambda rt: rt.dispatch_batch([3]),
    ):
        metal, cpu = enigma.MetalRuntime(), enigma.CpuRuntime(2)
        assert message_of(lambda m=metal, a=action: a(m)) == message_of(
            lambda c=cpu, a=action: a(c)
        )


def test_a_direct_call_leaves_nothing_behind() -> None:
    rt = enigma.MetalRuntime()
    before = control.live_objects()
    direct_call(rt)
    # One pipeline is kept. Buffers would be of arrays that are gone.
    assert control.live_objects() == before + 1, control.describe()


def test_a_batch_is_one_command_buffer() -> None:
    rt = enigma.MetalRuntime()
    with rt.prepare(enigma.compile(increment), [np.zeros(N, np.int32)]) as p:
        before = control.statistics()
        rt.dispatch_batch([(p, N, 32)] * 5)
        after = control.statistics()
        assert after.dispatches == before.dispatches + 5
        assert after.command_buffers == before.command_buffers + 1
        np.testing.assert_array_equal(p.read_output(dtype=np.int32), 5)


def test_dispatches_that_nobody_waits_for_run_in_order() -> None:
    rt = enigma.MetalRuntime()
    with rt.prepare(enigma.compile(increment), [np.zeros(N, np.int32)]) as p:
        with control.held():
            for _ in range(5):
                p.dispatch(N, 32, wait=False)
        np.testing.assert_array_equal(p.read_output(dtype=np.int32), 5)


def test_math_mode_and_language_version_reach_metal() -> None:
    rt = enigma.MetalRuntime()
    for math in ("safe", "fast"):
        out = np.zeros(N, np.float32)
        compiled = enigma.compile(saxpy, math=math)
        compiled(GOOD["X"], 2.0, GOOD["Y"], out, grid=N, threads=32, runtime=rt)
        assert control.statistics().fast_math == (math == "fast")
        assert control.statistics().msl_version == 310


# ---- Processes -------------------------------------------------------------------------------

SCRIPT = textwrap.dedent("""
    import os, sys
    import numpy as np
    import enigma
    from softmetal import control
    control.use_msl_lab()

    @enigma.kernel
    def increment(X: enigma.i32):
        tid = enigma.thread_position_in_grid
        X[tid] = X[tid] + 1

    compiled = enigma.compile(increment)
    def run():
        x = np.zeros(50, np.int32)
        compiled(x, grid=50, threads=32, runtime=enigma.MetalRuntime())
        return int(x.sum())
""")


def start(tmp_path: Path, program: str) -> subprocess.Popen[str]:
    path = tmp_path / "program.py"
    path.write_text(SCRIPT + program)
    package = Path(enigma.__file__).parents[1]
    tests = Path(control.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, path],
        env=os.environ | {"PYTHONPATH": f"{package}{os.pathsep}{tests}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_forked_process_has_a_lab_of_its_own(tmp_path: Path) -> None:
    program = """
print(run(), flush=True)
for child in range(2):
    if os.fork() == 0:
        print(run() + run(), flush=True)
        os._exit(0)
    os.wait()
    print(run(), flush=True)
"""
    process = start(tmp_path, program)
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, output.split()) == (0, ["50", "100", "50", "100", "50"])


def children_of(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = path.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_the_lab_ends_with_its_process(tmp_path: Path) -> None:
    for end in ("", "sys.stdin.read()"):
        process = start(tmp_path, f"print(run(), flush=True)\ninput_ = {end or None}\n")
        if end:
            assert process.stdout.readline() == "50\n"
            helpers = children_of(process.pid)
            assert len(helpers) == 2
            process.send_signal(signal.SIGKILL)
            process.wait()
            for _ in range(600):
                alive = [h for h in helpers if Path(f"/proc/{h}/cmdline").exists()]
                alive = [h for h in alive if Path(f"/proc/{h}/cmdline").read_bytes()]
                if not alive:
                    break
                time.sleep(0.1)
            assert not alive
        else:
            assert process.communicate(timeout=120)[0] == "50\n"
            assert process.returncode == 0
