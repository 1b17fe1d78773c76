"""Loops of threadgroups with several SIMD-groups, which the CPU device runs in step."""

import numpy as np
import pytest

import enigma

pytestmark = pytest.mark.usefixtures("device")


@pytest.mark.parametrize("threads", [32, 96, 256])
def test_lanes_with_a_turn_more_than_others(threads: int) -> None:
    @enigma.kernel
    def rows(X: enigma.i32, Sum: enigma.i32, Last: enigma.i32, columns: enigma.Scalar(enigma.u32)):
        lane = enigma.thread_position_in_threadgroup()
        me = enigma.thread_position_in_grid
        row = enigma.threadgroup_position_in_grid() * columns
        factor = enigma.metal_cast(me % 7, "int")
        odd = me % 2 == 1
        total, last = 0, -1
        with enigma.for_range(lane, columns, threads, dtype="uint") as i:
            x = X[row + i]
            total = total + enigma.where(x, x * factor, odd)
            last = enigma.metal_cast(i, "int")
        Sum[me] = total
        Last[me] = last

    compiled = enigma.compile(rows)
    for columns in [31, 2 * threads, 2 * threads + 1, 3 * threads + 37]:
        x = np.random.default_rng(columns).integers(-1000, 1000, (2, columns), dtype=np.int32)
        sums, last = np.empty((2, 2, threads), np.int32)
        compiled(x, sums, last, columns, grid=2 * threads, threads=threads)
        me = np.arange(2 * threads).reshape(2, threads)
        factor = np.where(me % 2 == 1, me % 7, 1)
        turns = -(-columns // threads)
        padded = np.zeros((2, turns * threads), np.int32)
        padded[:, :columns] = x
        total = padded.reshape(2, turns, threads).sum(1)
        np.testing.assert_array_equal(sums, total * factor)
        lane = me[0]
        want = np.where(lane < columns, lane + (columns - 1 - lane) // threads * threads, -1)
        assert (last == want).all()


@pytest.mark.parametrize("threads", [64, 160])
def test_downwards_and_from_places_that_wrap(threads: int) -> None:
    @enigma.kernel
    def down(Out: enigma.i32, Turns: enigma.u32, end: enigma.Scalar(enigma.i32)):
        me = enigma.thread_position_in_grid
        start = enigma.metal_cast(me, "int") * 3 - 100
        total = 0
        with enigma.for_range(start, end, -5) as i:
            total = total + i
        Out[me] = total
        high = enigma.u32(2**32 - 40) + me
        turns = enigma.u32(0)
        with enigma.for_range(high, enigma.u32(2**32 - 20), 8, dtype="uint"):
            turns = turns + 1
        Turns[me] = turns

    compiled = enigma.compile(down)
    for end in (-200, 60):
        out, turns = np.empty(threads, np.int32), np.empty(threads, np.uint32)
        compiled(out, turns, end, grid=threads, threads=threads)
        assert out.tolist() == [sum(range(k * 3 - 100, end, -5)) for k in range(threads)]
        high = [(2**32 - 40 + k) % 2**32 for k in range(threads)]
        assert turns.tolist() == [len(range(h, 2**32 - 20, 8)) for h in high]


@pytest.mark.parametrize("threads", [96, 256])
def test_as_many_turns_as_memory_says(threads: int) -> None:
    @enigma.kernel
    def each(Begin: enigma.u32, End: enigma.u32, X: enigma.f32, Out: enigma.f32):
        me = enigma.thread_position_in_grid
        total = 0.0
        with enigma.for_range(0, 3, dtype="uint") as turn:
            with enigma.for_range(Begin[me], End[me] + turn, 1, dtype="uint") as i:
                total = total + X[i]
            with enigma.if_(turn == 1):
                total = total * 2
        Out[me] = total

    rng = np.random.default_rng(threads)
    begin = rng.integers(0, 20, threads, dtype=np.uint32)
    end = rng.integers(0, 60, threads, dtype=np.uint32)
    x = rng.integers(-50, 50, 64).astype(np.float32)
    out = np.empty(threads, np.float32)
    enigma.compile(each)(begin, end, x, out, grid=threads, threads=threads)
    want = []
    for b, e in zip(begin, end, strict=True):
        total = 0.0
        for turn in range(3):
            total += x[b : e + turn].sum()
            total *= 2 if turn == 1 else 1
        want.append(total)
    np.testing.assert_array_equal(out, np.float32(want))


@pytest.mark.parametrize("threads", [(32, 8, 1), (64, 4, 1), (16, 16, 1), (32, 4, 2)])
def test_what_all_rows_of_threads_share(threads: tuple[int, int, int]) -> None:
    @enigma.kernel
    def table(X: enigma.f32, Out: enigma.f32, turns: enigma.Scalar(enigma.u32)):
        tx = enigma.thread_position_in_threadgroup(0)
        ty = enigma.thread_position_in_threadgroup(1)
        tz = enigma.thread_position_in_threadgroup(2)
        width = enigma.threads_per_threadgroup(0)
        height = enigma.threads_per_threadgroup(1)
        me = (tz * height + ty) * width + tx
        kept = enigma.threadgroup_alloc("float", 256)
        kept[me] = X[me]
        enigma.barrier()
        total = 0.0
        with enigma.for_range(0, turns, 2, dtype="uint") as k:
            total = enigma.fma(kept[(k * width + tx) % 256], kept[ty], total)
            with enigma.if_(k > 2):
                total = total + enigma.simd_sum(kept[tx])
        enigma.barrier()
        kept[me] = total
        enigma.barrier()
        with enigma.for_range(0, turns, dtype="uint") as k:
            total = total + kept[(me + k) % 256] * kept[k]
        Out[me] = total

    x = np.random.default_rng(1).integers(-4, 5, 256).astype(np.float32)
    out = np.empty(256, np.float32)
    turns = 5
    enigma.compile(table)(x, out, turns, grid=threads, threads=threads)
    width, height, depth = threads
    me = np.arange(256)
    tx, ty = me % width, me // width % height
    simd_sums = x[tx].reshape(8, 32).sum(1).repeat(32)
    total = np.zeros(256, np.float32)
    for k in range(0, turns, 2):
        total += x[(k * width + tx) % 256] * x[ty] + (simd_sums if k > 2 else 0)
    kept = total.copy()
    for k in range(turns):
        total += kept[(me + k) % 256] * kept[k]
    np.testing.assert_array_equal(out, total)


def test_lanes_that_part_before_and_after_a_loop() -> None:
    @enigma.kernel
    def parted(X: enigma.i32, Out: enigma.i32, Firsts: enigma.i32, columns: enigma.Scalar("uint")):
        lane = enigma.thread_position_in_threadgroup()
        group = enigma.simdgroup_index_in_threadgroup()
        row = enigma.threadgroup_position_in_grid() * columns
        met = enigma.threadgroup_alloc("int", 8)
        start, factor = 0, 1
        with enigma.if_(lane % 3 == 0):
            start = X[row + lane]
            with enigma.if_(lane > 40):
                factor = X[row] * 5 - enigma.metal_cast(group, "int")
        with enigma.if_(lane % 3 != 0):
            factor = enigma.metal_cast(lane, "int") // 7
        total = start
        with enigma.for_range(lane, columns, 256, dtype="uint") as i:
            total = total + X[row + i] * factor
        with enigma.if_(enigma.thread_index_in_simdgroup() == group):
            met[group] = total
            Firsts[enigma.threadgroup_position_in_grid() * 8 + group] = enigma.metal_cast(
                lane, "int"
            )
        enigma.barrier()
        Out[enigma.thread_position_in_grid] = total + met[7] - met[lane % 8]

    columns = 2 * 256 + 77
    x = np.random.default_rng(9).integers(-1000, 1000, (3, columns), dtype=np.int32)
    out, firsts = np.empty((3, 256), np.int32), np.empty((3, 8), np.int32)
    enigma.compile(parted)(x, out, firsts, columns, grid=3 * 256, threads=256)
    lane = np.arange(256)
    third, group = lane % 3 == 0, lane // 32
    late = np.where(lane > 40, x[:, :1] * 5 - group, 1)
    factor = np.where(third, late, lane // 7)
    padded = np.zeros((3, 3 * 256), np.int32)
    padded[:, :columns] = x
    total = np.where(third, x[:, :256], 0) + padded.reshape(3, 3, 256).sum(1) * factor
    met = total[:, np.arange(8) * 33]
    np.testing.assert_array_equal(out, total + met[:, 7:] - met[:, lane % 8])
    assert (firsts == np.arange(8) * 33).all()


@pytest.mark.parametrize("size", [700, 3 * 256 + 5 * 32 + 7])
def test_a_fault_names_a_thread_that_made_it(size: int, device: str) -> None:
    if device != "cpu":
        return  # the lab has tests of its own for what is out of bounds

    @enigma.kernel
    def beyond(X: enigma.i32, N: enigma.u32, Out: enigma.i32):
        lane = enigma.thread_position_in_threadgroup()
        total = 0
        with enigma.for_range(lane, N[0], 256, dtype="uint") as i:
            total = total + X[i]
        Out[lane] = total

    x, out = np.ones(size, np.int32), np.zeros(256, np.int32)
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(beyond)(x, np.uint32([1024]), out, grid=256, threads=256)
    text = str(caught.value)
    index = int(text.split("X[")[1].split("]")[0])
    thread = int(text.split("thread (")[1].split(",")[0])
    assert size <= index < 1024 and thread == index % 256, text
    assert f"X has {size} elements" in text
    assert "total = total + X[i]" in text


@pytest.mark.parametrize("rows", [3, 16, 18])
def test_rows_dealt_to_simdgroups(rows: int) -> None:
    """Each begins at its own number; a condition holds for all, for some or for no lanes."""

    @enigma.kernel
    def deal(A: enigma.f32, Out: enigma.f32, Sums: enigma.f32, n: enigma.Scalar(enigma.u32)):
        lane = enigma.thread_index_in_simdgroup()
        simd = enigma.simdgroup_index_in_threadgroup()
        total = 0.0
        with enigma.for_range(simd, rows, 4, dtype="uint") as r:
            at = r * 32 + lane
            x = enigma.load_if(A, at, at < n, -1.0)
            Out[at] = x
            total = total + x
        Sums[simd * 32 + lane] = total

    for n in (1, rows * 32 // 2 + 5, rows * 32):
        a = np.arange(n, dtype=np.float32)
        out, sums = np.zeros((rows, 32), np.float32), np.zeros((4, 32), np.float32)
        enigma.compile(deal)(a, out.ravel(), sums.ravel(), n, grid=128, threads=128)
        want = np.pad(a, (0, rows * 32 - n), constant_values=-1).reshape(rows, 32)
        np.testing.assert_array_equal(out, want)
        np.testing.assert_array_equal(sums, [want[k::4].sum(axis=0) for k in range(4)])
