"""The devices of the suite: a test that asks for `device` runs once on each that is here.

cpu        the CPU device
msl        the CPU device, and the same call as MSL text in the lab, with the same result
softmetal  the Metal runtime on software Metal, which runs the MSL text in the lab (Linux)
metal      the Metal runtime on the GPU (a Mac)
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from softmetal import control

import enigma
from enigma import runtime, testing

LINUX = sys.platform == "linux"
METAL = "softmetal" if LINUX else "metal"


def devices() -> list[str]:
    names = ["cpu"]
    if LINUX:
        names.append("msl")
        control.use_msl_lab()
    if testing.is_metal_available():
        names.append(METAL)
    return names


DEVICES = devices()
if METAL == "softmetal":
    # What does not ask for a device, and what runs in processes of its own.
    os.environ.setdefault("ENIGMA_DEVICE", "cpu")
collect_ignore_glob = [] if LINUX else ["test_msl_pitfalls*.py"]  # they ask the lab themselves
collect_ignore = [] if "softmetal" in DEVICES else ["test_softmetal_runtime.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--device") or DEVICES
    unknown = set(chosen) - set(DEVICES)
    if unknown:
        raise pytest.UsageError(f"this machine has the devices {DEVICES}, not {sorted(unknown)}")
    if metafunc.definition.get_closest_marker("checked_access"):
        chosen = [d for d in chosen if d != "metal"]
    if metafunc.definition.get_closest_marker("reference_only") and METAL in chosen:
        chosen = [d for d in chosen if d != "msl"]  # the Metal device runs the same text
    metafunc.parametrize("device", chosen, indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What default_runtime(), MetalRuntime() and direct calls of this test run on."""
    name: str = request.param
    monkeypatch.setenv("ENIGMA_DEVICE", "metal" if name == METAL else "cpu")
    if name == "msl":
        call = request.getfixturevalue("call_in_lab_too")
        monkeypatch.setattr(enigma.CompiledKernel, "__call__", call)
    return name


@pytest.fixture(scope="session")
def call_in_lab_too(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """CompiledKernel.__call__, after which the lab runs the MSL on the same input and agrees."""
    from msl.device import MslDevice, host_copy

    option = request.config.getoption
    lab = MslDevice(option("--msl-schedule"))
    original = enigma.CompiledKernel.__call__

    def call(self, *arguments, grid=None, threads=None, runtime=None, scalars=None):
        before = None
        # What other threads do to the arrays meanwhile cannot be repeated.
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(Exception):  # wrong arguments: that is the call's to say
                before = [host_copy(a) for a in arguments]
        original(self, *arguments, grid=grid, threads=threads, runtime=runtime, scalars=scalars)
        if before is not None:
            after = [host_copy(a) for a in arguments]
            total = self._grid() if grid is None else grid
            lab.verify(self, before, after, total, self._threads(threads), scalars=scalars)

    yield call
    lab.close()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """No object of Metal's outlives the runtimes."""
    if "softmetal" not in DEVICES:
        return
    runtime._default.clear()
    gc.collect()
    if control.live_objects():
        session.config.left_alive.append(control.describe())
