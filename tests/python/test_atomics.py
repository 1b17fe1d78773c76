"""Atomics: contended by many threads they end with the exact result, and old values are those that
some order of the operations gives."""

from collections.abc import Callable

import numpy as np
import pytest
from reference import NUMPY

import enigma

DTYPES = ("i32", "u32", "f32")
SPACES = ("device", "threadgroup")

# What each operation leaves in memory, on values of the kernel.
UPDATES: dict[str, Callable] = {
    "fetch_add": lambda old, v: old + v,
    "fetch_sub": lambda old, v: old - v,
    "fetch_min": lambda old, v: enigma.where(old, v, v < old),
    "fetch_max": lambda old, v: enigma.where(old, v, v > old),
    "fetch_and": lambda old, v: old & v,
    "fetch_or": lambda old, v: old | v,
    "fetch_xor": lambda old, v: old ^ v,
}
START = {"fetch_min": 1000, "fetch_max": 0, "fetch_and": 2**31 - 1, "fetch_or": 2**20}
KINDS = [(name, d) for name in UPDATES for d in DTYPES if d != "f32" or name[6:] not in
         ("and", "or", "xor")]  # fmt: skip


def value_of(name: str, tid, turn):
    """The operand of a thread's turn, the same function in numpy: sums stay exact as floats."""
    mixed = (tid * 2654435761 + turn * 40503) >> 7
    bit = mixed % 31
    one = tid - tid + 1
    if name == "fetch_and":
        return 2**31 - 1 - (one << bit) * (bit < 5)
    if name in ("fetch_or", "fetch_xor"):
        return one << bit
    return mixed % 97 + 1


def traced_value_of(name: str, tid, turn):
    mixed = (tid * 2654435761 + turn * 40503) >> 7
    bit = mixed % 31
    one = enigma.u32(1) << bit
    if name == "fetch_and":
        return enigma.where(enigma.u32(2**31 - 1), 2**31 - 1 - one, bit < 5)
    return one if name in ("fetch_or", "fetch_xor") else mixed % 97 + 1


def expected(name: str, dtype: str, threads: range, turns: int) -> np.ndarray:
    """What memory holds at the end."""
    tid = np.repeat(np.arange(threads.start, threads.stop, dtype=np.uint32), turns)
    turn = np.tile(np.arange(turns, dtype=np.uint32), len(threads))
    with np.errstate(over="ignore"):
        v = value_of(name, tid, turn).astype(np.int64)
    start = START.get(name, 0)
    ends = {
        "fetch_add": lambda: start + v.sum(),
        "fetch_sub": lambda: start - v.sum(),
        "fetch_min": lambda: min(start, v.min()),
        "fetch_max": lambda: max(start, v.max()),
        "fetch_and": lambda: start & np.bitwise_and.reduce(v),
        "fetch_or": lambda: start | np.bitwise_or.reduce(v),
        "fetch_xor": lambda: start ^ np.bitwise_xor.reduce(v),
    }
    return np.array(ends[name]()).astype(NUMPY[dtype])


def contended(name: str, dtype: str, space: str, ordered: bool) -> enigma.CompiledKernel:
    """All threads of the grid, or of a threadgroup, update one element `turns` times. Change sums
    what each update changed, as its old value tells it."""
    order = "acq_rel" if ordered else "relaxed"

    @enigma.kernel
    def kernel(Mem: dtype, Change: dtype, turns: enigma.Scalar(enigma.u32)):
        tid = enigma.thread_position_in_grid
        group = enigma.threadgroup_position_in_grid()
        memory = Mem
        if space == "threadgroup":
            memory = enigma.threadgroup_alloc(dtype, 1)
            with enigma.if_(enigma.thread_position_in_threadgroup() == 0):
                memory.atomic_store(0, START.get(name, 0))
            enigma.barrier()
        with enigma.for_range(0, turns, dtype="uint") as turn:
            v = enigma.metal_cast(traced_value_of(name, tid, turn), dtype)
            old = getattr(memory, f"atomic_{name}")(0, v, order)
            enigma.atomic_fetch_add(Change, group, UPDATES[name](old, v) - old)
        if space == "threadgroup":
            enigma.barrier()
            with enigma.if_(enigma.thread_position_in_threadgroup() == 0):
                Mem[group] = memory.atomic_load(0)

    return enigma.compile(kernel)


def check_contended(
    name: str, dtype: str, space: str, grid: int, block: int, turns: int, ordered=False, **run
) -> None:
    groups = -(-grid // block)
    mem = np.full(groups if space == "threadgroup" else 1, START.get(name, 0), NUMPY[dtype])
    change = np.zeros(groups, NUMPY[dtype])
    start = mem.copy()
    contended(name, dtype, space, ordered)(mem, change, turns, grid=grid, threads=block, **run)
    if space == "device":
        parts = [range(grid)]
        change = change.sum(keepdims=True, dtype=change.dtype)
    else:
        parts = [range(g * block, min((g + 1) * block, grid)) for g in range(groups)]
    np.testing.assert_array_equal(mem, [expected(name, dtype, p, turns) for p in parts])
    np.testing.assert_array_equal(change, mem - start)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("name", "dtype"), KINDS)
def test_a_thousand_threads_on_two_cores(name: str, dtype: str, space: str) -> None:
    runtime = enigma.CpuRuntime(threads=2)
    block = 32 if space == "device" else 250
    check_contended(name, dtype, space, 1000, block, 100, runtime=runtime)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("name", "dtype"), KINDS)
def test_contended_on_every_device(name: str, dtype: str, space: str) -> None:
    check_contended(name, dtype, space, 150, 64, 4)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_contended_with_a_stronger_order(dtype: str, space: str) -> None:
    check_contended("fetch_max", dtype, space, 80, 40, 3, ordered=True)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_two_threads_see_the_same_old_value(dtype: str, space: str) -> None:
    n, turns = 96, 3

    @enigma.kernel
    def kernel(Mem: dtype, Up: enigma.u32, Down: enigma.u32):
        memory = Mem
        if space == "threadgroup":
            memory = enigma.threadgroup_alloc(dtype, 2)
            with enigma.if_(enigma.thread_position_in_grid == 0):
                memory[0] = Mem[0]
                memory[1] = Mem[1]
            enigma.barrier()
        with enigma.for_range(0, turns):
            up = enigma.metal_cast(memory.atomic_fetch_add(0, 1), "uint")
            down = enigma.metal_cast(memory.atomic_fetch_sub(1, 1), "uint")
            Up.atomic_fetch_add(up, 1)
            Down.atomic_fetch_add(down - 1, 1)

    up, down = np.zeros((2, n * turns), np.uint32)
    mem = np.array([0, n * turns], NUMPY[dtype])
    enigma.compile(kernel)(mem, up, down, grid=n, threads=n)
    assert (up == 1).all() and (down == 1).all()


def tokens(dtype: str, turns: int, **run) -> None:
    """Each thread has a token of its own and exchanges it again and again; none is lost."""
    n = run["grid"]

    @enigma.kernel
    def kernel(Mem: dtype, Done: enigma.u32, Seen: enigma.u32, turns: enigma.Scalar(enigma.u32)):
        mine = enigma.metal_cast(enigma.thread_position_in_grid, dtype)
        with enigma.for_range(0, turns):
            mine = Mem.atomic_exchange(0, mine)
        Seen.atomic_fetch_add(enigma.metal_cast(mine, "uint"), 1)
        with enigma.if_(Done.atomic_fetch_add(0, 1, order="acq_rel") == n - 1):
            left = Mem.atomic_exchange(0, 7)
            Seen.atomic_fetch_add(enigma.metal_cast(left, "uint"), 1)

    mem, seen = np.full(1, n, NUMPY[dtype]), np.zeros(n + 1, np.uint32)
    enigma.compile(kernel)(mem, np.zeros(1, np.uint32), seen, turns, **run)
    assert (seen == 1).all() and mem[0] == 7


def counted_by_exchange(dtype: str, space: str, turns: int, **run) -> None:
    """Counts up by a loop of compare-exchanges."""
    n, block = run["grid"], run["threads"]

    @enigma.kernel
    def kernel(Mem: dtype, turns: enigma.Scalar(enigma.u32)):
        group = enigma.threadgroup_position_in_grid()
        first = enigma.thread_position_in_threadgroup() == 0
        memory = Mem
        if space == "threadgroup":
            memory = enigma.threadgroup_alloc(dtype, 1)
            with enigma.if_(first):
                memory.atomic_store(0, 0)
            enigma.barrier()
        left = turns + 0
        with enigma.while_(lambda: left > 0):
            old = memory.atomic_load(0)
            done = memory.atomic_compare_exchange_weak(0, old, old + 1)
            left = left - enigma.where(enigma.u32(0), enigma.u32(1), done)
        if space == "threadgroup":
            enigma.barrier()
            with enigma.if_(first):
                Mem[group] = memory.atomic_load(0)

    groups = -(-n // block) if space == "threadgroup" else 1
    mem = np.zeros(groups, NUMPY[dtype])
    enigma.compile(kernel)(mem, turns, **run)
    want = [min(block, n - g * block) * turns for g in range(groups)]
    np.testing.assert_array_equal(mem, want if space == "threadgroup" else [n * turns])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_thousand_threads_exchange_on_two_cores(dtype: str) -> None:
    runtime = enigma.CpuRuntime(threads=2)
    tokens(dtype, 100, grid=1000, threads=64, runtime=runtime)
    for space in SPACES:
        counted_by_exchange(dtype, space, 100, grid=1000, threads=250, runtime=runtime)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_exchanges_on_every_device(dtype: str) -> None:
    tokens(dtype, 3, grid=100, threads=40)
    for space in SPACES:
        counted_by_exchange(dtype, space, 2, grid=70, threads=40)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("space", SPACES)
def test_a_compare_exchange_of_floats_compares_bits(space: str) -> None:
    """So a loop that waits for success ends on NaN, and the two zeros differ."""

    @enigma.kernel
    def kernel(X: enigma.f32, Expected: enigma.f32, Out: enigma.u32):
        i = enigma.thread_position_in_grid
        memory = X
        if space == "threadgroup":
            memory = enigma.threadgroup_alloc("float", 8)
            memory.atomic_store(i, X[i])
        done = enigma.b1(False)
        with enigma.for_range(0, 40):  # a weak exchange may fail for no reason
            done = done | memory.atomic_compare_exchange_weak(i, Expected[i], 5.0)
        Out[i] = enigma.where(enigma.u32(0), enigma.u32(1), done)
        X[i] = memory.atomic_load(i)

    bits = np.array([0x7FC00000, 0x7FC00001, 0xFFC12345, 0, 1 << 31, 0, 1 << 31, 0x7F800000])
    wanted = np.array([0x7FC00000, 0x7FC00000, 0xFFC12345, 0, 0, 1 << 31, 1 << 31, 0x7F800000])
    x = bits.astype(np.uint32).view(np.float32)
    out = np.zeros(8, np.uint32)
    enigma.compile(kernel)(x, wanted.astype(np.uint32).view(np.float32), out, grid=8, threads=8)
    equal = bits == wanted
    np.testing.assert_array_equal(out, equal)
    five = np.float32(5).view(np.uint32)
    np.testing.assert_array_equal(x.view(np.uint32), np.where(equal, five, bits))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("space", SPACES)
def test_a_loop_of_exchanges_ends_with_nan_in_memory(space: str) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32):
        memory = X
        if space == "threadgroup":
            memory = enigma.threadgroup_alloc("float", 1)
            with enigma.if_(enigma.thread_position_in_threadgroup() == 0):
                memory.atomic_store(0, X[0])
            enigma.barrier()
        memory.atomic_fetch_add(0, 1.0)
        done = enigma.b1(False)
        with enigma.while_(lambda: ~done):
            done = memory.atomic_compare_exchange_weak(0, memory.atomic_load(0), float("nan"))
        enigma.barrier()
        with enigma.if_(enigma.thread_position_in_threadgroup() == 0):
            X[0] = memory.atomic_load(0)

    x = np.full(1, np.nan, np.float32)
    enigma.compile(kernel)(x, grid=40, threads=40)
    assert np.isnan(x[0])


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("used", [False, True], ids=["unused", "used"])
@pytest.mark.parametrize("space", SPACES)
def test_extremes_of_floats_ignore_nan(space: str, used: bool) -> None:
    """The operands go to elements of their own, and all to the last."""

    @enigma.kernel
    def kernel(X: enigma.f32, Least: enigma.f32, Greatest: enigma.f32, Old: enigma.f32):
        i = enigma.thread_position_in_grid
        least, greatest = Least, Greatest
        if space == "threadgroup":
            least = enigma.threadgroup_alloc("float", 9)
            greatest = enigma.threadgroup_alloc("float", 9)
            least[i] = Least[i]
            greatest[i] = Greatest[i]
            with enigma.if_(i == 0):
                least[8] = Least[8]
                greatest[8] = Greatest[8]
            enigma.barrier()
        old = least.atomic_fetch_min(i, X[i])
        greatest.atomic_fetch_max(i, X[i])
        a = least.atomic_fetch_min(8, X[i])
        b = greatest.atomic_fetch_max(8, X[i])
        if used:
            old = enigma.where(old, a + b, (a == 3) & (b == 4))
        Old[i] = old
        if space == "threadgroup":
            enigma.barrier()
            Least[i] = least[i]
            Greatest[i] = greatest[i]
            with enigma.if_(i == 0):
                Least[8] = least[8]
                Greatest[8] = greatest[8]

    nan, inf = np.nan, np.inf
    x = np.array([nan, 1, nan, -inf, inf, -2, 1e-40, nan], np.float32)
    least = np.array([nan, nan, 2, 3, nan, -3, 1, inf, nan], np.float32)
    greatest, start, old = least.copy(), least.copy(), np.zeros(8, np.float32)
    enigma.compile(kernel)(x, least, greatest, old, grid=8, threads=8)
    np.testing.assert_array_equal(old, start[:8])
    np.testing.assert_array_equal(least, [*np.fmin(x, start[:8]), -inf])
    np.testing.assert_array_equal(greatest, [*np.fmax(x, start[:8]), inf])


@pytest.mark.usefixtures("device")
def test_all_lanes_nan_leave_memory_as_it_is() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32):
        X.atomic_fetch_min(0, float("nan"))
        X.atomic_fetch_max(1, float("nan"))

    x = np.array([1, 2], np.float32)
    enigma.compile(kernel)(x, grid=50, threads=50)
    assert x.tolist() == [1, 2]


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_loads_and_stores(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Same: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        enigma.atomic_store(X, i, i + 1)
        Same.atomic_store(0, 9)
        Out[i] = X.atomic_load(i, memory_order="acquire") + enigma.atomic_load(Same, 0)

    x, out = np.zeros((2, 70), NUMPY[dtype])
    enigma.compile(kernel)(x, np.zeros(1, x.dtype), out, grid=70, threads=70)
    np.testing.assert_array_equal(x, np.arange(1, 71))
    np.testing.assert_array_equal(out, np.arange(10, 80))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_buffer_is_used_atomically_and_plainly(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        i = enigma.thread_position_in_threadgroup()
        X[i] = X[i] + 1
        enigma.barrier("mem_device")
        X.atomic_fetch_add((i + 1) % 64, X.atomic_fetch_max(64, 3) * 0 + 2)
        enigma.barrier("mem_device")
        Out[i] = X[i]

    x, out = np.arange(65).astype(NUMPY[dtype]), np.zeros(64, NUMPY[dtype])
    enigma.compile(kernel)(x, out, grid=64, threads=64)
    np.testing.assert_array_equal(out, np.arange(64) + 3)
    assert x[64] == 64


@pytest.mark.usefixtures("device")
def test_values_are_converted_as_stores_convert_them() -> None:
    @enigma.kernel
    def kernel(I: enigma.i32, F: enigma.f32, B: enigma.u8, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        I.atomic_fetch_add(0, F[i])
        I.atomic_fetch_add(1, B[i])
        Out.atomic_fetch_add(0, B[i])
        Out.atomic_fetch_add(1, True)

    i, f = np.zeros(2, np.int32), np.array([1.9, -2.9, 3.5, np.nan], np.float32)
    out = np.zeros(2, np.float32)
    enigma.compile(kernel)(i, f, np.array([200, 100, 7, 255], np.uint8), out, grid=4, threads=4)
    assert i.tolist() == [1 - 2 + 3, 562] and out.tolist() == [562, 4]


@pytest.mark.usefixtures("device")
def test_lanes_that_are_masked_take_no_part() -> None:
    @enigma.kernel
    def kernel(Count: enigma.u32, Most: enigma.f32, Least: enigma.i32):
        i = enigma.thread_position_in_grid
        with enigma.if_(i % 3 == 1):
            Count.atomic_fetch_add(0, 1)
            Most.atomic_fetch_max(0, enigma.metal_cast(i, "float"))
            Least.atomic_fetch_min(0, -enigma.metal_cast(i, "int"))
            Most.atomic_fetch_add(1, 1)
            Count.atomic_fetch_add(1 + i, 5)

    count, most, least = np.zeros(101, np.uint32), np.zeros(2, np.float32), np.zeros(1, np.int32)
    enigma.compile(kernel)(count, most, least, grid=100, threads=64)
    assert (count[0], most[0], most[1], least[0]) == (33, 97, 33, -97)
    np.testing.assert_array_equal(count[1:], np.where(np.arange(100) % 3 == 1, 5, 0))


def publishing(order: bool, count: bool = False) -> enigma.CompiledKernel:
    """Each threadgroup writes a row, then its flag; and reads the rows whose flags it sees. Later
    counts flags of later threadgroups, if told to."""
    release, acquire = ("release", "acquire") if order else ("relaxed", "relaxed")

    @enigma.kernel
    def publish(Row: enigma.u32, Flag: enigma.u32, Wrong: enigma.u32, Later: enigma.u32):
        group = enigma.threadgroup_position_in_grid()
        lane = enigma.thread_position_in_threadgroup()
        width = enigma.threads_per_threadgroup()
        Row[group * width + lane] = group * 977 + lane
        enigma.barrier("mem_device")
        with enigma.if_(lane == 0):
            Flag.atomic_store(group, 1, order=release)
        with enigma.for_range(0, enigma.threadgroups_per_grid(), dtype="uint") as g:
            with enigma.if_(Flag.atomic_load(g, order=acquire) == 1):
                with enigma.if_(Row[g * width + lane] != g * 977 + lane):
                    Wrong.atomic_fetch_add(0, 1)
                with enigma.if_((g > group) & count):
                    Later.atomic_fetch_add(0, 1)

    return enigma.compile(publish)


@pytest.mark.usefixtures("device")
def test_what_is_published_is_seen() -> None:
    groups, width = 6, 40
    row, flag, wrong, later = (np.zeros(k, np.uint32) for k in (groups * width, groups, 1, 1))
    publishing(True)(row, flag, wrong, later, grid=groups * width, threads=width)
    assert wrong[0] == 0 and (flag == 1).all()
    np.testing.assert_array_equal(
        row.reshape(groups, width), np.arange(groups)[:, None] * 977 + np.arange(width)
    )


def test_what_one_worker_publishes_another_sees() -> None:
    """A group that sees the flag of a later one sees another thread's."""
    groups, width, compiled = 400, 64, publishing(True, count=True)
    runtime = enigma.CpuRuntime(threads=2)
    met = 0
    for _ in range(100):
        row, flag, wrong, later = (np.zeros(k, np.uint32) for k in (groups * width, groups, 1, 1))
        compiled(row, flag, wrong, later, grid=groups * width, threads=width, runtime=runtime)
        assert wrong[0] == 0 and (flag == 1).all()
        met += later[0] > 0
        if met == 5:
            return
    pytest.fail(f"two threads worked at once in {met} of 100 runs")


def test_orders_are_fences_on_coherent_memory() -> None:
    text = publishing(True).metal_source
    fence = "atomic_thread_fence(mem_flags::mem_device | mem_flags::mem_threadgroup, "
    fence += "memory_order_seq_cst, thread_scope_device);"
    lines = [line.strip().split("  //")[0] for line in text.splitlines()]
    store = next(k for k, line in enumerate(lines) if line.startswith("atomic_store_explicit("))
    load = next(k for k, line in enumerate(lines) if "atomic_load_explicit(" in line)
    assert lines[store - 1] == fence and lines[load + 1] == fence
    assert "publish(coherent(device) device uint* Row [[buffer(0)]]" in text
    relaxed = publishing(False)
    assert "fence" not in relaxed.metal_source and "coherent" not in relaxed.metal_source
    assert publishing(True).artifact.msl_version == 320
    assert relaxed.artifact.msl_version == 310
