"""copy: between device memory, threadgroup memory and registers, alone and together."""

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


@pytest.mark.parametrize("cooperative", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 32, 45])
def test_every_count_and_width(count, width, masked, cooperative) -> None:
    mask = (lambda i: (i % 3 != 1) & (i < 40)) if masked else None

    @enigma.kernel
    def k(A: enigma.f32, Old: enigma.f32, at: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        args = {"mask_fn": mask, "coalesced_width": width, "cooperative": cooperative}
        enigma.copy(Old, tile, 64, cooperative=cooperative)
        enigma.barrier()
        enigma.copy(A, tile, count, src_offset=3, dst_offset=at, **args)
        enigma.barrier()
        enigma.copy(tile, Out, 64, coalesced_width=width, cooperative=True)

    want = np.full(64, -1, np.float32)
    out = np.zeros(64, np.float32)
    enigma.compile(k)(DATA, want, 5, out, grid=12, threads=12)
    for i in range(count):
        if not masked or (i % 3 != 1 and i < 40):
            want[5 + i] = DATA[3 + i]
    assert out.tolist() == want.tolist()


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


def test_values_become_those_of_the_destination() -> None:
    @enigma.kernel
    def k(A: enigma.f32, H: enigma.f16, Out: enigma.i32):
        enigma.copy(A, H, 8)
        enigma.copy(H, Out, 8, coalesced_width=4)

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
    assert "Out[i] = A[2 + i];" in text


def test_mistakes() -> None:
    def message(*args, **kwargs) -> str:
        @enigma.kernel
        def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
            tile = enigma.threadgroup_alloc("float", 8)
            held = enigma.register_tensor((2, 2))
            tile[0] = 0
            names = {"A": A, "n": n, "Out": Out, "tile": tile, "held": held}
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
