"""Programs that end, fail or fork while kernels run: none hangs or crashes."""

import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.no_asan

PROGRAM = """
import multiprocessing, os, sys, threading, time
import numpy as np
import enigma

@enigma.kernel
def count(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
    tid = enigma.thread_position_in_grid
    acc = X[tid]
    for i in enigma.range(0, n):
        acc = acc + 1.0
    Out[tid] = acc

rt = enigma.default_runtime()
x = np.zeros(64, np.float32)
p = rt.prepare(enigma.compile(count), [x, 20000], output_size=256)
p.dispatch(64, 64)
print("running", flush=True)
"""

WAYS = {
    "in flight": "for _ in range(5): p.dispatch(64, 64, wait=False)",
    "by SystemExit": "p.dispatch(64, 64, wait=False); sys.exit(0)",
    "kept for ever": "import builtins; builtins.kept = rt, p; p.dispatch(64, 64, wait=False)",
    "a thread waits": """
threading.Thread(target=p.dispatch, args=(64, 64), daemon=True).start()
time.sleep(0.02)
""",
    "arrays go first": "p.dispatch(64, 64, wait=False); del x, p; rt.synchronize()",
}


def run(folder: pathlib.Path, program: str) -> str:
    path = folder / "program.py"
    path.write_text(PROGRAM + program)
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert first == "running"
    return rest


@pytest.mark.parametrize("way", WAYS)
def test_a_program_ends(device: str, way: str, tmp_path: pathlib.Path) -> None:
    assert run(tmp_path, WAYS[way]) == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_of_fork_is_told_that_metal_does_not_work_there(
    device: str, tmp_path: pathlib.Path
) -> None:
    said = run(
        tmp_path,
        """
p.dispatch(64, 64, wait=False)
def child():
    try:
        rt.synchronize()
        print("synchronized", flush=True)
    except enigma.EnigmaError as e:
        print(str(e).splitlines()[0], flush=True)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
rt.synchronize()
print(process.exitcode)
""",
    )
    told = (
        "Metal does not work in a process that was forked from one that has used it; start "
        'processes in another way (multiprocessing.set_start_method("spawn")), or use Metal in '
        "the child alone"
    )
    metal = device in ("metal", "softmetal")
    assert said.splitlines() == [told if metal else "synchronized", "0"]
