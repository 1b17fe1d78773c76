"""AIR's asynchronous copies in the lab: the probe's own text, and kernels with one fault each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msl import lab as msl
from msl.lint import lint, refused

ROOT = Path(__file__).resolve().parents[2]
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n\n"
DECLARATIONS = (ROOT / "src/support/async_copy.metal").read_text()
# What src/runtime/metal/probe.cpp compiles.
PROBE = HEAD + DECLARATIONS + "\n" + (ROOT / "src/runtime/metal/probe.metal").read_text()


def escaped(text: str) -> str:
    return text.replace('__asm("air.', '__asm("\\01air.')


@pytest.fixture(params=[False, True], ids=["plain", "escaped"])
def probe(request: pytest.FixtureRequest) -> str:
    return escaped(PROBE) if request.param else PROBE


def test_probe_passes_both_compilers(probe: str) -> None:
    assert refused(probe) == []


@pytest.mark.parametrize("checked", [False, True])
def test_probe_copies(lab: msl.Lab, probe: str, schedule: str, checked: bool) -> None:
    given = np.random.default_rng(0).integers(0, 2**32, 192, np.uint32)
    before = np.full(64 + 160 + 64, 0xA5A5A5A5, np.uint32)
    want = before.copy()
    want[:64] = given[:64] ^ 0x5A5A5A5A
    tile = np.zeros((8, 12), np.uint32)
    tile[:7, :10] = given[64:].reshape(8, 16)[:7, :10]
    want[64:224].reshape(8, 20)[:, :12] = tile + 1
    want[224:] = want[:64] ^ want[64:128]
    result = lab.run(probe, [given, before], 64, 64, schedule=schedule, checked=checked)
    np.testing.assert_array_equal(result.arrays[1], want)


# What a 2D copy gives for a tile of the source that is smaller than the target's, and shifted.
@pytest.mark.parametrize("clamp", [0, 1])
@pytest.mark.parametrize("skip", [(0, 0), (2, 1), (-1, -2)])
def test_tiles_beyond_the_source(lab: msl.Lab, clamp: int, skip: tuple[int, int]) -> None:
    text = kernel(
        f"""        events[0] = air_copy_2d_to_threadgroup(
            4, 4, tile, 8, 1, ulong2(6, 5), In, 7, 1, ulong2(4, 3),
            long2({skip[0]}, {skip[1]}), {clamp});
        air_wait(1, events);
"""
    )
    given = np.arange(1, 65, dtype=np.uint32)
    got = lab.run(text, [given, np.zeros(64, np.uint32)], 64, 64, checked=True).arrays[1]
    source = given[:63].reshape(9, 7)[:3, :4]
    rows, columns = np.arange(5) + skip[1], np.arange(6) + skip[0]
    want = source[np.clip(rows, 0, 2)][:, np.clip(columns, 0, 3)]
    if clamp == 0:
        inside = np.outer((rows >= 0) & (rows < 3), (columns >= 0) & (columns < 4))
        want = np.where(inside, want, 0)
    np.testing.assert_array_equal(got.reshape(8, 8)[:5, :6], want)
    untouched = got.reshape(8, 8)[:, 6:]
    np.testing.assert_array_equal(untouched, np.full((8, 2), 0xFFFFFFFF))


BODY = """kernel void f(device uint* In [[buffer(0)]], device uint* Out [[buffer(1)]],
    uint t [[thread_index_in_threadgroup]], uint g [[simdgroup_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]]) {
    threadgroup uint tile[64];
    threadgroup ulong seen[1];
    tile[t] = 0xffffffffu;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    thread _simdgroup_event_t* events[2];
    if (g == 0u) {
COPY    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Out[t] = tile[t];  // page.py:9
}
"""
RIGHT = """        events[0] = air_copy_1d_to_threadgroup(4, 4, tile, In, 64);  // page.py:4
        air_wait(1, events);  // page.py:5
"""


def kernel(copy: str = RIGHT, old: str = "", new: str = "") -> str:
    """The kernel that reads what the copies in the middle of it brought, with one replacement."""
    text = HEAD + DECLARATIONS + BODY.replace("COPY", copy)
    assert old in text
    return text.replace(old, new, 1) if old else text


def findings(lab: msl.Lab, text: str, checked: bool, schedule: str = "forward") -> list[str]:
    arrays = [np.arange(64, dtype=np.uint32), np.zeros(64, np.uint32)]
    with pytest.raises(msl.KernelFault) as caught:
        lab.run(text, arrays, 64, 64, checked=checked, schedule=schedule)
    found = [f for f in caught.value.findings if f.kind == "async copy"]
    assert found, str(caught.value)
    return [f"{f.text} @ {' '.join(o for o in f.origins if o)}" for f in found]


def test_the_kernel_without_a_fault(lab: msl.Lab, schedule: str) -> None:
    given = np.arange(64, dtype=np.uint32)
    for checked in (False, True):
        result = lab.run(kernel(), [given, 0 * given], 64, 64, checked=checked, schedule=schedule)
        np.testing.assert_array_equal(result.arrays[1], given)


WAIT = "        air_wait(1, events);  // page.py:5\n"
# Seen by the runtime itself: what replaces what, and how it is told.
ALWAYS = {
    "unwaited": (WAIT, "", "it is never waited for @ page.py:4"),
    "no barrier after": (
        "    }\n    threadgroup_barrier(mem_flags::mem_threadgroup);\n    Out[t] = tile[t];",
        "        Out[lane] = tile[lane];\n    }",
        "no barrier follows the wait for it @ page.py:4",
    ),
    "one lane issues": (
        "        events[0] =",
        "        if (lane == 0u) events[0] =",
        "only 1 of 32 threads of SIMD-group 0 issue the copy @ page.py:4",
    ),
    "one lane waits": (
        "        air_wait",
        "        if (lane == 3u) air_wait",
        "only 1 of 32 threads of SIMD-group 0 wait for the copy @ page.py:5",
    ),
    "other arguments": (
        "In, 64)",
        "In + (lane == 7u ? 1 : 0), 64)",
        "lanes 0 and 7 of SIMD-group 0 issue the copy with different arguments @ page.py:4",
    ),
    "waits for another's copy": (
        WAIT,
        "        seen[0] = ulong(events[0]);\n    }\n"
        "    threadgroup_barrier(mem_flags::mem_threadgroup);\n    if (g == 1u) {\n"
        "        events[0] = (thread _simdgroup_event_t*)seen[0];\n" + WAIT,
        "SIMD-group 1 waits for a copy that SIMD-group 0 has issued @ page.py:5 page.py:4",
    ),
    "waits for no copy": (
        WAIT,
        "        events[0] = (thread _simdgroup_event_t*)256;\n" + WAIT,
        "what is waited for is no copy @ page.py:5",
    ),
    "twice": (WAIT, WAIT + WAIT, "it is waited for twice @ page.py:5 page.py:4"),
    "no copy at all": ("air_wait(1", "air_wait(0", "a wait for no copy at all @ page.py:5"),
    "misaligned": ("4, 4, tile, In", "4, 8, tile, In + 1", "an address misses the alignment"),
    "no size": ("4, 4, tile", "0, 4, tile", "its elements have no size or no alignment"),
}


@pytest.mark.parametrize("name", ALWAYS)
def test_faults_are_named(lab: msl.Lab, name: str) -> None:
    old, new, want = ALWAYS[name]
    for checked in (False, True):
        found = findings(lab, kernel(RIGHT, old, new), checked)
        assert any(f.startswith(want) for f in found), found


def test_faults_of_tiles_are_named(lab: msl.Lab) -> None:
    tile = "air_copy_2d_to_threadgroup(4, 4, tile, {}, ulong2(4, 4), In, 8, 1, ulong2(4, 4), {})"
    for arguments, want in {
        ("8, 2", "long2(0, 0), 0"): "a stride within a row is not 1",
        ("3, 1", "long2(0, 0), 0"): "a row of a tile is longer than the pitch",
        ("8, 1", "long2(0, 0), 2"): "its clamp mode is neither 0 nor 1",
    }.items():
        copy = f"        events[0] = {tile.format(*arguments)};  // page.py:4\n{WAIT}"
        assert findings(lab, kernel(copy), False) == [f"{want} @ page.py:4"]


# Seen by the checker: what is touched while a copy is under way, or not at all.
CHECKED = {
    "target read": (WAIT, "        Out[0] = tile[40];  // page.py:6\n" + WAIT, "target is read"),
    "target written": (WAIT, "        tile[t] = 1;  // page.py:6\n" + WAIT, "target is written"),
    "source written": (WAIT, "        In[t] = 1;  // page.py:6\n" + WAIT, "source is written"),
}


@pytest.mark.parametrize("name", CHECKED)
def test_what_is_touched_too_early_is_named(lab: msl.Lab, name: str, schedule: str) -> None:
    old, new, want = CHECKED[name]
    thread = 31 if schedule == "reverse" else 0
    found = findings(lab, kernel(RIGHT, old, new), True, schedule)
    if schedule == "random":
        assert found[0].startswith(f"its {want} by thread ")
    else:
        assert found[0] == (
            f"its {want} by thread {thread} before it is waited for @ page.py:6 page.py:4"
        )


def test_without_the_checker_the_target_is_poison(lab: msl.Lab) -> None:
    early = kernel(RIGHT, WAIT, "        Out[64] = tile[40];\n" + WAIT)
    got = lab.run(early, [np.arange(64, dtype=np.uint32), np.zeros(65, np.uint32)], 64, 64)
    assert got.arrays[1][64] == 0xFFFFFFFF and got.arrays[1][40] == 40


def test_what_nobody_reads_is_named(lab: msl.Lab) -> None:
    text = kernel(RIGHT, "Out[t] = tile[t]", "Out[t] = t")
    assert findings(lab, text, True) == ["nothing reads what it brought @ page.py:4"]


def test_the_source_may_be_read_meanwhile(lab: msl.Lab) -> None:
    text = kernel(RIGHT, WAIT, "        Out[t] = In[t];\n" + WAIT)
    text = text.replace("    Out[t] = tile[t]", "    Out[t] += tile[t]")
    given = np.arange(64, dtype=np.uint32)
    got = lab.run(text, [given, 0 * given], 64, 64, checked=True).arrays[1]
    np.testing.assert_array_equal(got, given * np.where(given < 32, 2, 1))


def test_copies_leave_no_buffer(lab: msl.Lab) -> None:
    for old, new in ((", 64)", ", 65)"), ("tile, In", "tile, In + 1")):
        with pytest.raises(msl.KernelFault) as caught:
            arrays = [np.arange(64, dtype=np.uint32), np.zeros(64, np.uint32)]
            lab.run(kernel(RIGHT, old, new), arrays, 64, 64, checked=True)
        found = caught.value.findings[0]
        assert found.kind == "out of bounds" and found.origins == ["page.py:4"]


def test_only_labels_of_air_are_taken() -> None:
    bad = kernel(RIGHT, '__asm("air.wait', '__asm("llvm.wait')
    assert lint(bad) == [
        f"line {bad[: bad.index('llvm')].count(chr(10)) + 1}: a label names a function of AIR"
    ]
    assert lint(escaped(kernel())) == []
