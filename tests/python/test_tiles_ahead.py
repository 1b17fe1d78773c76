"""Turns that copy tiles and then compute with them, which the CPU device does at the same time."""

import numpy as np
import pytest

import enigma

pytestmark = pytest.mark.usefixtures("device")
TILE = 32


def test_any_number_of_turns() -> None:
    @enigma.kernel
    def sums(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.u32)):
        tile = enigma.threadgroup_alloc("float", (8, TILE))
        x = enigma.thread_position_in_threadgroup(0)
        y = enigma.thread_position_in_threadgroup(1)
        first = enigma.threadgroup_position_in_grid() * n
        total = 0.0
        with enigma.for_range(0, n, 8 * TILE, dtype="uint") as k:
            tile[y, x] = X[first + k + y * TILE + x]
            enigma.barrier()
            with enigma.for_range(0, 8, dtype="uint") as i:
                total = enigma.fma(tile[i, x], enigma.metal_cast(y + 1, "float"), total)
            enigma.barrier()
        Out[
            enigma.thread_position_in_grid + enigma.thread_position_in_threadgroup(1) * 3 * TILE
        ] = total

    compiled = enigma.compile(sums)
    for turns in (0, 1, 2, 5):
        x = np.random.default_rng(turns).integers(0, 9, (3, turns, 8, TILE)).astype(np.float32)
        out = np.full((8, 3, TILE), np.nan, np.float32)
        given = x if turns else np.zeros(1, np.float32)
        compiled(given, out, turns * 8 * TILE, grid=(3 * TILE, 8), threads=(TILE, 8))
        want = x.sum((1, 2))[None] * np.arange(1, 9)[:, None, None]
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("what", ["ring", "later", "written", "kept"])
def test_tiles_that_have_to_wait(what: str) -> None:
    """A tile that keeps earlier turns, is read behind the loop, comes from what the loop writes, or
    whose index goes on to the other half of the turn."""

    @enigma.kernel
    def steps(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.u32)):
        tile = enigma.threadgroup_alloc("float", 4 * TILE)
        me = enigma.thread_position_in_threadgroup()
        total = 0.0
        with enigma.for_range(0, n, dtype="uint") as k:
            place = (k % 4 if what == "ring" else 0) * TILE + me % TILE
            at = k * TILE + me % TILE
            tile[place] = X[at]
            enigma.barrier()
            with enigma.for_range(0, 4 if what == "ring" else 1, dtype="uint") as i:
                ready = i <= k
                total = total + enigma.where(0.0, tile[i * TILE + (TILE - 1 - me % TILE)], ready)
            if what == "kept":
                total = total + enigma.metal_cast(at, "float")
            if what == "written":
                with enigma.if_((k + 1 < n) & (me < TILE)):
                    X[at + TILE] = X[at + TILE] + total
            enigma.barrier(mem_flags="mem_device_and_threadgroup")
        if what == "later":
            total = total + tile[me % TILE]
        Out[me] = total

    n = 6
    x = np.random.default_rng(1).integers(0, 5, (n, TILE)).astype(np.float32)
    out = np.empty(64, np.float32)
    given = x.copy()
    enigma.compile(steps)(given, out, n, grid=64, threads=64)
    total = np.zeros(TILE, np.float32)
    rows = x.copy()
    for k in range(n):
        seen = rows[max(0, k - 3) : k + 1] if what == "ring" else rows[k : k + 1]
        total = total + seen[:, ::-1].sum(0)
        if what == "kept":
            total = total + k * TILE + np.arange(TILE)
        if what == "written" and k + 1 < n:
            rows[k + 1] += total
    if what == "later":
        total = total + rows[-1]
    np.testing.assert_array_equal(out.reshape(2, TILE), [total, total])


def test_what_is_out_of_bounds_is_told_of_its_thread() -> None:
    @enigma.kernel
    def sums(X: enigma.f32, Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 2 * TILE)
        me = enigma.thread_position_in_threadgroup()
        total = 0.0
        with enigma.for_range(0, 3, dtype="uint") as k:
            tile[me] = X[k * 2 * TILE + me]
            enigma.barrier()
            with enigma.for_range(0, 2 * TILE, dtype="uint") as i:
                total = total + tile[i]
            enigma.barrier()
        Out[me] = total

    compiled = enigma.compile(sums)
    out = np.empty(64, np.float32)
    runtime = enigma.CpuRuntime()
    with pytest.raises(enigma.EnigmaError, match=r"X\[170\] is out of bounds.*thread \(42, 0, 0\)"):
        compiled(np.ones(170, np.float32), out, grid=64, threads=64, runtime=runtime)
    compiled(np.ones(192, np.float32), out, grid=64, threads=64, runtime=runtime)
    assert (out == 192).all()
