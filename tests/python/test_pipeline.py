"""Pipelines: the rotation from turn to turn, for every trip count, nesting and device."""

import numpy as np
import pytest

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZE = 8  # elements of a tile, and threads


class Model:
    """What a pipeline means: a list of tiles that rotates."""

    def __init__(self, stages):
        self.tiles = [np.zeros(SIZE, np.float32) for _ in range(stages)]

    def stage(self, k):
        return self.tiles[k]

    def front(self):
        return self.tiles[0]

    def back(self):
        return self.tiles[-1]

    def advance(self):
        self.tiles = self.tiles[1:] + self.tiles[:1]


def run(kernel, *args, size=SIZE):
    out = np.zeros(size, np.float32)
    compiled = enigma.compile(kernel)
    compiled(*args, out, grid=SIZE, threads=SIZE)
    return out, compiled.metal_source


def data(tiles) -> np.ndarray:
    return np.random.default_rng(tiles).integers(0, 100, tiles * SIZE).astype(np.float32)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("stages", [2, 3, 4, 5])
@pytest.mark.parametrize("tiles", range(10))
def test_page_example(tiles, stages, known) -> None:
    """The sum of all tiles, each times its number, and the front after the loop."""

    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE, stages=stages)

        # Prefill all stages but the last
        for s in range(stages - 1):
            enigma.copy(A, pipe.stage(s), count=SIZE, src_offset=s * SIZE)
        enigma.barrier()

        acc = 0.0
        with enigma.for_range(0, tiles if known else n) as t:
            acc = acc + pipe.front()[SIZE - 1 - tid] * enigma.metal_cast(t + 1, "float")
            enigma.copy(A, pipe.back(), count=SIZE, src_offset=(t + stages - 1) * SIZE)
            enigma.barrier()
            pipe.advance()
        Out[tid] = acc
        Out[SIZE + tid] = pipe.front()[tid]

    a = data(tiles + stages)
    out, text = run(k, a, tiles, size=2 * SIZE)
    rows = a.reshape(-1, SIZE)
    want = np.zeros(SIZE, np.float32)
    for t in range(tiles):
        want += rows[t][::-1] * np.float32(t + 1)
    assert out[:SIZE].tolist() == want.tolist()
    assert out[SIZE:].tolist() == rows[tiles].tolist()
    assert ("slot" in text) == (not known)


def test_page_example_with_all_threads_loading() -> None:
    tiles, size = 7, 64

    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", size, stages=3)
        limit = n * size
        for s in range(2):
            at = s * size
            inside = lambda i, at=at: i + at < limit
            enigma.copy(A, pipe.stage(s), size, at, mask_fn=inside, cooperative=True)
        enigma.barrier()
        acc = 0.0
        with enigma.for_range(0, n) as t:
            front = pipe.front()
            with enigma.for_range(0, size) as i:
                acc = acc + front[i]
            at = (t + 2) * size
            enigma.copy(
                A, pipe.back(), size, at, mask_fn=lambda i: i + at < limit,
                coalesced_width=4, cooperative=True,
            )  # fmt: skip
            enigma.barrier()
            pipe.advance()
        Out[tid] = acc

    a = np.random.default_rng(3).integers(0, 100, tiles * size).astype(np.float32)
    for turns in range(tiles + 1):
        out, _ = run(k, a[: max(turns, 1) * size].copy(), turns)
        assert out.tolist() == [a[: turns * size].sum()] * SIZE


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("stages", [2, 3, 4, 5])
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 7])
def test_two_advances_in_a_turn(turns, stages, known) -> None:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE, stages=stages)
        for s in range(stages):
            pipe.stage(s)[tid] = float(s + 1)
        acc = 0.0
        with enigma.for_range(0, turns if known else n) as t:
            acc = acc * 3 + pipe.front()[tid]
            pipe.advance()
            pipe.back()[tid] = acc + enigma.metal_cast(t, "float")
            pipe.rotate()
            acc = acc - pipe.stage(1)[tid]
        Out[tid] = acc * 10 + pipe.front()[tid]

    model = Model(stages)
    for s in range(stages):
        model.stage(s)[:] = s + 1
    acc = 0.0
    for t in range(turns):
        acc = acc * 3 + model.front()[0]
        model.advance()
        model.back()[:] = acc + t
        model.advance()
        acc = acc - model.stage(1)[0]
    out, text = run(k, turns)
    assert out.tolist() == [acc * 10 + model.front()[0]] * SIZE
    assert ("slot" in text) == (not known)


@pytest.mark.parametrize("known", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("stages", [2, 3, 5])
@pytest.mark.parametrize("outer,inner", [(0, 2), (1, 0), (1, 3), (3, 1), (4, 3), (2, 5)])
def test_nested_loops(outer, inner, stages, known) -> None:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), m: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE, stages=stages)
        for s in range(stages):
            pipe.stage(s)[tid] = float(s + 1)
        acc = 1.0
        with enigma.for_range(0, outer if known[0] else n):
            pipe.back()[tid] = acc
            with enigma.for_range(0, inner if known[1] else m):
                acc = acc + pipe.front()[tid] * 2
                pipe.advance()
            acc = acc - pipe.stage(1)[tid]
            pipe.advance()
        with enigma.for_range(0, inner if known[1] else m):
            pipe.advance()
            acc = acc + pipe.front()[tid]
        Out[tid] = acc * 100 + pipe.front()[tid]

    model = Model(stages)
    for s in range(stages):
        model.stage(s)[:] = s + 1
    acc = np.float32(1)
    for _ in range(outer):
        model.back()[:] = acc
        for _ in range(inner):
            acc = acc + model.front()[0] * 2
            model.advance()
        acc = acc - model.stage(1)[0]
        model.advance()
    for _ in range(inner):
        model.advance()
        acc = acc + model.front()[0]
    out, text = run(k, outer, inner)
    assert out.tolist() == [acc * 100 + model.front()[0]] * SIZE
    if all(known):
        assert "slot" not in text


@pytest.mark.parametrize("turns", [0, 1, 4, 5])
@pytest.mark.parametrize("stages", [2, 3, 4])
def test_conditions(turns, stages) -> None:
    """Rotations in the arms of an if_, in a loop, and in a while_."""

    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE, stages=stages)
        for s in range(stages):
            pipe.stage(s)[tid] = float(s + 1)
        acc = 0.0
        with enigma.for_range(0, n) as t:
            with enigma.if_(t % 3 == 0) as (then, otherwise):
                with then:
                    pipe.advance()
                    acc = acc + pipe.front()[tid]
                with otherwise:
                    acc = acc * 2
                    with enigma.if_(t % 2 == 0):
                        pipe.advance()
                        pipe.advance()
        with enigma.if_(n > 1):
            pipe.advance()
        acc = acc * 10 + pipe.front()[tid]
        left = n
        with enigma.while_(lambda: left > 0):
            left = left - 1
            pipe.advance()
            acc = acc * 2 + pipe.back()[tid]
        Out[tid] = acc * 10 + pipe.front()[tid]

    model = Model(stages)
    for s in range(stages):
        model.stage(s)[:] = s + 1
    acc = 0.0
    for t in range(turns):
        if t % 3 == 0:
            model.advance()
            acc += model.front()[0]
        else:
            acc *= 2
            if t % 2 == 0:
                model.advance()
                model.advance()
    if turns > 1:
        model.advance()
    acc = acc * 10 + model.front()[0]
    for _ in range(turns):
        model.advance()
        acc = acc * 2 + model.back()[0]
    out, _ = run(k, turns)
    assert out.tolist() == [acc * 10 + model.front()[0]] * SIZE


def test_swap_and_tiles_of_two_dimensions() -> None:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.i32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("int", (2, SIZE))
        pipe.front()[1, tid] = 1
        pipe.back()[1, tid] = 2
        with enigma.for_range(0, n) as i:
            tile = pipe.front()
            tile[1, tid] = tile[1, tid] * 10 + i
            tile[0, tid] = 7
            pipe.swap()
        Out[tid] = pipe.front()[1, tid] * 1000 + pipe.back()[SIZE + tid]

    for turns, want in [(0, 1002), (1, 2010), (2, 10021), (3, 21102)]:
        out = np.zeros(SIZE, np.int32)
        enigma.compile(k)(turns, out, grid=SIZE, threads=SIZE)
        assert out.tolist() == [want] * SIZE


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("step", [1, 3, -2])
def test_two_pipelines_of_different_stages(step, known) -> None:
    """A round is of 6 turns; the last one is not whole."""
    turns = range(0, 17 * step, step)

    @enigma.kernel
    def k(hi: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        p = enigma.pipeline("float", SIZE, stages=2)
        q = enigma.pipeline("float", SIZE, stages=3)
        for s in range(3):
            q.stage(s)[tid] = float(s)
        p.front()[tid] = 1.0
        p.back()[tid] = 2.0
        acc = enigma.u32(0)
        with enigma.for_range(0, turns.stop if known else hi, step) as t:
            here = p.front()[tid] * 3 + q.front()[tid]
            acc = acc * 5 + enigma.metal_cast(here, "uint") + enigma.metal_cast(t, "uint")
            p.advance()
            q.advance()
        Out[tid] = enigma.metal_cast(acc % 65521, "float")

    want = 0
    for n, t in enumerate(turns):
        want = (want * 5 + (1 + n % 2) * 3 + n % 3 + t) % 2**32
    out, text = run(k, turns.stop)
    assert out.tolist() == [want % 65521] * SIZE
    assert ("slot" in text) == (not known)


def test_a_helper_advances() -> None:
    def step(pipe, tid, acc):
        acc = acc * 2 + pipe.front()[tid]
        pipe.advance()
        return acc

    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipes = {"only": enigma.pipeline("float", SIZE, 3)}
        for s in range(3):
            pipes["only"].stage(s)[tid] = float(s)
        acc = 0.0
        with enigma.for_range(0, n):
            acc = step(pipes["only"], tid, acc)
        Out[tid] = acc + pipes["only"].front()[tid]

    want = 0
    for t in range(5):
        want = want * 2 + t % 3
    assert run(k, 5)[0].tolist() == [want + 2] * SIZE


def test_a_body_too_large_stays_a_loop() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE)
        pipe.front()[tid] = 0.0
        pipe.back()[tid] = 0.5
        acc = 0.0
        with enigma.for_range(0, 31):
            for i in range(500):
                acc = acc * 0.5 + A[i]
            acc = acc + pipe.front()[tid]
            pipe.advance()
        Out[tid] = acc + pipe.front()[tid]

    a = np.ones(500, np.float32)
    out, text = run(k, a)
    assert "pipe_slot" in text and text.count("\n") < 1100
    assert abs(out[0] - 2.5) < 1e-5


def test_no_turn_needs_the_step_after_the_end() -> None:
    """Bounds at the ends of the index's type."""

    @enigma.kernel
    def k(Out: enigma.f32):
        tid = enigma.thread_position_in_threadgroup()
        pipe = enigma.pipeline("float", SIZE, stages=3)
        for s in range(3):
            pipe.stage(s)[tid] = float(s + 1)
        acc = 0.0
        with enigma.for_range(-128, 127, 36, dtype="int8"):
            acc = acc * 4 + pipe.front()[tid]
            pipe.advance()
        Out[tid] = acc

    want = 0.0
    for t in range(len(range(-128, 127, 36))):
        want = want * 4 + t % 3 + 1
    assert run(k)[0].tolist() == [want] * SIZE


# ---- errors --------------------------------------------------------------------------------------


def message(use, *more) -> str:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        use(n)  # HERE

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(k)
    return caught.value.message


def test_wrong_arguments() -> None:
    pipeline = enigma.pipeline
    assert message(lambda n: pipeline("float", 8, 1)) == (
        "pipeline: stages is 1: it must be at least 2, one tile to use and one to fill"
    )
    assert message(lambda n: pipeline("float", 8, 2.0)) == (
        "pipeline: stages is an int that is known while tracing, not 2.0 (float)"
    )
    assert message(lambda n: pipeline("float", n)) == (
        "pipeline: the size must be known while tracing, so it is an int, not a traced value"
    )
    assert message(lambda n: pipeline("float", 0)) == (
        "pipeline: the size is 0: it must be at least 1"
    )
    assert message(lambda n: pipeline("float", 8, 3).stage(3)) == (
        "pipeline: there is no stage 3: the 3 stages are 0 to 2"
    )
    assert message(lambda n: pipeline("float", 8, 3).stage(n)).startswith(
        "pipeline: the stage is an int that is known while tracing, not "
    )
    assert message(lambda n: pipeline("float", 8, 3).swap()) == (
        "swap exchanges the two tiles of a pipeline of 2 stages, and this one has 3; use advance()"
    )
    assert message(lambda n: pipeline("float", 8).front()[8]) == (
        "index 8 is outside of memory, of size 8"
    )


def test_tiles_that_do_not_fit() -> None:
    pipeline = enigma.pipeline
    assert message(lambda n: pipeline("float", 4096, 3)) == (
        "pipeline: 3 stages x 4096 x f32 need 49152 bytes; threadgroup memory is limited to 32768 "
        "bytes; use fewer stages or smaller tiles"
    )
    assert message(lambda n: (pipeline("half", 4096, 3), pipeline("half", (64, 64)))) == (
        "pipeline: 2 stages x 4096 x f16 need 16384 bytes; threadgroup memory is limited to 32768 "
        "bytes, of which 24576 are allocated already; use fewer stages or smaller tiles"
    )
    assert message(lambda n: pipeline("float", 2**20, 2**40)) == (
        f"pipeline: {2**40} stages x 1048576 x f32 need far more bytes; threadgroup memory is "
        "limited to 32768 bytes; use fewer stages or smaller tiles"
    )

    @enigma.kernel
    def k(Out: enigma.f32):
        pipe = enigma.pipeline("float", 2048, 4)
        pipe.front()[0] = 1.0
        Out[0] = pipe.front()[0]

    enigma.compile(k)


def test_a_tile_that_was_taken_in_a_region_that_has_ended() -> None:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        pipe = enigma.pipeline("float", 8)
        with enigma.for_range(0, n):
            pipe.advance()
            tile = pipe.front()
        Out[0] = tile[0]  # HERE

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(k)
    assert "# HERE" in str(caught.value)


def test_made_by_its_function_only() -> None:
    with pytest.raises(enigma.EnigmaError, match=r"is made by enigma\.pipeline"):
        enigma.Pipeline()
