"""Nothing is kept: compiling and dropping, or dispatching, again and again takes no more memory."""

import pytest
from benchmarks import memory

pytestmark = pytest.mark.no_asan


# Ten thousand cycles may take 10 MiB, so these may take a part of it, and a page here and there.
@pytest.mark.parametrize("cycle", [memory.kernels, memory.jit_functions])
def test_compiling_and_dropping(cycle):
    assert memory.growth(cycle(), 100, 300) < 1.0


def test_dispatching():
    assert sum(memory.growth_of_dispatches(1000, 100_000)) < 0.5
