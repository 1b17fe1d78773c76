"""Mistakes with SIMD-group matrices, which 32 threads hold together: each refused at its line."""

import numpy as np
import pytest
from refusals import refused

import enigma

# ---- refused when compiled -----------------------------------------------------------------------


def test_divergent_condition() -> None:
    @enigma.kernel
    def k(X: enigma.f32):
        with enigma.if_(enigma.thread_index_in_simdgroup() < 16):
            x = enigma.simdgroup_matrix_load(X, 8)  # HERE
            enigma.simdgroup_matrix_store(x, X, 8)

    message = refused(k)
    assert message.startswith(
        "simdgroup_matrix_load inside an if_ whose condition differs between threads of a "
        "SIMD-group (line "
    )
    assert message.endswith(
        "): all its 32 threads hold the matrix together; let conditions depend on "
        "simdgroup_index_in_threadgroup() instead"
    )


def test_divergent_loops() -> None:
    @enigma.kernel
    def counted(X: enigma.f32):
        acc = enigma.make_filled_simdgroup_matrix(0.0)
        with enigma.for_range(0, enigma.thread_index_in_simdgroup(), dtype="uint"):
            acc = enigma.simdgroup_multiply_accumulate(acc, acc, acc)  # HERE
        enigma.simdgroup_matrix_store(acc, X, 8)

    assert refused(counted).startswith(
        "simdgroup_multiply_accumulate inside a loop whose number of turns differs between "
        "threads of a SIMD-group (line "
    )

    @enigma.kernel
    def conditional(X: enigma.f32):
        n = enigma.thread_position_in_threadgroup()
        with enigma.while_(lambda: n > 0):
            enigma.simdgroup_matrix_store(enigma.make_filled_simdgroup_matrix(1.0), X, 8)  # HERE
            n = n - 1

    # What n is after the first turn is not known, so that nothing is proven: the device finds out.
    with pytest.raises(enigma.EnigmaError, match="the 32 threads of a SIMD-group"):
        enigma.compile(conditional)(
            np.zeros(64, np.float32), grid=32, threads=32, runtime=enigma.CpuRuntime()
        )


def test_choice_by_lane() -> None:
    @enigma.kernel
    def k(X: enigma.f32, Flags: enigma.i32):
        m = enigma.make_filled_simdgroup_matrix(0.0)
        other = enigma.make_filled_simdgroup_matrix(1.0)
        with enigma.if_(Flags[enigma.thread_position_in_grid] > 0):  # HERE
            m = other
        enigma.simdgroup_matrix_store(m, X, 8)

    message = refused(k)
    assert message.startswith(
        "m is changed in an if_ whose condition differs between threads of a SIMD-group (line "
    )
    assert message.endswith(
        "), whose 32 threads hold the matrix together; let it depend on "
        "simdgroup_index_in_threadgroup() and what is the same for all of them"
    )


def test_offset_by_lane() -> None:
    @enigma.kernel
    def k(X: enigma.f32):
        x = enigma.simdgroup_matrix_load(X, 8, offset=enigma.thread_position_in_grid * 8)  # HERE
        enigma.simdgroup_matrix_store(x, X, 8)

    assert refused(k) == (
        "the offset of simdgroup_matrix_load differs between threads of a SIMD-group, which hold "
        "the matrix together; compute it from simdgroup_index_in_threadgroup() and what is the "
        "same for all of them"
    )


BAD_CALLS = {
    "rows": (
        lambda X, H, m: enigma.simdgroup_matrix_load(X, 8, rows=16),
        "simdgroup_matrix_load: Metal's SIMD-group matrices have 8 rows and 8 columns, not 16 x 8; "
        "hold a larger tile as several matrices",
    ),
    "elem": (
        lambda X, H, m: enigma.simdgroup_matrix_load(H, 8),
        "simdgroup_matrix_load: H holds half, and elem is float; Metal converts nothing here, so "
        'write elem="half"',
    ),
    "integer": (
        lambda X, H, m: enigma.make_filled_simdgroup_matrix(0, elem="int"),
        "make_filled_simdgroup_matrix: elements are float, half or bfloat, int was given",
    ),
    "pitch": (
        lambda X, H, m: enigma.simdgroup_matrix_store(m, X, 7),
        "simdgroup_matrix_store: elements_per_row is 7; it counts the elements from one row to the "
        "next, and rows that are written have 8 of their own",
    ),
    "store": (
        lambda X, H, m: enigma.simdgroup_matrix_store(m, H, 8),
        "simdgroup_matrix_store: Metal stores a matrix to memory of its own type, and m "
        "(simdgroup_matrix<8x8xf32>) does not fit H (memref<f16, device>); store to "
        'threadgroup_alloc("float", 64) and convert its elements',
    ),
    "sum": (
        lambda X, H, m: enigma.simdgroup_multiply_accumulate(
            m, m, enigma.make_filled_simdgroup_matrix(0, "half")
        ),
        "simdgroup_multiply_accumulate has no form for float x float + half; all three are of one "
        "type, or c is float",
    ),
    "number": (
        lambda X, H, m: enigma.simdgroup_multiply_accumulate(m, 2.0, m),
        "simdgroup_multiply_accumulate takes matrices from simdgroup_matrix_load or "
        "make_filled_simdgroup_matrix, but got 2.0 (float)",
    ),
    "element": (
        lambda X, H, m: enigma.simdgroup_multiply_accumulate(m, X[0], m),
        "simdgroup_multiply_accumulate takes matrices from simdgroup_matrix_load or "
        "make_filled_simdgroup_matrix, f32 was given",
    ),
    "transpose": (
        lambda X, H, m: enigma.simdgroup_matrix_load(X, 8, transpose=1),
        "simdgroup_matrix_load: transpose must be True or False, but is 1 (int)",
    ),
    "arithmetic": (
        lambda X, H, m: m + 1.0,
        "+ does not take m (simdgroup_matrix<8x8xf32>)",
    ),
    "size": (
        lambda X, H, m: enigma.simdgroup_matrix_load(
            enigma.threadgroup_alloc("float", 100), 12, offset=9
        ),
        "simdgroup_matrix_load: 8 rows from offset 9 on with 12 elements from one to the next "
        "reach index 100 of threadgroup memory, which has 100 elements",
    ),
}


@pytest.mark.parametrize("mistake", BAD_CALLS)
def test_operands(mistake: str) -> None:
    call, expected = BAD_CALLS[mistake]

    @enigma.kernel
    def k(X: enigma.f32, H: enigma.f16):
        m = enigma.make_filled_simdgroup_matrix(0.0)
        call(X, H, m)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(k)
    assert caught.value.message == expected


# ---- refused when launched, and while it runs ----------------------------------------------------


def store_one(X: enigma.f32):
    x = enigma.make_filled_simdgroup_matrix(1.0)
    enigma.simdgroup_matrix_store(x, X, 8)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("grid", "threads", "group", "count"),
    [
        (48, 32, "(16, 1, 1)", 16),
        (64, 16, "(16, 1, 1)", 16),
        (20, 32, "(20, 1, 1)", 20),
        ((8, 6), (8, 4), "(8, 2, 1)", 16),
    ],
)
def test_partial_simdgroups(grid, threads, group: str, count: int) -> None:
    kernel = enigma.compile(enigma.kernel(store_one))
    with pytest.raises(enigma.EnigmaError) as caught:
        kernel(np.zeros(64, np.float32), grid=grid, threads=threads)
    assert caught.value.message.endswith(
        f"has one of {group}, which are {count} threads; SIMD-group matrices need a multiple of 32 "
        "in every threadgroup, so make the grid a multiple of such threadgroups"
    )
    assert caught.value.filename == __file__


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(("grid", "threads"), [((8, 12), (8, 8)), (96, 64), ((4, 8, 2), (4, 8, 2))])
def test_whole_simdgroups_at_the_edge(grid, threads) -> None:
    out = np.zeros(64, np.float32)

    @enigma.kernel
    def store_once(X: enigma.f32):
        x = enigma.make_filled_simdgroup_matrix(1.0)
        group = enigma.threadgroup_position_in_grid("x") + enigma.threadgroup_position_in_grid("y")
        with enigma.if_((group == 0) & (enigma.simdgroup_index_in_threadgroup() == 0)):
            enigma.simdgroup_matrix_store(x, X, 8)

    enigma.compile(store_once)(out, grid=grid, threads=threads)
    np.testing.assert_array_equal(out, 1)


@pytest.mark.parametrize(
    ("size", "offset", "pitch", "index"),
    [(63, 0, 8, 63), (64, 1, 8, 64), (200, 0, 30, 217), (64, 64, 8, 64), (64, 0, -1, 0)],
)
def test_bounds(size: int, offset: int, pitch: int, index: int) -> None:
    @enigma.kernel
    def copy(X: enigma.f32, Out: enigma.f32, o: enigma.Scalar(enigma.i32), n: enigma.Scalar("int")):
        x = enigma.simdgroup_matrix_load(X, n, offset=o)  # HERE
        enigma.simdgroup_matrix_store(x, Out, 8)

    x, out = np.zeros(size, np.float32), np.zeros(64, np.float32)
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(copy)(
            x, out, offset, pitch, grid=32, threads=32, runtime=enigma.CpuRuntime()
        )
    assert f"X[{index}] is out of bounds (X has {size} elements)" in caught.value.message
    assert "# HERE" in str(caught.value)


def test_lanes_that_disagree() -> None:
    @enigma.kernel
    def k(X: enigma.f32, Offsets: enigma.i32):
        x = enigma.make_filled_simdgroup_matrix(1.0)
        at = Offsets[enigma.thread_position_in_grid]
        enigma.simdgroup_matrix_store(x, X, 8, offset=at)  # HERE

    kernel, out = enigma.compile(k), np.zeros(128, np.float32)
    cpu = enigma.CpuRuntime()
    kernel(out, np.full(64, 64, np.int32), grid=64, threads=64, runtime=cpu)
    np.testing.assert_array_equal(out, np.repeat([0, 1], 64))
    offsets = np.zeros(64, np.int32)
    offsets[40] = 1
    with pytest.raises(enigma.EnigmaError) as caught:
        kernel(out, offsets, grid=64, threads=64, runtime=cpu)
    assert caught.value.message == (
        "k: the 32 threads of a SIMD-group hold a matrix together, but here some are missing, or "
        "their operands differ, in the threadgroup that begins at thread (0, 0, 0)"
    )
    assert "# HERE" in str(caught.value)
