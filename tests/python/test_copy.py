"""copy: between device memory, threadgroup memory and registers, alone and together."""

import re

import numpy as np
import pytest

import enigma

pytestmark = pytest.mark.usefixtures("device")

DATA = np.arange(1, 65, dtype=np.float32)


def test_page_example() -> None:
    @enigma.kernel
    def k(A: enigma.f32, block_start: enigma.Scalar(enigma.u32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 256)
        enigma.copy(A, tile, count=256, src_offset=block_start)
        enigma.barrier()
        tid = enigma.thread_position_in_grid
        Out[tid] = tile[255 - tid]

    data = np.random.default_rng(0).random(512, np.float32)
    out = np.zeros(256, np.float32)
    enigma.compile(k)(data, 100, out, grid=256, threads=64)
    assert (out == data[100:356][::-1]).all()


COUNTS = [0, 1, 3, 4, 7, 32, 45]


@pytest.mark.parametrize("cooperative", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_every_count_and_width(width, masked, cooperative) -> None:
    """From the element `start` of A on, to row after row of Out, aligned and not."""
    mask = (lambda i: (i % 3 != 1) & (i < 40)) if masked else None
    rows = [(count, start) for count in COUNTS for start in (8, 3)]

    @enigma.kernel
    def k(A: enigma.f32, Old: enigma.f32, at: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        args = {"mask_fn": mask, "coalesced_width": width, "cooperative": cooperative}
        for row, (count, start) in enumerate(rows):
            offset = 4 if start % 4 == 0 else at
            enigma.copy(Old, tile, 64, cooperative=cooperative)
            enigma.barrier()
            enigma.copy(A, tile, count, src_offset=start, dst_offset=offset, **args)
            enigma.barrier()
            enigma.copy(tile, Out, 64, dst_offset=row * 64, coalesced_width=width, cooperative=True)
            enigma.barrier()

    old, out = np.full(64, -1, np.float32), np.zeros((len(rows), 64), np.float32)
    compiled = enigma.compile(k)
    for name in ("A", "tile"):
        assert widest(compiled.metal_source, name) == f"float{width}".removesuffix("1")
    compiled(DATA, old, 5, out, grid=12, threads=12)
    for row, (count, start) in enumerate(rows):
        want, first = old.copy(), 4 if start % 4 == 0 else 5
        for i in range(count):
            if not masked or (i % 3 != 1 and i < 40):
                want[first + i] = DATA[start + i]
        np.testing.assert_array_equal(out[row], want, err_msg=str((count, start)))


# An offset, by the position of the threadgroup and a scalar, and the widest access of a side that
# has it, for float and a coalesced_width of 4.
OFFSETS = [
    (lambda g, s: 0, "float4"),
    (lambda g, s: 16, "float4"),
    (lambda g, s: 2, "float2"),
    (lambda g, s: 1, "float"),
    (lambda g, s: g * 64, "float4"),
    (lambda g, s: (g + s) * 6, "float2"),
    (lambda g, s: (g << 2) + s * 12 + 8, "float4"),
    (lambda g, s: g * 4 + s, "float"),
]


@pytest.mark.parametrize("cooperative", [False, True])
@pytest.mark.parametrize("which", ["src", "dst"])
def test_vectors_where_alignment_is_proven(which, cooperative) -> None:
    for offset, width in OFFSETS:

        @enigma.kernel
        def k(A: enigma.f32, s: enigma.Scalar(enigma.u32), Out: enigma.f32):
            g = enigma.threadgroup_position_in_grid("x") + 1
            offsets = {f"{which}_offset": offset(g, s)}
            enigma.copy(A, Out, 14, coalesced_width=4, cooperative=cooperative, **offsets)

        compiled = enigma.compile(k)
        other = {"src": "Out", "dst": "A"}[which]
        expected = {other: "float4", {"src": "A", "dst": "Out"}[which]: width}
        for name, wide in expected.items():
            assert widest(compiled.metal_source, name) == wide, (name, compiled.metal_source)
        out = np.zeros(128, np.float32)
        data = np.arange(1, 129, dtype=np.float32)
        compiled(data, 3, out, grid=8, threads=8)
        at, want = offset(1, 3), np.zeros(128, np.float32)
        first, start = (at, 0) if which == "src" else (0, at)
        want[start : start + 14] = data[first : first + 14]
        np.testing.assert_array_equal(out, want)


def test_vectors_of_stages_registers_and_layouts() -> None:
    """Offsets of loops and slots, halves, and rows and columns of a layout."""
    rows = enigma.Layout((4, 16), (20, 1))

    @enigma.kernel
    def k(A: enigma.f32, turns: enigma.Scalar(enigma.i32), Out: enigma.f32):
        pipe = enigma.pipeline("half", 16, stages=3)
        grid = enigma.threadgroup_alloc("float", rows)
        held = enigma.register_tensor((2, 4))
        enigma.copy(A, pipe.front(), 16, coalesced_width=4)
        with enigma.for_range(0, turns) as t:
            enigma.copy(A, pipe.stage(1), 16, src_offset=(t + 1) * 16, coalesced_width=4)
            pipe.advance()
        enigma.copy(pipe.front(), held, 8, src_offset=4, coalesced_width=4)
        enigma.copy(A, grid, 64, coalesced_width=4)
        enigma.copy(grid[1, None], Out, 16, coalesced_width=4)
        enigma.copy(held, Out, 8, dst_offset=16, coalesced_width=4)
        enigma.copy(Out, Out, 6, src_offset=16, dst_offset=18, coalesced_width=2)

    compiled = enigma.compile(k)
    for name in ("A", "pipe", "grid", "Out"):
        assert widest(compiled.metal_source, name)[-1] == "4", compiled.metal_source
    for turns in (0, 1, 3):
        out = np.zeros(24, np.float32)
        compiled(DATA, turns, out, grid=1, threads=1)
        last = DATA[turns * 16 + 4 : turns * 16 + 12]
        want = [*DATA[1:64:4], *last[:2], *last[:2], *last[:2], *last[:2]]
        np.testing.assert_array_equal(out, want)


def widest(text: str, name: str) -> str:
    """The type of the widest accesses to a buffer of floats in the MSL."""
    wide = re.findall(rf"\*\((?:device|threadgroup) (?:const )?(\w+)\*\)\({name}\b", text)
    return max(["float", *wide])


def test_a_masked_source_is_not_read() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.u32), Out: enigma.f32):
        enigma.copy(A, Out, 64, src_offset=1000000, mask_fn=lambda i: i < 0)
        enigma.copy(A, Out, 64, mask_fn=lambda i: i < n)

    out = np.zeros(64, np.float32)
    enigma.compile(k)(DATA[:8].copy(), 8, out, grid=1, threads=1)
    assert out.tolist() == [*DATA[:8], *[0] * 56]


def test_groups_of_three_dimensions_share_the_work() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        group = enigma.threadgroup_position_in_grid("z")
        at = enigma.metal_cast(group, "int") * 30
        enigma.copy(A, Out, 30, at, at, coalesced_width=4, cooperative=True)

    out = np.zeros(64, np.float32)
    enigma.compile(k)(DATA, out, grid=(2, 3, 4), threads=(2, 3, 2))
    assert out.tolist() == [*DATA[:60], *[0] * 4]


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_to_and_from_registers(turns) -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 8)
        held = enigma.register_tensor((2, 4), fill=-1)
        other = enigma.register_tensor(3, dtype="int", fill=-2)
        with enigma.for_range(0, n) as i:
            enigma.copy(A, held, 5, src_offset=i, dst_offset=2, mask_fn=lambda e: e != 1)
        enigma.copy(held, other, 2, src_offset=2, dst_offset=1)
        enigma.copy(held, tile, 8, coalesced_width=2)
        enigma.copy(tile, Out, 8)
        enigma.copy(other, Out, 3, dst_offset=8)

    out = np.zeros(11, np.float32)
    enigma.compile(k)(DATA, turns, out, grid=1, threads=1)
    held = [-1.0] * 8
    for i in range(turns):
        for e in (0, 2, 3, 4):
            held[2 + e] = DATA[i + e]
    assert out.tolist() == [*held, -2, held[2], held[3]]


@pytest.mark.parametrize("width", [1, 4])
def test_tensors_of_a_layout(width) -> None:
    """The elements of a tile, row by row in memory, in the order of its coordinates."""

    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        rows = enigma.threadgroup_alloc("float", enigma.Layout((4, 8), (8, 1)))
        enigma.copy(A, rows, 32, coalesced_width=width, cooperative=True)
        enigma.barrier()
        with enigma.for_range(0, 8) as j:
            Out[j] = rows[1, j]
        enigma.copy(rows, Out, 30, src_offset=2, dst_offset=8, coalesced_width=width)

    out = np.zeros(40, np.float32)
    enigma.compile(k)(DATA, out, grid=1, threads=1)
    assert out[:8].tolist() == DATA[1:32:4].tolist()
    assert out[8:38].tolist() == DATA[2:32].tolist()


@pytest.mark.parametrize("divisibility", [1, 4])
def test_tensors_of_any_size(divisibility) -> None:
    """What a tensor does not have is not touched; vectors need a size that they divide."""
    n = enigma.sym_int("N", divisibility)

    @enigma.jit
    def j(A: enigma.Tensor, Out: enigma.Tensor):
        @enigma.kernel
        def body():
            enigma.copy(A, Out, 24, coalesced_width=4)

        body().launch(grid=1, block=1)

    tensors = [enigma.Tensor(name, k, "float", ((n,), (1,))) for k, name in enumerate(["A", "Out"])]
    compiled = enigma.compile(j, *tensors)
    assert widest(compiled.metal_source, "A") == ("float4" if divisibility == 4 else "float")
    for size in (4, 20, 28):
        out = np.zeros(size, np.float32)
        compiled(DATA[:size].copy(), out)
        np.testing.assert_array_equal(out[:24], DATA[: min(size, 24)])
        assert not out[24:].any()


def test_values_become_those_of_the_destination() -> None:
    @enigma.kernel
    def k(A: enigma.f32, H: enigma.f16, Out: enigma.i32):
        enigma.copy(A, H, np.int64(8))
        enigma.copy(H, Out, 8, src_offset=np.int32(0), coalesced_width=4)

    half, out = np.zeros(8, np.float16), np.zeros(8, np.int32)
    enigma.compile(k)(DATA[:8] + np.float32(0.7), half, out, grid=1, threads=1)
    assert half.tolist() == (DATA[:8] + np.float32(0.7)).astype(np.float16).tolist()
    assert out.tolist() == DATA[:8].astype(np.int32).tolist()


def test_the_text_is_one_loop() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        enigma.copy(A, Out, 64, src_offset=2)

    text = enigma.compile(k).metal_source
    assert text.count("for (") == 1
    assert "Out[i] = A[2u + i];" in text


def test_mistakes() -> None:
    def message(*args, **kwargs) -> str:
        @enigma.kernel
        def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
            tile = enigma.threadgroup_alloc("float", 8)
            held = enigma.register_tensor((2, 2))
            pipe = enigma.pipeline("float", 8)
            tile[0] = 0
            names = {"A": A, "n": n, "Out": Out, "tile": tile, "held": held, "pipe": pipe}
            given = [names.get(a, a) if isinstance(a, str) else a for a in args]
            more = {k: names.get(a, a) if isinstance(a, str) else a for k, a in kwargs.items()}
            enigma.copy(*given, **more)  # HERE

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        assert "# HERE" in str(caught.value)
        return caught.value.message

    assert message("A", 3, 4) == (
        "copy: dst is a buffer, threadgroup memory or a register tensor, not 3"
    )
    assert message([], "A", 4) == (
        "copy: src is a buffer, threadgroup memory or a register tensor, not []"
    )
    assert message("A", "Out", "n") == (
        "copy: count must be known while tracing, so it is an int, not a traced value; leave "
        "elements out with mask_fn, or copy them in a loop over enigma.for_range"
    )
    assert message("A", "Out", -1) == "copy: count is an int that is not negative, not -1"
    assert message("A", "Out", 4, -1) == "copy: src_offset is an int that is not negative, not -1"
    assert message("A", "Out", 4, 0, 1.0) == (
        "copy: dst_offset is an int that is not negative, not 1.0"
    )
    assert message("A", "Out", 4, coalesced_width=3) == "copy: coalesced_width is 1, 2 or 4, not 3"
    assert message("A", "Out", 4, mask_fn=True) == (
        "copy: mask_fn is a function of the element's number, not True"
    )
    assert message("A", "Out", 4, mask_fn=lambda: True).startswith(
        "copy: mask_fn is a function of the element's number, not <function "
    )
    for wrong in (None, 1):
        assert message("A", "Out", 4, mask_fn=lambda i, x=wrong: x) == (
            "copy: mask_fn(i) gives whether element i is copied, a condition such as i < n, not "
            f"{wrong}"
        )
    assert message("A", "Out", 4, cooperative=1) == "copy: cooperative is True or False, not 1"
    assert message("A", "pipe", 4) == (
        "copy: dst is a buffer, threadgroup memory or a register tensor, not <Pipeline pipe: 2 "
        "stages>; give one of its tiles, as pipe.back()"
    )
    assert message("A", "tile", 6, dst_offset=3) == (
        "copy: elements 3 to 8 are outside of 'tile', of size 8"
    )
    assert message("held", "A", 5) == "copy: elements 0 to 4 are outside of 'held', of size 4"
    assert message("A", "held", 2, dst_offset="n") == (
        "copy: dst_offset must be an int, not a traced value, since dst is a register tensor"
    )
    assert message("A", "held", 2, cooperative=True) == (
        "copy: cooperative=True shares the elements among threads, and a register tensor belongs "
        "to one thread; leave it out"
    )
