"""The lab itself: what it must catch by name, and that it is right about kernels that are right."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from msl import lab as msl
from msl.lint import refused

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "msl"
BAD = sorted((HERE / "bad").glob("*.metal"))
GOOD = sorted((HERE / "good").glob("*.metal"))
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"


def fault(lab: msl.Lab, body: str, *arguments: np.ndarray, **options: object) -> msl.Finding:
    """The first finding of a kernel f over 64 threads, whose third line is the body's first."""
    with pytest.raises(msl.KernelFault) as caught:
        lab.run(HEAD + body, arguments, 64, 64, **options)
    return caught.value.findings[0]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.metal")), ids=lambda p: p.stem)
def test_golden_kernels_pass_both_compilers(path: Path) -> None:
    assert refused(path.read_text()) == []


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_one_fault_is_refused(path: Path, golden) -> None:
    text = path.read_text()
    assert text.startswith("// ")
    reasons = refused(text)
    assert reasons, f"accepted, though: {text.splitlines()[0]}"
    # The reason is pinned, so that a file is not refused for another fault than its own.
    lines = [r for r in reasons[0].splitlines() if "error:" in r or len(reasons[0]) < 200]
    reason = (lines or [reasons[0]])[0].replace(str(HERE), "tests/msl")
    reason = re.sub(r"(shim/msl/\w+\.h):\d+:\d+", r"\1", reason)
    golden(f"msl_refused/{path.stem}.txt", f"{text.splitlines()[0]}\n{reason}\n")


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_what_is_only_unusual_is_accepted(path: Path) -> None:
    assert refused(path.read_text()) == []


def test_names_that_only_opencl_reserves_are_taken() -> None:
    text = """kernel void f(device float* global [[buffer(0)]],
    uint3 t [[thread_position_in_grid]]) {
    threadgroup float local[4];
    local[t.x % 4u] = 1.0f;
    global[t.x] = local[t.x % 4u];
}
"""
    assert refused(HEAD + text) == []


def test_races_are_named(lab: msl.Lab) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]],
    uint3 t [[thread_position_in_threadgroup]]) {
    threadgroup float tile[64];
    tile[t.x] = float(t.x);  // page.py:8
    Out[t.x] = tile[63u - t.x];  // page.py:9
}
"""
    out = np.zeros(64, np.float32)
    found = fault(lab, body, out, checked=True)
    assert found.kind == "race" and "tile[" in found.text
    assert sorted(found.origins) == ["page.py:8", "page.py:9"] and sorted(found.lines) == [6, 7]
    # Without the checker the threads that came first read what nobody wrote: poison.
    assert np.isnan(lab.run(HEAD + body, [out], 64, 64).arrays[0]).any()
    barrier = "    threadgroup_barrier(mem_flags::mem_threadgroup);\n    Out"
    right = HEAD + body.replace("    Out", barrier)
    result = lab.run(right, [out], 64, 64, checked=True)
    np.testing.assert_array_equal(result.arrays[0], np.arange(64)[::-1])


def test_barrier_orders_only_the_memory_it_names(lab: msl.Lab) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]],
    uint3 t [[thread_position_in_threadgroup]]) {
    Out[t.x] = float(t.x);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Out[t.x] = Out[t.x ^ 1u];
}
"""
    assert fault(lab, body, np.zeros(64, np.float32), checked=True).kind == "race"


PUBLISH = """kernel void f(coherent(device) device uint* Row [[buffer(0)]],
    coherent(device) device atomic_uint* Flag [[buffer(1)]], device uint* Out [[buffer(2)]],
    uint3 g [[threadgroup_position_in_grid]], uint3 t [[thread_position_in_threadgroup]]) {
    threadgroup uint seen;
    Row[g.x * 16u + t.x] = g.x + 1u;
    threadgroup_barrier(mem_flags::mem_device);
    if (t.x == 0u) {
        RELEASE
        atomic_store_explicit(&Flag[g.x], 1u, memory_order_relaxed);
        seen = atomic_load_explicit(&Flag[g.x ^ 1u], memory_order_relaxed);
        ACQUIRE
    }
    MEET
    if (seen == 1u) Out[g.x * 16u + t.x] = Row[(g.x ^ 1u) * 16u + 15u - t.x];
}
"""
FENCE = "atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);"
MEET = "threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);"


def publish(lab: msl.Lab, release: str, acquire: str, meet: str, schedule: str) -> np.ndarray:
    body = PUBLISH.replace("RELEASE", release).replace("ACQUIRE", acquire).replace("MEET", meet)
    arrays = [np.zeros(k, np.uint32) for k in (64, 4, 64)]
    return lab.run(HEAD + body, arrays, 64, 16, checked=True, schedule=schedule).arrays[2]


def test_fences_publish_to_other_threadgroups(lab: msl.Lab, schedule: str) -> None:
    """Thread 0 hands on what its group wrote, and its group reads what it was handed."""
    out = publish(lab, FENCE, FENCE, MEET, schedule).reshape(4, 16)
    seen = out.any(axis=1)
    assert seen.sum() == 2  # of each pair the group that ran later
    np.testing.assert_array_equal(out[seen], np.array([2, 1, 4, 3])[seen, None] + [0] * 16)


@pytest.mark.parametrize(
    ("release", "acquire", "meet"),
    [
        ("", FENCE, MEET),
        (FENCE, "", MEET),
        (FENCE.replace("seq_cst", "relaxed"), FENCE, MEET),
        (FENCE, FENCE.replace("scope_device", "scope_threadgroup"), MEET),
        (FENCE.replace("scope_device", "scope_threadgroup"), FENCE, MEET),
        (FENCE.replace("mem_device", "mem_threadgroup"), FENCE, MEET),
        (FENCE, FENCE, "threadgroup_barrier(mem_flags::mem_threadgroup);"),
    ],
    ids=["no_release", "no_acquire", "relaxed", "acquire_scope", "scope", "memory", "barrier"],
)
def test_what_is_not_published_races(lab: msl.Lab, release: str, acquire: str, meet: str) -> None:
    with pytest.raises(msl.KernelFault) as caught:
        publish(lab, release, acquire, meet, "forward")
    found = caught.value.findings[0]
    assert found.kind == "race" and "read of Row[" in found.text


@pytest.mark.parametrize("checked", [False, True])
def test_stores_out_of_bounds_are_named(lab: msl.Lab, checked: bool) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    Out[t.x + 1u] = 1.0f;  // page.py:3
}
"""
    found = fault(lab, body, np.zeros(64, np.float32), checked=checked)
    assert found.kind == "out of bounds" and found.origins == ["page.py:3"]
    assert found.text.startswith("write of Out[64], which has 64 elements")


def test_threadgroup_memory_has_bounds(lab: msl.Lab) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]],
    uint3 t [[thread_position_in_threadgroup]]) {
    threadgroup float tile[63];
    tile[t.x] = 1.0f;
    Out[t.x] = 1.0f;
}
"""
    found = fault(lab, body, np.zeros(64, np.float32), checked=True)
    assert found.kind == "out of bounds" and "behind tile" in found.text and found.lines == [6]


def test_divergent_barriers_are_named(lab: msl.Lab, schedule: str) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]],
    uint3 t [[thread_position_in_threadgroup]]) {
    if (t.x < 40u) {
        threadgroup_barrier(mem_flags::mem_threadgroup);  // page.py:5
    }
    Out[t.x] = 1.0f;
}
"""
    found = fault(lab, body, np.zeros(64, np.float32), schedule=schedule)
    assert found.kind == "divergent barrier" and found.origins == ["page.py:5"]
    assert found.text == "40 of 64 threads reached the barrier"


def test_different_barriers_do_not_meet(lab: msl.Lab) -> None:
    body = """kernel void f(device float* Out [[buffer(0)]],
    uint3 t [[thread_position_in_threadgroup]]) {
    if (t.x < 40u) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
    } else {
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    Out[t.x] = 1.0f;
}
"""
    found = fault(lab, body, np.zeros(64, np.float32))
    assert found.kind == "divergent barrier" and "different barriers" in found.text


@pytest.mark.parametrize("index", ["1u << 20", "0xffffffffu", "-2147483647", "t.x - 64u"])
def test_no_index_of_32_bits_reaches_other_memory(lab: msl.Lab, index: str) -> None:
    body = f"""kernel void f(device float* Out [[buffer(0)]], device float* Other [[buffer(1)]],
    uint3 t [[thread_position_in_grid]]) {{
    Out[{index}] = Other[t.x];
}}
"""
    found = fault(lab, body, np.zeros(64, np.float32), np.zeros(64, np.float32))
    assert found.kind == "out of bounds" and found.text.startswith("write of Out[")


def test_the_lab_lives_on_after_a_fault(lab: msl.Lab) -> None:
    body = "kernel void f(device float* Out [[buffer(0)]]) { Out[1 << 20] = 1.0f; }\n"
    for _ in range(3):
        fault(lab, body, np.zeros(64, np.float32))
        good = HEAD + "kernel void f(device float* Out [[buffer(0)]]) { Out[0] = 1.0f; }\n"
        assert lab.run(good, [np.zeros(1, np.float32)], 1).arrays[0] == [1]


def test_lanes_meet_where_the_source_says(lab: msl.Lab, schedule: str) -> None:
    text = (
        HEAD
        + """inline uint both(uint x) { return simd_sum(x); }
kernel void f(device uint* Out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    uint x = 0u;
    if (t.x < 16u) {
        x = both(1u);
    } else {
        x = both(100u);
    }
    for (uint i = 0u; i < 32u; i++) {
        if (i == t.x) {
            x += simd_sum(1000u);
        }
    }
    Out[t.x] = x;
}
"""
    )
    result = lab.run(text, [np.zeros(32, np.uint32)], 32, 32, schedule=schedule)
    np.testing.assert_array_equal(result.arrays[0], np.repeat([1016, 2600], 16))
    assert result.divergent_simd == 34


def test_division_by_zero_and_wild_shifts_do_not_trap(lab: msl.Lab) -> None:
    text = (
        HEAD
        + """kernel void f(device uint* U [[buffer(0)]], device int* I [[buffer(1)]]) {
    U[1] = U[0] / U[2];
    U[1] = U[0] % U[2];
    I[2] = I[0] / I[1];
    I[3] = 1 << I[4];
}
"""
    )
    unsigned, signed = np.array([7, 1, 0], np.uint32), np.array([-(2**31), -1, 0, 0, 33], np.int32)
    assert lab.run(text, [unsigned, signed], 1).arrays[1][3] == 2


@pytest.mark.parametrize("transpose", [False, True])
def test_simdgroup_matrices(lab: msl.Lab, schedule: str, transpose: bool) -> None:
    flag = "true" if transpose else "false"
    text = (
        HEAD
        + f"""kernel void f(device const float* A [[buffer(0)]],
    device const half* B [[buffer(1)]], device float* C [[buffer(2)]]) {{
    simdgroup_float8x8 a, c;
    simdgroup_half8x8 b;
    simdgroup_load(a, A, 12, ulong2(2, 1), {flag});
    simdgroup_load(b, B, 8);
    c = make_filled_simdgroup_matrix<float, 8, 8>(1.0f);
    simdgroup_multiply_accumulate(c, a, b, c);
    simdgroup_store(c, C, 8);
}}
"""
    )
    rng = np.random.default_rng(0)
    a = rng.integers(-4, 5, (12, 12)).astype(np.float32)
    b = rng.integers(-4, 5, (8, 8)).astype(np.float16)
    c = np.zeros((8, 8), np.float32)
    tile = a[1:9, 2:10].T if transpose else a[1:9, 2:10]
    got = lab.run(text, [a, b, c], 32, 32, schedule=schedule).arrays[2]
    np.testing.assert_array_equal(got, tile @ b.astype(np.float32) + 1)


def test_quads_and_prefixes(lab: msl.Lab, schedule: str) -> None:
    text = (
        HEAD
        + """kernel void f(device int* X [[buffer(0)]], device int* Out [[buffer(1)]],
    uint3 t [[thread_position_in_grid]]) {
    const int x = X[t.x];
    Out[t.x * 4u] = quad_sum(x);
    Out[t.x * 4u + 1u] = simd_prefix_inclusive_sum(x);
    Out[t.x * 4u + 2u] = simd_prefix_exclusive_sum(x);
    Out[t.x * 4u + 3u] = simd_shuffle_and_fill_up(x, -1, 2);
}
"""
    )
    x = np.random.default_rng(1).integers(-100, 100, 24).astype(np.int32)
    got = lab.run(text, [x, np.zeros(96, np.int32)], 24, 32, schedule=schedule).arrays[1]
    quads = np.repeat(x.reshape(-1, 4).sum(1), 4)
    shifted = np.concatenate([[-1, -1], x[:-2]])
    want = np.stack([quads, np.cumsum(x), np.cumsum(x) - x, shifted], 1)
    # Lanes 0 and 1 are filled from lanes 30 and 31, which do not exist here.
    np.testing.assert_array_equal(got.reshape(-1, 4)[2:], want[2:])


def test_lanes_that_do_not_exist_read_poison(lab: msl.Lab, schedule: str) -> None:
    """Metal leaves open what they read: nothing that looks right must come of it."""
    text = (
        HEAD
        + """kernel void f(device float* Out [[buffer(0)]], uint3 t [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]]) {
    Out[t.x] = simd_shuffle(float(t.x), lane + 16u);
    if (lane < 8u) {
        Out[t.x + 32u] = simd_shuffle(float(t.x), lane * 2u);
    }
}
"""
    )
    result = lab.run(text, [np.zeros(64, np.float32)], 32, 32, schedule=schedule)
    want = np.concatenate([np.arange(16, 32), np.full(16, np.nan)])
    inside = np.where(np.arange(8) < 4, np.arange(8) * 2, np.nan)
    np.testing.assert_array_equal(result.arrays[0][:40], np.concatenate([want, inside]))
    assert result.divergent_simd == 1


def test_kernels_that_do_not_end_are_stopped() -> None:
    body = """kernel void f(device float* Out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    while (Out[t.x] >= 0.0f) {
        Out[t.x] = 1.0f;
    }
}
"""
    with msl.Lab(timeout=0.5) as impatient:
        for checked in (False, True):
            found = fault(impatient, body, np.zeros(64, np.float32), checked=checked)
            assert found.kind == "time" and set(found.lines) <= {4, 5}
            assert found.text == "the kernel did not end within 0.5 s"


def test_function_constants(lab: msl.Lab) -> None:
    text = (
        HEAD
        + """constant uint n [[function_constant(0)]];
constant bfloat b [[ function_constant( 1 ) ]]; constant half h [[function_constant(65535)]];
constant bool negate
    [[function_constant(2)]];
kernel void f(device float* Out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float sum = 0.0f;
    for (uint i = 0; i < n; i++) { sum += float(b) + float(h); }
    Out[t.x] = negate ? -sum : sum;
}
"""
    )
    assert refused(text) == []
    out = [np.zeros(4, np.float32)]
    for checked in (False, True):
        given = {0: 3, 1: 1.5, 2: True, 65535: np.float16(0.25)}
        got = lab.run(text, out, 4, constants=given, checked=checked).arrays[0]
        np.testing.assert_array_equal(got, np.full(4, -5.25))
        got = lab.run(text, out, 4, constants={**given, 0: 2, 2: 0}, checked=checked).arrays[0]
        np.testing.assert_array_equal(got, np.full(4, 3.5))
    with pytest.raises(msl.CompileError, match="line 4: function constant 'b' has no value"):
        lab.run(text, out, 4, constants={0: 3})
    with pytest.raises(msl.LabError, match="the text has no function constant 7"):
        lab.run(text, out, 4, constants={**given, 7: 1})
    with pytest.raises(msl.LabError, match="function constant 'h' is half, not float32"):
        lab.run(text, out, 4, constants={**given, 65535: np.float32(1)})
