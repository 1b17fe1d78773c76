"""The device of the suite: `--device=msl` runs every direct call as MSL text in the lab as well."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def msl_device(request: pytest.FixtureRequest) -> Iterator[object]:
    """The lab of this session, or None when the suite runs on the CPU device alone."""
    if request.config.getoption("--device") != "msl":
        yield None
        return
    from msl.device import MslDevice

    option = request.config.getoption
    device = MslDevice(option("--msl-schedule"), option("--msl-check"))
    yield device
    device.lab.close()
    print(f"\nMSL lab: {len(device.kernels)} kernels, {device.runs} runs")


@pytest.fixture(autouse=True)
def run_msl_too(msl_device, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a call on the CPU device the lab runs the MSL on the same input, and must agree."""
    if msl_device is None:
        return
    from msl.device import host_copy

    from enigma.compile import CompiledKernel

    original = CompiledKernel.__call__

    def call(self, *arguments, grid=None, threads=None, runtime=None):
        before = None
        # What other threads do to the arrays meanwhile cannot be repeated.
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(Exception):  # wrong arguments: that is the call's to say
                before = [host_copy(a) for a in arguments]
        original(self, *arguments, grid=grid, threads=threads, runtime=runtime)
        if before is not None:
            after = [host_copy(a) for a in arguments]
            msl_device.verify(
                self, before, after, self._grid() if grid is None else grid, self._threads(threads)
            )

    monkeypatch.setattr(CompiledKernel, "__call__", call)
