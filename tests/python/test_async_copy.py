"""Asynchronous copies: the same numbers by AIR's own copies and by the lanes of a SIMD-group."""

import numpy as np
import pytest
from softmetal import control

import enigma

pytestmark = pytest.mark.usefixtures("device")


@pytest.fixture
def run(device):
    """run(compiled, arguments, grid, threads): what the arrays hold afterwards, in all ways in
    which the device can copy."""

    def once(compiled, given, grid, threads, runtime=None):
        arguments = [x.copy() if isinstance(x, np.ndarray) else x for x in given]
        compiled(*arguments, grid=grid, threads=threads, runtime=runtime)
        return [x for x in arguments if isinstance(x, np.ndarray)]

    def check(compiled, given, grid, threads):
        found = once(compiled, given, grid, threads)
        if device == "softmetal":
            assert enigma.default_runtime().device_capabilities().async_copy == "air"
            for macos, way in [(26, "escaped air"), (27, "cooperative")]:
                control.set_os(macos)
                try:
                    runtime = enigma.MetalRuntime()
                    assert runtime.device_capabilities().async_copy == way
                    other = once(compiled, given, grid, threads, runtime)
                finally:
                    control.set_os(15)
                for a, b in zip(found, other, strict=True):
                    assert a.tobytes() == b.tobytes()
        return found[-1]

    return check


def data(n, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(n).integers(1, 100, n).astype(dtype)


def test_page_example(run) -> None:
    @enigma.kernel
    def tiled_load(A: enigma.f32, B: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        c0 = enigma.metal_cast(0, "uint")
        cnt = enigma.metal_cast(64, "uint")

        ev = enigma.async_copy_1d_d2t(tile, c0, A, c0, cnt)
        enigma.async_copy_wait(ev)
        enigma.barrier()

    compiled = enigma.compile(tiled_load)
    run(compiled, [data(64), np.zeros(64, np.float32)], 64, 64)
    # Each SIMD-group copies it all, which none of AIR's copies is made for.
    assert compiled.artifact.air_msl == ""

    @enigma.kernel
    def and_used(A: enigma.f32, B: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        c0 = enigma.metal_cast(0, "uint")
        cnt = enigma.metal_cast(64, "uint")

        ev = enigma.async_copy_1d_d2t(tile, c0, A, c0, cnt)
        enigma.async_copy_wait(ev)
        enigma.barrier()
        tid = enigma.thread_position_in_threadgroup()
        B[tid] = tile[63 - tid]

    compiled = enigma.compile(and_used)
    got = run(compiled, [data(64), np.zeros(64, np.float32)], 64, 64)
    assert got.tolist() == data(64)[::-1].tolist()


def test_the_text_with_airs_copies(run) -> None:
    @enigma.kernel
    def k(A: enigma.f32, B: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        with enigma.if_(enigma.simdgroup_index_in_threadgroup() == 1):
            enigma.async_copy_wait(enigma.async_copy_1d_d2t(tile, 0, A, 8, 64))
        enigma.barrier()
        tid = enigma.thread_position_in_threadgroup()
        B[tid] = tile[63 - tid]

    compiled = enigma.compile(k)
    air = compiled.artifact.air_msl
    assert "events[0u] = air_copy_1d_to_threadgroup(4, 4, &tile[0], &A[8], ulong(64u));" in air
    # Waited for, read, and followed by a barrier, without which a GPU may hang.
    wait = air.index("air_wait(1, &events[0u]);")
    assert wait < air.index("(void)*brought[0u];") < air.rindex("threadgroup_barrier(")
    assert "air" not in compiled.metal_source
    got = run(compiled, [data(72), np.zeros(64, np.float32)], 64, 64)
    assert got.tolist() == data(72)[8:][::-1].tolist()


@pytest.mark.parametrize(
    "threads, dtype",
    [(1, "float"), (20, "half"), (32, "bfloat"), (64, "uint8"), (100, "long"), (40, "bool")],
)
def test_lines_in_both_directions(run, threads, dtype) -> None:
    element = enigma.dtype(dtype)

    @enigma.kernel
    def k(A: element, n: enigma.Scalar(enigma.u32), Out: element):
        tile = enigma.threadgroup_alloc(dtype, 128)
        with enigma.if_(enigma.simdgroup_index_in_threadgroup() == 0):
            event = enigma.async_copy_1d_d2t(tile, 3, A, 5, n)
            enigma.async_copy_wait(event)
        enigma.barrier()
        with enigma.if_(enigma.simdgroup_index_in_threadgroup() == 0):
            back = enigma.async_copy_1d_t2d(Out, n, tile, 4, n - 1)
            enigma.async_copy_wait(back)

    a = (data(128) % (2 if dtype == "bool" else 100)).astype(element.numpy)
    compiled = enigma.compile(k)
    for n in (2, 33, 60):
        got = run(compiled, [a, n, np.zeros(128, element.numpy)], threads, threads)
        want = np.zeros(128, element.numpy)
        want[n : 2 * n - 1] = a[6 : 5 + n]
        assert (got == want).all()


@pytest.mark.parametrize("columns, rows", [(1, 1), (5, 3), (8, 8), (13, 4), (1, 9)])
def test_tiles(run, columns, rows) -> None:
    @enigma.kernel
    def k(A: enigma.f32, pitch: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", (16, 16))
        group = enigma.threadgroup_position_in_grid("x")
        at = enigma.metal_cast(group, "int") * columns
        leads = enigma.simdgroup_index_in_threadgroup() == 0
        with enigma.if_(leads):
            event = enigma.async_copy_2d_d2t(tile, 2, 16, A, at, pitch, columns, rows)
            enigma.async_copy_wait(event)
        enigma.barrier()
        with enigma.if_(leads):
            event = enigma.async_copy_2d_t2d(Out, at * rows, columns, tile, 2, 16, columns, rows)
            enigma.async_copy_wait(event)

    a = data(rows * 50)
    compiled = enigma.compile(k)
    assert "air_copy_" in compiled.artifact.air_msl
    got = run(compiled, [a, 50, np.zeros(3 * columns * rows, np.float32)], 192, 64)
    for g in range(3):
        want = a.reshape(rows, 50)[:, g * columns : (g + 1) * columns]
        assert (got.reshape(3, rows, columns)[g] == want).all()


def prefetching(stages, known, tiles):
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", (8, 8), stages=stages)
        leads = enigma.simdgroup_index_in_threadgroup() == 0
        event = enigma.u32(0)
        with enigma.if_(leads):
            event = enigma.async_copy_2d_d2t(pipe.front(), 0, 8, A, 0, 10, 8, 8)
        acc = 0.0
        with enigma.for_range(0, tiles if known else n) as t:
            with enigma.if_(leads):
                enigma.async_copy_wait(event)
            enigma.barrier()
            with enigma.if_(leads):
                event = enigma.async_copy_2d_d2t(pipe.stage(1), 0, 8, A, (t + 1) * 80, 10, 8, 8)
            acc = acc * 3 + pipe.front()[63 - tid]
            enigma.barrier()
            pipe.advance()
        with enigma.if_(leads):
            enigma.async_copy_wait(event)
        enigma.barrier()
        Out[tid] = acc * 3 + pipe.front()[tid]

    return enigma.compile(k)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("stages", [2, 3])
def test_events_are_carried(run, stages, known) -> None:
    """Each tile is loaded while the one before it is used."""
    for tiles in (0, 1, 2, 5):
        compiled = prefetching(stages, known, tiles)
        assert "air_copy_2d_to_threadgroup" in compiled.artifact.air_msl
        a = data((tiles + 1) * 80)
        got = run(compiled, [a, tiles, np.zeros(64, np.float32)], 64, 64)
        parts = a.reshape(tiles + 1, 8, 10)[:, :, :8].reshape(tiles + 1, 64)
        want = np.zeros(64, np.float32)
        for t in range(tiles):
            want = want * 3 + parts[t][::-1]
        assert got.tolist() == (want * 3 + parts[tiles]).tolist()


def test_a_last_turn_that_loads_nothing(run) -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", 32)
        leads = enigma.simdgroup_index_in_threadgroup() == 0
        event = enigma.u32(0)
        with enigma.if_(leads):
            event = enigma.async_copy_1d_d2t(pipe.front(), 0, A, 0, 32)
        acc = 0.0
        with enigma.for_range(0, n) as t:
            with enigma.if_(leads):
                enigma.async_copy_wait(event)
            enigma.barrier()
            with enigma.if_(leads & (t + 1 < n)):
                event = enigma.async_copy_1d_d2t(pipe.back(), 0, A, (t + 1) * 32, 32)
            acc = acc * 2 + pipe.front()[31 - tid]
            enigma.barrier()
            pipe.advance()
        with enigma.if_(leads):
            enigma.async_copy_wait(event)  # ended already
        Out[tid] = acc

    for tiles in (1, 2, 4):
        a = data(tiles * 32)
        want = np.zeros(32, np.float32)
        for row in a.reshape(tiles, 32):
            want = want * 2 + row[::-1]
        compiled = enigma.compile(k)
        assert "air_copy_" in compiled.artifact.air_msl
        got = run(compiled, [a, tiles, np.zeros(32, np.float32)], 32, 32)
        assert got.tolist() == want.tolist()


def test_several_events_and_names_of_buffers(run) -> None:
    @enigma.kernel
    def k(A: enigma.f32, B: enigma.f32, Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        both = enigma.threadgroup_alloc("float", 64)
        first = enigma.async_copy_1d_d2t(both, 0, "A", 8, 32)
        second = enigma.async_copy_to_threadgroup("B", both, 32, src_offset=16, dst_offset=32)
        assert enigma.async_copy_commit(second) is second
        enigma.async_copy_wait(first, second)
        enigma.async_copy_wait()
        enigma.barrier()
        with enigma.for_range(0, 2) as half:
            Out[half * 32 + tid] = both[half * 32 + 31 - tid]

    a, b = data(64), data(65)
    got = run(enigma.compile(k), [a, b, np.zeros(64, np.float32)], 32, 32)
    assert got.tolist() == [*a[8:40][::-1], *b[16:48][::-1]]


def test_register_tensors_are_copied_at_once(run) -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        held = enigma.register_tensor((3, 4), fill=-1)
        event = enigma.async_copy_2d_d2t(held, 1, 4, A, 10, 20, 2, 3)
        enigma.async_copy_wait(event)
        event = enigma.async_copy_1d_t2d(Out, 12, held, 0, 12)
        enigma.async_copy_wait(event)
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 12)
        enigma.async_copy_wait(event)
        enigma.barrier()
        enigma.copy(tile, Out, 12, cooperative=True)

    a = data(64)
    got = run(enigma.compile(k), [a, np.zeros(24, np.float32)], 1, 1)
    want = np.full((3, 4), -1, np.float32)
    want[:, 1:3] = [a[10:12], a[30:32], a[50:52]]
    assert got.tolist() == [*a[:12], *want.ravel()]


def test_tensors_are_the_memory_that_they_fill(run) -> None:
    """A row, a column, a tile of rows, and a tensor that is column-major."""
    padded = enigma.Layout((8, 16), (20, 1))

    @enigma.jit
    def j(A: enigma.Tensor, Out: enigma.Tensor):
        @enigma.kernel
        def body():
            square = enigma.threadgroup_alloc("float", enigma.Layout((4, 16)))
            rows = enigma.threadgroup_alloc("float", padded)
            tiles = enigma.tensor_zipped_divide(A, (8, 16))
            group = enigma.threadgroup_position_in_grid("x")
            tile = tiles[None, (group, 1)]
            with enigma.if_(enigma.simdgroup_index_in_threadgroup() == 0):
                whole = enigma.async_copy_1d_d2t(square, 0, A[group * 8 + 3, None], 0, 64)
                part = enigma.async_copy_2d_d2t(rows, 0, 20, tile, 0, 64, 16, 8)
                enigma.async_copy_wait(whole, part)
                square[0, 1] = rows[2, 5]
                enigma.simd_barrier()
                column = Out[None, group]
                back = enigma.async_copy_1d_t2d(column, 0, square, 0, 64)
                enigma.async_copy_wait(back)
                back = enigma.async_copy_2d_t2d(column, 64, 8, rows[None, 4], 0, 20, 1, 8)
                enigma.async_copy_wait(back)

        body().launch(grid=64, block=32)

    a_of = enigma.Tensor("A", 0, "float", enigma.Layout((16, 64), (64, 1)))
    out_of = enigma.Tensor("Out", 1, "float", enigma.Layout((128, 2)))
    a = data(16 * 64).reshape(16, 64)
    got = run(enigma.compile(j, a_of, out_of), [a, np.zeros((2, 128), np.float32)], None, None)
    want = np.zeros((2, 128), np.float32)
    for group in range(2):
        tile = a[group * 8 : group * 8 + 8, 16:32]
        want[group, :64] = a[group * 8 + 3]
        want[group, 4] = tile[2, 5]
        want[group, 64:128:8] = tile[:, 4]
    np.testing.assert_array_equal(got, want)


def test_elements_outside_of_a_buffer() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        event = enigma.async_copy_1d_d2t(tile, 0, A, 8, 64)  # HERE
        enigma.async_copy_wait(event)
        enigma.barrier()
        Out[enigma.thread_position_in_threadgroup()] = tile[0]

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(k)(data(64), np.zeros(32, np.float32), grid=32, threads=32)
    assert "A" in caught.value.message
    assert "# HERE" in str(caught.value)


# ---- mistakes ------------------------------------------------------------------------------------


def message(body) -> str:
    """The message of the error of a kernel with this body; the line at fault is marked HERE."""

    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tile = enigma.threadgroup_alloc("float", 64)
        body(A, n, Out, tile)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(k)
    assert "# HERE" in str(caught.value).splitlines()[-1], str(caught.value)
    return caught.value.message.replace(str(caught.value.lineno), "LINE")


def test_an_event_that_nothing_waits_for() -> None:
    text = (
        "async_copy_1d_d2t: nothing waits for this copy on some way to the kernel's end; pass its "
        "event to async_copy_wait, after the loop too where a loop waits for the copy of the turn "
        "before (to wait twice does no harm)"
    )

    def never(A, n, Out, tile):
        enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)  # HERE

    def sometimes(A, n, Out, tile):
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)  # HERE
        with enigma.if_(n > 3):
            enigma.async_copy_wait(event)

    def in_a_loop_that_may_not_turn(A, n, Out, tile):
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)  # HERE
        with enigma.for_range(0, n):
            enigma.async_copy_wait(event)

    for body in (never, sometimes, in_a_loop_that_may_not_turn):
        assert message(body) == text


def test_the_last_copy_of_a_loop() -> None:
    def body(A, n, Out, tile):
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 32)
        with enigma.for_range(0, 40) as t:
            enigma.async_copy_wait(event)
            enigma.barrier()
            event = enigma.async_copy_1d_d2t(tile, (t & 1) * 32, A, t * 32, 32)  # HERE

    assert "nothing waits for this copy on some way to the kernel's end" in message(body)


def test_a_copy_that_begins_again() -> None:
    def body(A, n, Out, tile):
        event = enigma.u32(0)
        with enigma.for_range(0, n) as t:
            event = enigma.async_copy_1d_d2t(tile, (t & 1) * 32, A, t * 32, 32)  # HERE
        enigma.async_copy_wait(event)

    assert message(body) == (
        "async_copy_1d_d2t: this copy begins again before anything has waited for it; pass its "
        "event to async_copy_wait in every turn"
    )


def test_a_destination_that_is_used_too_early() -> None:
    def read(A, n, Out, tile):
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)
        Out[0] = tile[enigma.thread_position_in_threadgroup()]  # HERE
        enigma.async_copy_wait(event)

    def write_an_element(A, n, Out, tile):
        event = enigma.async_copy_2d_d2t(tile, 8, 16, A, 0, 16, 4, 3)
        tile[23] = 0.0
        tile[24] = 0.0  # HERE
        enigma.async_copy_wait(event)

    def change_the_source(A, n, Out, tile):
        event = enigma.async_copy_1d_t2d(Out, 0, tile, 0, 64)
        enigma.barrier()
        tile[n] = 0.0  # HERE
        enigma.async_copy_wait(event)

    def in_the_next_turn(A, n, Out, tile):
        event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)
        enigma.async_copy_wait(event)
        with enigma.for_range(0, n) as t:
            Out[t] = tile[t]  # HERE
            enigma.async_copy_wait(event)
            event = enigma.async_copy_1d_d2t(tile, 0, A, t, 64)
        enigma.async_copy_wait(event)

    after = "; pass its event to async_copy_wait first, and meet at a barrier()"
    assert message(read).startswith("'tile' is read while the copy of line ")
    assert message(read).endswith(" is still writing to it" + after)
    assert message(write_an_element).startswith("'tile' is written while the copy of line ")
    assert message(change_the_source).endswith(" is still reading it" + after)
    assert message(in_the_next_turn).startswith("'tile' is read while the copy of line ")


def test_copies_that_overlap() -> None:
    def both_write(A, n, Out, tile):
        first = enigma.async_copy_1d_d2t(tile, 0, A, 0, 33)
        second = enigma.async_copy_1d_d2t(tile, 32, A, 0, 32)  # HERE
        enigma.async_copy_wait(first, second)

    def rows_between_rows_are_apart(A, n, Out, tile):
        first = enigma.async_copy_2d_d2t(tile, 0, 16, A, 0, 8, 8, 4)
        second = enigma.async_copy_2d_d2t(tile, 8, 16, A, 0, 8, 8, 4)
        third = enigma.async_copy_2d_d2t(tile, 15, 16, A, 0, 8, 1, 4)  # HERE
        enigma.async_copy_wait(first, second, third)

    def reads_what_is_written(A, n, Out, tile):
        first = enigma.async_copy_1d_d2t(tile, n, A, 0, 8)
        second = enigma.async_copy_1d_t2d(Out, 0, tile, n, 8)  # HERE
        enigma.async_copy_wait(first, second)

    end = "; pass its event to async_copy_wait first"
    start = "async_copy_1d_d2t: this copy writes to elements of 'tile' that the copy of line "
    assert message(both_write).startswith(start)
    assert message(both_write).endswith(" is still writing" + end)
    assert message(rows_between_rows_are_apart).startswith("async_copy_2d_d2t: this copy writes to")
    assert message(reads_what_is_written).startswith(
        "async_copy_1d_t2d: this copy reads elements of 'tile' that the copy of line "
    )


def test_lanes_that_would_differ() -> None:
    def a_condition(A, n, Out, tile):
        with enigma.if_(enigma.thread_position_in_threadgroup() < 8):
            event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)  # HERE
            enigma.async_copy_wait(event)

    def an_offset(A, n, Out, tile):
        tid = enigma.thread_position_in_threadgroup()
        event = enigma.async_copy_1d_d2t(tile, 0, A, tid, 32)  # HERE
        enigma.async_copy_wait(event)

    assert message(a_condition) == (
        "async_copy_1d_d2t: a whole SIMD-group does this together, and the condition around it may "
        "differ between its lanes; ask for the number of the SIMD-group, as in "
        "enigma.if_(enigma.simdgroup_index_in_threadgroup() == 0)"
    )
    assert message(an_offset) == (
        "async_copy_1d_d2t: src_offset may differ between the lanes of a SIMD-group, which does "
        "this together; use enigma.simd_broadcast(x, 0)"
    )


def test_what_is_no_event() -> None:
    def a_number(A, n, Out, tile):
        enigma.async_copy_wait(3)  # HERE

    def another_value(A, n, Out, tile):
        event = enigma.u32(0)
        with enigma.if_(n > 2):
            event = enigma.async_copy_1d_d2t(tile, 0, A, 0, 64)
        enigma.async_copy_wait(event)  # HERE

    assert message(a_number) == "async_copy_wait takes events, which async_copy_* gives, not 3"
    assert message(another_value) == (
        "async_copy_wait takes the event that async_copy_* gave, and gets a value that is none on "
        "some way; begin the first copy before the loop or condition"
    )


def test_wrong_arguments() -> None:
    def message_of(use) -> str:
        @enigma.kernel
        def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
            tile = enigma.threadgroup_alloc("float", 64)
            use(A, n, Out, tile)

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        assert caught.value.filename == __file__
        return caught.value.message

    line, tile_2d = enigma.async_copy_1d_d2t, enigma.async_copy_2d_d2t
    assert message_of(lambda A, n, Out, t: line(A, 0, t, 0, 8)) == (
        "async_copy_1d_d2t: expected threadgroup memory, but 'A' is a buffer"
    )
    assert message_of(lambda A, n, Out, t: enigma.async_copy_1d_t2d(t, 0, t, 0, 8)) == (
        "async_copy_1d_t2d: expected a buffer, but 'tile' is threadgroup memory"
    )
    assert message_of(lambda A, n, Out, t: line(t, 0, "B", 0, 8)) == (
        "async_copy_1d_d2t: no buffer of the kernel is called 'B' (str); it has 'A' and 'Out'"
    )
    assert message_of(lambda A, n, Out, t: line(t, 0, 3, 0, 8)) == (
        "async_copy_1d_d2t: expected a buffer, but got 3 (int)"
    )
    assert message_of(lambda A, n, Out, t: line(t, 0, A, 0, 6.5)) == (
        "async_copy_1d_d2t: count is an int or a traced integer, not 6.5"
    )
    assert message_of(lambda A, n, Out, t: tile_2d(t, 0, A[0], A, 0, 8, 8, 2)) == (
        "async_copy_2d_d2t: dst_epr is an int or a traced integer, not <IRValue f32 in kernel 'k'>"
    )
    assert message_of(lambda A, n, Out, t: line(t, 0, A, 0, 65)) == (
        "async_copy: elements 0 to 64 are outside of tile, which has 64 elements"
    )
    assert message_of(lambda A, n, Out, t: line(t, 0, A, 0, 0)) == (
        "async_copy: a tile of 0 columns: it has at least 1"
    )
    assert message_of(lambda A, n, Out, t: tile_2d(t, 0, 4, A, 0, 8, 8, 2)) == (
        "async_copy: the rows of tile (memref<f32, threadgroup>) are 4 elements apart, and the "
        "tile is 8 wide"
    )
    half = lambda: enigma.threadgroup_alloc("half", 8)
    assert message_of(lambda A, n, Out, t: line(half(), 0, A, 0, 8)) == (
        "async_copy does not convert: it copies f32 to f16; use enigma.copy, or memory of one type"
    )
    held = lambda: enigma.register_tensor(8)
    assert message_of(lambda A, n, Out, t: line(held(), 0, A, 0, n)).startswith(
        "async_copy_1d_d2t: with a register tensor the tile's sizes are positive ints, and columns "
    )


def test_tensors_that_a_copy_cannot_take() -> None:
    def message_of(layout, copy) -> str:
        @enigma.kernel
        def k(A: enigma.f32, n: enigma.Scalar(enigma.i32)):
            x = enigma.threadgroup_alloc("float", layout)
            copy(A, x, n)

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        assert caught.value.lineno
        return caught.value.message

    line, tile = enigma.async_copy_1d_d2t, enigma.async_copy_2d_d2t
    rows = enigma.Layout((4, 8), (12, 1))
    assert message_of(rows, lambda A, x, n: line(x, 0, A, 0, 32)) == (
        "async_copy_1d_d2t: 'x' has the layout (4,8):(12,1), whose elements are not all side by "
        "side; slice a row of it, or copy it with async_copy_2d_d2t and dst_epr=12"
    )
    for pitch in (8, None):
        assert message_of(
            rows, lambda A, x, n: tile(x, 0, n if pitch is None else pitch, A, 0, 8, 8, 4)
        ) == (
            "async_copy_2d_d2t: 'x' has the layout (4,8):(12,1), whose rows begin 12 elements "
            "apart: dst_epr must be the int 12"
        )
    assert message_of(rows, lambda A, x, n: tile(x, 0, 12, A, 0, 8, 9, 4)) == (
        "async_copy_2d_d2t: 'x' has the layout (4,8):(12,1), with 4 rows of 8 elements, and "
        "tile_cols is 9"
    )
    assert message_of(
        enigma.Layout((2, 2, 2), (12, 5, 1)), lambda A, x, n: line(x, 0, A, 0, 8)
    ) == (
        "async_copy_1d_d2t: 'x' has the layout (2,2,2):(12,5,1): its elements do not fill rows of "
        "memory; use enigma.copy, which goes from element to element"
    )
    ragged = enigma.Tensor("ragged", 5, "float", enigma.Layout(10))
    assert message_of(
        enigma.Layout(4),
        lambda A, x, n: line(x, 0, enigma.tensor_zipped_divide(ragged, (4,))[None, n], 0, 4),
    ) == (
        "async_copy_1d_d2t: 'ragged' may reach beyond the end of its tensor, which a copy of this "
        "kind cannot leave out; use enigma.copy, which does"
    )
    assert message_of(enigma.Layout(8), lambda A, x, n: line(ragged, 0, A, 0, 4)) == (
        "async_copy_1d_d2t: expected threadgroup memory, but 'ragged' is a buffer"
    )
