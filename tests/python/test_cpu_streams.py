"""Outputs that are larger than the caches, which the CPU device writes past those."""

import numpy as np
import pytest

import enigma

N = (16 << 20) // 4  # elements of 16 MiB


@enigma.kernel
def add(A: enigma.f32, B: enigma.f32, C: enigma.f32):
    i = enigma.thread_position_in_grid
    C[i] = A[i] + B[i]


@pytest.fixture(scope="module")
def runtime():
    return enigma.CpuRuntime(threads=2)


@pytest.fixture(scope="module")
def arrays():
    a, b = np.random.default_rng(5).standard_normal((2, N + 64), dtype=np.float32)
    return a, b, np.empty(N + 64, np.float32)


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 7, 12, 16])
def test_outputs_that_begin_anywhere(runtime, arrays, start):
    a, b, c = (x[start : start + N] for x in arrays)
    arrays[2][:] = 0
    enigma.compile(add)(a, b, c, grid=N - 5, threads=256, runtime=runtime)
    assert np.array_equal(c[:-5], (a + b)[:-5])
    assert not c[-5:].any()


def test_halves_of_which_each_thread_writes_several(runtime):
    @enigma.kernel
    def spread(A: enigma.f32, Out: enigma.f16, n: enigma.Scalar(enigma.u32)):
        first = enigma.thread_position_in_grid
        with enigma.for_range(first, n, enigma.grid_size(0), dtype="uint") as i:
            Out[i] = enigma.metal_cast(A[i], "half")

    n = 2 * N + 3
    a = np.random.default_rng(6).standard_normal(n, dtype=np.float32)
    out = np.zeros(n, np.float16)
    enigma.compile(spread)(a, out, n, grid=4096, threads=128, runtime=runtime)
    assert np.array_equal(out, a.astype(np.float16))


def test_outputs_that_are_written_again_or_read_are_right_too(runtime, arrays):
    @enigma.kernel
    def again(A: enigma.f32, Sum: enigma.f32, Twice: enigma.f32):
        i = enigma.thread_position_in_grid
        with enigma.for_range(0, 3, dtype="uint") as turn:
            Sum[i] = A[i] * enigma.metal_cast(turn, "float")
        Twice[i] = A[i]
        Twice[i] = Twice[i] + Twice[i]

    a, _, c = (x[:N] for x in arrays)
    twice = np.empty(N, np.float32)
    enigma.compile(again)(a, c, twice, grid=N, threads=256, runtime=runtime)
    assert np.array_equal(c, a * 2)
    assert np.array_equal(twice, a + a)


def test_a_fault_is_reported_as_ever(runtime, arrays):
    @enigma.kernel
    def beyond(A: enigma.f32, C: enigma.f32, Shift: enigma.u32):
        i = enigma.thread_position_in_grid
        C[i + Shift[0]] = A[i]

    a, _, c = (x[:N] for x in arrays)
    message = rf"C\[{N}\] is out of bounds .*, thread \({N - 7}, 0, 0\)"
    with pytest.raises(enigma.EnigmaError, match=message):
        enigma.compile(beyond)(a, c, np.uint32([7]), grid=N, threads=256, runtime=runtime)
