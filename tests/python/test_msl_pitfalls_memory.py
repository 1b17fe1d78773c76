"""Pitfalls of MSL with lanes, memory, barriers and loops: what the emitter writes, and numbers."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from golden_kernels import KERNELS
from pitfalls import Pitfalls, body_of, covers, opened, text_of, warnings_of

import enigma

pytestmark = pytest.mark.no_asan


@pytest.fixture(scope="module")
def pitfalls() -> Iterator[Pitfalls]:
    with opened() as lab:
        yield lab


# ---- lanes ---------------------------------------------------------------------------------------
@covers(
    "H: a shuffle on one side of ?: or && is made by some lanes only",
    "38: what a condition skips is not evaluated, shuffles included",
)
def test_operations_across_lanes_are_statements(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        lane = enigma.thread_index_in_simdgroup()
        Out[i] = enigma.where(X[i], enigma.simd_shuffle_xor(X[i], 1), lane < 5)
        both = (lane < 5) & (enigma.simd_sum(X[i]) > 3.0)
        Out[i + 64] = enigma.where(0.0, 1.0, both)

    body = body_of(text_of(kernel))
    for line in body.splitlines():
        if "simd_" in line and "[[" not in line:
            assert re.match(r"    const \w+ \w+ = simd_\w+\([^?&|]*\);", line), line
    x = np.arange(64, dtype=np.float32)
    out = pitfalls.run(kernel, x, np.zeros(128, np.float32))[1]
    want = np.where(np.arange(64) % 32 < 5, x[np.arange(64) ^ 1], x)
    np.testing.assert_array_equal(out, np.concatenate([want, np.arange(64) % 32 < 5]))


@covers("H: broadcasts and distances must be one for the SIMD-group, and name lanes that exist")
def test_lanes_that_metal_leaves_open(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, N: enigma.u32, Out: enigma.i32):
        i = enigma.thread_position_in_grid
        x, n = X[i], N[i]
        results = [enigma.simd_shuffle_up(x, n), enigma.simd_shuffle_down(x, n)]
        results += [enigma.simd_shuffle_xor(x, n), enigma.simd_shuffle(x, n)]
        results += [enigma.simd_broadcast(x, n), enigma.simd_shuffle_xor(x, 35)]
        results += [enigma.simd_shuffle_up(x, 3), enigma.simd_shuffle_down(x, N[0])]
        for k, result in enumerate(results):
            Out[i * len(results) + k] = result

    rng = np.random.default_rng(0)
    x = rng.integers(0, 1000, 64).astype(np.int32)
    n = rng.integers(0, 40, 64).astype(np.uint32)
    n[:3] = 33, 2**32 - 1, 2**31
    got = pitfalls.run(kernel, x, n, np.zeros(64 * 8, np.int32))[2].reshape(64, 8).T
    lane, base = np.arange(64) % 32, np.arange(64) // 32 * 32
    wide = n.astype(np.int64)
    sources = [
        np.where(wide <= lane, lane - wide, lane),
        np.where(wide < 32 - lane, lane + wide, lane),
    ]
    sources += [lane ^ (wide & 31), wide & 31, np.repeat(wide[::32] & 31, 32), lane ^ 3]
    sources += [np.where(lane >= 3, lane - 3, lane), lane]
    for result, source in zip(got, sources, strict=True):
        np.testing.assert_array_equal(result, x[base + source])
    body = body_of(text_of(kernel))
    assert body.count("simd_shuffle_up(") == 1 and "simd_shuffle_up(x, 3u)" in body
    assert "simd_broadcast(x, simd_broadcast_first(n) & 31u)" in body
    assert "simd_shuffle_xor(x, 3u)" in body and "simd_shuffle(x, n & 31u)" in body
    assert "uint thread_index_in_simdgroup [[thread_index_in_simdgroup]]" in body


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@covers("H: the least and greatest over lanes with NaN are unspecified")
def test_extremes_over_lanes_with_nan(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Low: dtype, High: dtype):
        i = enigma.thread_position_in_grid
        Low[i], High[i] = enigma.simd_min(X[i]), enigma.simd_max(X[i])

    x = np.random.default_rng(0).normal(size=96).astype(np.float32)
    x[[3, 4, 40]] = np.nan
    x[64:] = np.nan
    x = x.astype(enigma.dtype(dtype).numpy)
    _, low, high = pitfalls.run(kernel, x, x, x, grid=96)
    wide = x.astype(np.float64).reshape(3, 32)
    np.testing.assert_array_equal(low.astype(float)[::32], [*np.nanmin(wide[:2], 1), np.nan])
    np.testing.assert_array_equal(high.astype(float)[::32], [*np.nanmax(wide[:2], 1), np.nan])
    assert "enigma_simd_min(" in body_of(text_of(kernel))
    assert "enigma_simd" not in text_of(kernel, math="fast")


@pytest.mark.parametrize("dtype", ["i64", "u64", "b1", "bf16", "i8", "f16"])
@covers(
    "14: functions across lanes refuse 64 bits, bool and bfloat",
    "H: only the low 32 bits of a vote are defined",
)
def test_types_that_functions_across_lanes_refuse(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.simd_shuffle_xor(X[i], 5)
        if dtype != "b1":
            Out[i + 64] = enigma.simd_max(X[i])
        if dtype in ("i64", "u64", "i8"):
            Out[i + 64] = enigma.simd_sum(X[i])
            Out[i + 128] = enigma.simd_or(X[i])

    rng = np.random.default_rng(0)
    kind = enigma.dtype(dtype).numpy
    if dtype in ("i64", "u64", "i8"):
        info = np.iinfo(kind)
        x = rng.integers(info.min, info.max, 64, kind)
    else:
        x = (rng.normal(size=64) * 2).astype(kind)
    out = pitfalls.run(kernel, x, np.zeros(192, kind))[1]
    np.testing.assert_array_equal(out[:64], x[np.arange(64) ^ 5])
    if dtype in ("i64", "u64", "i8"):
        np.testing.assert_array_equal(out[64:128:32], x.reshape(2, 32).sum(1, dtype=kind))
        np.testing.assert_array_equal(out[128::32], np.bitwise_or.reduce(x.reshape(2, 32), axis=1))
    text = text_of(kernel)
    for argument in re.findall(r"\bsimd_(?:shuffle\w*|sum|max|or)\((\w+(?:<\w+>)?)", body_of(text)):
        allowed = {"b1": "uint", "bf16": "float", "i64": "as_type<uint2>", "u64": "as_type<uint2>"}
        assert argument == allowed.get(dtype, "X"), text
    if dtype in ("i64", "u64"):
        assert "uint(ulong(simd_vote::vote_t(simd_active_threads_mask())))" in text


# ---- memory, barriers, atomics -------------------------------------------------------------------
@covers("E: one buffer behind two arguments is taken not to overlap")
def test_one_buffer_is_not_bound_twice() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i + 1] = X[i]

    x = np.zeros(65, np.float32)
    with pytest.raises(enigma.EnigmaError, match="Out, which the kernel writes, overlaps X"):
        enigma.compile(kernel)(x, x, grid=64)
    with pytest.raises(enigma.EnigmaError, match="overlaps"):
        enigma.compile(kernel)(x[1:], x[:-1], grid=63)


@covers("E: in place means one parameter")
def test_in_place_is_one_parameter(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32):
        i = enigma.thread_position_in_grid
        X[i] = X[i] * 2.0 + X[i]

    x = np.arange(64, dtype=np.float32)
    np.testing.assert_array_equal(pitfalls.run(kernel, x)[0], 3 * x)
    assert "device float* X [[buffer(0)]]" in text_of(kernel)


@enigma.kernel
def reversed_group(X: enigma.f32, Out: enigma.f32):
    i = enigma.thread_position_in_grid
    lid, n = enigma.thread_position_in_threadgroup(), enigma.threads_per_threadgroup()
    tile = enigma.threadgroup_alloc("float", 256)
    tile[lid] = X[i]
    enigma.barrier()
    Out[i] = tile[n - 1 - lid]


@covers("B: a group promised to have 32 threads at most loses the barrier's threadgroup memory")
@pytest.mark.parametrize("threads", [1, 16, 32, 33])
def test_small_threadgroups_keep_their_barriers(pitfalls: Pitfalls, threads: int) -> None:
    text = text_of(reversed_group)
    limit = re.search(r"max_total_threads_per_threadgroup\((\d+)\)", text)
    assert "threadgroup_barrier(mem_flags::mem_threadgroup);" in text
    assert limit is None or int(limit[1]) > 32  # today the text promises nothing
    x = np.arange(threads * 3, dtype=np.float32)
    out = pitfalls.run(reversed_group, x, x, grid=len(x), threads=threads)[1]
    np.testing.assert_array_equal(out, x.reshape(3, -1)[:, ::-1].ravel())


@covers(
    "G: a barrier that some threads return before, or go around, hangs or corrupts",
    "L: a threadgroup larger than the pipeline allows is skipped silently",
)
def test_guards_and_barriers_do_not_mix() -> None:
    @enigma.kernel
    def guarded(X: enigma.f32, n: enigma.Scalar("uint")):
        i = enigma.thread_position_in_grid
        with enigma.if_(i < n):
            tile = enigma.threadgroup_alloc("float", 32)
            tile[enigma.thread_position_in_threadgroup()] = X[i]
            enigma.barrier()
            X[i] = tile[0]

    with pytest.raises(enigma.EnigmaError, match="barrier inside an if_ whose condition differs"):
        enigma.compile(guarded)
    with pytest.raises(enigma.EnigmaError, match="1024"):
        enigma.compile(reversed_group)(*np.zeros((2, 2048), np.float32), grid=2048, threads=2048)


@covers(
    "N: threadgroup memory holds anything at first, and takes no initialiser",
    "I: an index that is not known into an array of the thread's own read 0",
    "J: a local array without values crashed the compiler",
    "K: a return inside a switch inside a loop was compiled wrong",
    "4: threadgroup memory is declared in the kernel itself",
)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_what_no_text_has(kernel) -> None:
    text = text_of(kernel)
    words = re.sub(r"//[^\n]*", "", body_of(text))
    assert not re.search(r"\b(return|switch|goto|static|volatile|restrict|do)\b", words)
    for indent, type_name in re.findall(r"^( *)((?:\w+ )+)\w+\[\d+\];$", words, re.M):
        assert indent == "    " and type_name.startswith("threadgroup "), words


@covers("J: a variable is read before it has a value")
def test_variables_have_values_before_they_are_read(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, Out: enigma.i32):
        i = enigma.thread_position_in_grid
        x, best, count = X[i], 0, 0
        with enigma.if_(x > 3) as (then, otherwise):
            with then:
                best = x * 2
                with enigma.if_(x > 10):
                    count = 1
            with otherwise:
                with enigma.for_range(0, x) as k:
                    best = best + k
                    with enigma.while_(lambda: count < k):
                        count = count + 1
        Out[i] = best * 100 + count

    text = text_of(kernel)
    names = ["uninitialized", "sometimes-uninitialized", "conditional-uninitialized"]
    assert warnings_of(text, *names) == []
    missing = "kernel void f(device int* o) { int x; if (o[0] > 0) { x = 1; } o[1] = x; }"
    assert warnings_of(missing, *names)  # clang sees it where a value is missing
    x = np.arange(-2, 14, dtype=np.int32)
    out = pitfalls.run(kernel, x, np.zeros(16, np.int32), grid=16)[1]

    def plain(x: int) -> int:
        if x > 3:
            return x * 200 + (x > 10)
        return sum(range(x)) * 100 + max(0, x - 1)

    np.testing.assert_array_equal(out, [plain(int(v)) for v in x])


@covers("T: a load is not repeated when nothing in the thread's own text wrote")
def test_loads_on_both_sides_of_a_barrier_are_two(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        lid = enigma.thread_position_in_threadgroup()
        tile = enigma.threadgroup_alloc("float", 32)
        tile[lid] = X[i]
        enigma.barrier()
        before = tile[31 - lid]
        enigma.barrier()
        tile[lid] = before
        enigma.barrier()
        Out[i] = before - tile[31 - lid]

    x = np.random.default_rng(0).normal(size=64).astype(np.float32)
    tiles = x.reshape(2, 32)
    out = pitfalls.run(kernel, x, x)[1]
    np.testing.assert_array_equal(out.reshape(2, 32), tiles[:, ::-1] - tiles)
    assert len(re.findall(r"tile\[difference\]", text_of(kernel))) == 2


@covers(
    "D: a compare-exchange of floats never succeeds on NaN",
    "15: atomic functions need atomic pointers, and the _explicit names",
    "27: what an exchange expected is a variable of the thread",
)
def test_atomics(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(Count: enigma.u32, X: enigma.i32, Out: enigma.u32):
        i = enigma.thread_position_in_grid
        enigma.atomic_fetch_add(Count, 0, 1)
        X[i + 1] = 7  # the same memory plainly
        enigma.atomic_fetch_min(X, 0, -enigma.metal_cast(i, "int"))
        done = enigma.atomic_compare_exchange_weak(Count, i + 1, 5, 6)
        Out[i] = enigma.where(enigma.u32(0), enigma.u32(1), done)

    body = body_of(text_of(kernel))
    assert "device atomic_uint* Count [[buffer(0)]]" in body
    assert "atomic_fetch_min_explicit((device atomic_int*)&X[0], " in body
    assert re.search(r"uint expected = 5u;.*\n.*&expected, 6u, memory_order_relaxed, memory", body)
    assert set(re.findall(r"memory_order_\w+", body)) == {"memory_order_relaxed"}
    count = np.array([0, *[4] * 64], np.uint32)
    count, x, _ = pitfalls.run(kernel, count, np.zeros(65, np.int32), np.zeros(64, np.uint32))
    assert count[0] == 64 and x[0] == -63 and (count[1:] == 4).all() and (x[1:] == 7).all()

    @enigma.kernel
    def floats(X: enigma.f32, Out: enigma.u32):
        done = enigma.atomic_compare_exchange_weak(X, 0, X[1], 2.0)
        Out[0] = enigma.where(enigma.u32(0), enigma.u32(1), done)

    compared = r"uint expected = as_type<uint>\(X\[1\]\);.*\n.*atomic_uint\*\)&X\[0\], &expec"
    assert re.search(compared, text_of(floats))
    pitfalls.run(floats, np.full(2, np.nan, np.float32), np.zeros(1, np.uint32), grid=1)


@covers("15: an order that is not relaxed needs MSL 4.1; fences need 3.2")
def test_stronger_orders_are_fences() -> None:
    @enigma.kernel
    def kernel(Count: enigma.u32):
        enigma.atomic_fetch_add(Count, 0, 1, order="acq_rel")

    compiled = enigma.compile(kernel)
    text = text_of(kernel)
    assert re.search(r"fence\(.*\n.*fetch_add_explicit\(.*relaxed\);.*\n.*fence\(", text)
    assert not re.search(r"memory_order_(acquire|release|acq_rel)", text)
    assert compiled.artifact.msl_version == 320
    assert enigma.compile(reversed_group).artifact.msl_version == 310


# ---- loops ---------------------------------------------------------------------------------------
@covers("C: a loop that never ends is deleted, with the checks before it")
def test_loops_without_an_end_are_refused() -> None:
    @enigma.kernel
    def always(Out: enigma.i32):
        with enigma.while_(lambda: True):
            Out[0] = 1

    @enigma.kernel
    def unchanged(Out: enigma.i32, n: enigma.Scalar("int")):
        with enigma.while_(lambda: n > 3):
            with enigma.if_(n > 5):
                Out[0] = Out[0] + 1

    advice = (
        "; in its body, rebind a name that the condition reads, as in `n = n - 1`, or write to "
        "memory that it reads"
    )
    for kernel, why in [(always, "always true"), (unchanged, "the same in every turn")]:
        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(kernel)
        begin = "this while_ never ends once it has begun: its condition is "
        assert caught.value.message == begin + why + advice
        assert "with enigma.while_(lambda:" in str(caught.value)


@covers("C: what a loop waits for is read in every turn")
def test_a_condition_is_evaluated_in_every_turn(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(Count: enigma.u32, Out: enigma.u32):
        turns = enigma.u32(0)
        with enigma.while_(lambda: enigma.atomic_load(Count, 0) < 5):
            enigma.atomic_fetch_add(Count, 0, 2)
            turns = turns + 1
        with enigma.while_(lambda: Out[1] > 0):
            Out[1] = Out[1] - 1
            turns = turns + 10
        Out[0] = turns

    body = body_of(text_of(kernel))
    assert re.search(
        r"while \(true\) \{.*\n.*atomic_load_explicit\(.*\n +if \(!\(.*\)\) break;", body
    )
    assert "while (Out[1] > 0u) {" in body
    arguments = [np.zeros(1, np.uint32), np.array([0, 3], np.uint32)]
    out = pitfalls.run(kernel, *arguments, grid=1)[1]
    np.testing.assert_array_equal(out, [33, 0])


@covers(
    "37: values that a loop carries to the next turn are read before any is written",
    "37: a carried value keeps one type",
)
def test_carried_values_are_exchanged(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        a, b, c, total = X[i], X[i] + 1.0, X[i] + 2.0, 0
        with enigma.for_range(0, enigma.metal_cast(i, "int")) as k:
            a, b, c = b, c, a
            total = total + a * enigma.metal_cast(k, "float")
        Out[i * 4], Out[i * 4 + 1], Out[i * 4 + 2], Out[i * 4 + 3] = a, b, c, total

    x = np.random.default_rng(0).normal(size=16).astype(np.float32)
    got = pitfalls.run(kernel, x, np.zeros(64, np.float32), grid=16)[1].reshape(16, 4)
    for i in range(16):
        a, b, c, total = x[i], x[i] + np.float32(1), x[i] + np.float32(2), np.float32(0)
        for k in range(i):
            a, b, c = b, c, a
            total = total + a * np.float32(k)
        np.testing.assert_array_equal(got[i], [a, b, c, total])
    assert "float total = 0.0f;" in text_of(kernel)


@covers("F: a counter that passes its type's end is undefined, or never stops")
@pytest.mark.parametrize("dtype, lo, hi, by", [
    ("int", 2147483640, 2147483647, 3),
    ("int", -2147483640, -2147483648, -3),
    ("uint", 4294967290, 4294967295, 4),
    ("char", 120, 127, 5),
])  # fmt: skip
def test_counters_at_the_end_of_their_type(
    pitfalls: Pitfalls, dtype: str, lo: int, hi: int, by: int
) -> None:
    @enigma.kernel
    def kernel(Out: enigma.i32):
        turns = enigma.i32(0)
        with enigma.for_range(lo, hi, by, dtype=dtype) as k:
            turns = turns + 1
        Out[0] = turns

    assert pitfalls.run(kernel, np.zeros(1, np.int32), grid=1)[0] == [len(range(lo, hi, by))]
