"""Whole kernels with barriers, on every size: reductions, scans, histograms, norms, stencils."""

import edges
import numpy as np
import pytest
import rmsnorm
import softmax

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZES = [1, 31, 33, 255, 257, 1023, 1024, 5000, 100_003]


@pytest.mark.parametrize("threads", [32, 128, 1024])
@pytest.mark.parametrize("n", SIZES)
def test_tree_reduction(n: int, threads: int) -> None:
    @enigma.kernel
    def tree_sum(X: enigma.i32, Sums: enigma.i32, n: enigma.Scalar(enigma.u32)):
        lid = enigma.thread_position_in_threadgroup()
        tid = enigma.thread_position_in_grid
        shared = enigma.threadgroup_alloc("int", threads)
        shared[lid] = enigma.load_if(X, tid, tid < n, default=0)
        enigma.barrier()
        half = enigma.u32(threads // 2)
        with enigma.while_(lambda: half > 0):
            with enigma.if_(lid < half):
                shared[lid] = shared[lid] + shared[lid + half]
            enigma.barrier()
            half = half / 2
        with enigma.if_(lid == 0):
            Sums[enigma.threadgroup_position_in_grid()] = shared[0]

    groups = -(-n // threads)
    x = np.random.default_rng(n).integers(-(2**31), 2**31, n, dtype=np.int32)
    sums = np.empty(groups, np.int32)
    enigma.compile(tree_sum)(x, sums, n, grid=groups * threads, threads=threads)
    padded = np.concatenate([x, np.zeros(groups * threads - n, np.int32)])
    want = padded.reshape(groups, threads).sum(axis=1, dtype=np.int32)
    np.testing.assert_array_equal(sums, want)


@pytest.mark.parametrize("n", [1, 31, 33, 255, 257, 1000, 1024])
def test_inclusive_scan(n: int) -> None:
    @enigma.kernel
    def scan(X: enigma.f32, Out: enigma.f32):
        lid = enigma.thread_position_in_threadgroup()
        count = enigma.threads_per_threadgroup()
        shared = enigma.threadgroup_alloc("float", 1024)
        value = X[lid]
        shared[lid] = value
        enigma.barrier()
        offset = enigma.u32(1)
        with enigma.while_(lambda: offset < count):
            with enigma.if_(lid >= offset):
                value = value + shared[lid - offset]
            enigma.barrier()
            shared[lid] = value
            enigma.barrier()
            offset = offset * 2
        Out[lid] = value

    x = np.random.default_rng(n).integers(0, 100, n).astype(np.float32)
    out = np.empty_like(x)
    enigma.compile(scan)(x, out, grid=n, threads=1024)
    np.testing.assert_array_equal(out, np.cumsum(x))


@pytest.mark.parametrize("threads", [32, 100, 256])
@pytest.mark.parametrize("n", SIZES)
def test_histogram_by_atomics(n: int, threads: int) -> None:
    bins = 64

    @enigma.kernel
    def histogram(X: enigma.u8, Counts: enigma.u32, n: enigma.Scalar(enigma.u32)):
        lid = enigma.thread_position_in_threadgroup()
        local = enigma.threadgroup_alloc("uint", bins)
        size = enigma.threads_per_threadgroup()
        with enigma.for_range(lid, bins, size, dtype="uint") as b:
            local.atomic_store(b, 0)
        enigma.barrier()
        with enigma.for_range(
            enigma.thread_position_in_grid, n, enigma.threads_per_grid(), dtype="uint"
        ) as i:
            local.atomic_fetch_add(enigma.metal_cast(X[i], "uint") % bins, 1)
        enigma.barrier()
        with enigma.for_range(lid, bins, size, dtype="uint") as b:
            enigma.atomic_fetch_add(Counts, b, local.atomic_load(b))

    x = np.random.default_rng(n).integers(0, 256, n, dtype=np.uint8)
    counts = np.zeros(bins, np.uint32)
    enigma.compile(histogram)(x, counts, n, grid=min(n, 5 * threads), threads=threads)
    np.testing.assert_array_equal(counts, np.bincount(x % bins, minlength=bins))


@pytest.mark.parametrize("columns", [1, 31, 33, 255, 257, 1000, 4096])
@pytest.mark.parametrize("rows", [1, 7])
def test_softmax(rows: int, columns: int) -> None:
    x = np.random.default_rng(columns).normal(0, 5, (rows, columns)).astype(np.float32)
    out = np.empty_like(x)
    enigma.compile(softmax.softmax)(
        x, out, columns, grid=rows * softmax.THREADS, threads=softmax.THREADS
    )
    np.testing.assert_allclose(out, softmax.reference(x.astype(float)), rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("columns", [1, 31, 33, 255, 257, 1000, 4096])
@pytest.mark.parametrize("rows", [1, 7])
def test_rms_norm(rows: int, columns: int) -> None:
    rng = np.random.default_rng(columns)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    w = rng.standard_normal(columns, dtype=np.float32)
    out = np.empty_like(x)
    enigma.compile(rmsnorm.rms_norm)(
        x, w, out, columns, 1e-6, grid=rows * rmsnorm.THREADS, threads=rmsnorm.THREADS
    )
    want = rmsnorm.reference(x.astype(float), w, 1e-6)
    np.testing.assert_allclose(out, want, rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (16, 16), (33, 17), (100, 130)])
def test_stencil_with_halo(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random(shape, dtype=np.float32)
    out = np.empty_like(image)
    height, width = shape
    enigma.compile(edges.sobel)(
        image, out, width, height, grid=(width, height), threads=(edges.TILE, edges.TILE)
    )
    np.testing.assert_allclose(out, edges.reference(image.astype(float)), atol=2e-6)


@pytest.mark.parametrize("n", [64, 96, 1000])
def test_simd_operations(n: int) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, I: enigma.i32, F: enigma.f32, Out: enigma.i32):
        tid = enigma.thread_position_in_grid
        total = enigma.threads_per_grid()
        x, i = X[tid], I[tid]
        F[tid] = enigma.simd_sum(x)
        F[total + tid] = enigma.simd_max(x)
        F[2 * total + tid] = enigma.simd_min(x)
        Out[tid] = enigma.simd_sum(i)
        Out[total + tid] = enigma.simd_xor(i)
        Out[2 * total + tid] = enigma.simd_and(i) + enigma.simd_or(i)
        Out[3 * total + tid] = enigma.simd_max(i) - enigma.simd_min(i)
        Out[4 * total + tid] = enigma.simd_product(i)
        Out[5 * total + tid] = enigma.simd_broadcast(i, 0)

    rng = np.random.default_rng(n)
    x = rng.standard_normal(n, dtype=np.float32)
    i = rng.integers(-(2**31), 2**31, n, dtype=np.int32)
    f, out = np.empty((3, n), np.float32), np.empty((6, n), np.int32)
    enigma.compile(kernel)(x, i, f, out, grid=n, threads=96)
    starts = [
        s for g in range(0, n, 96) for s in range(g, min(g + 96, n), 32)
    ]  # SIMD-groups do not span threadgroups
    ends = [min(s + 32, s - s % 96 + 96, n) for s in starts]
    for s, e in zip(starts, ends, strict=True):
        xs, part = x[s:e], i[s:e]
        np.testing.assert_allclose(f[0, s:e], xs.astype(float).sum(), rtol=1e-5, atol=1e-5)
        assert (f[1, s:e] == xs.max()).all() and (f[2, s:e] == xs.min()).all()
        assert (out[0, s:e] == part.sum(dtype=np.int32)).all()
        assert (out[1, s:e] == np.bitwise_xor.reduce(part)).all()
        both = np.bitwise_and.reduce(part) + np.bitwise_or.reduce(part)
        assert (out[2, s:e] == both).all()
        assert (out[3, s:e] == np.subtract(part.max(keepdims=True), part.min())).all()
        assert (out[4, s:e] == part.prod(dtype=np.int32)).all()
        assert (out[5, s:e] == part[0]).all()


@pytest.mark.parametrize("dtype", ["f32", "i32", "u32", "f16", "i8", "u64"])
def test_shuffles(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Lane: enigma.u32, Out: dtype):
        tid = enigma.thread_position_in_grid
        n = enigma.threads_per_grid()
        lane = enigma.thread_index_in_simdgroup()
        x = X[tid]
        Out[tid] = enigma.simd_shuffle(x, Lane[tid])
        Out[n + tid] = enigma.simd_shuffle_xor(x, 5)
        up, down = enigma.simd_shuffle_up(x, 3), enigma.simd_shuffle_down(x, 7)
        Out[2 * n + tid] = enigma.where(x, up, lane >= 3)
        Out[3 * n + tid] = enigma.where(x, down, lane < 25)

    from reference import random_values

    x = random_values(dtype, 128)
    lanes = np.random.default_rng(0).integers(0, 32, 128).astype(np.uint32)
    out = np.empty((4, 128), x.dtype)
    enigma.compile(kernel)(x, lanes, out, grid=128, threads=64)
    rows, lane = x.reshape(-1, 32), np.arange(32)
    shuffled = np.take_along_axis(rows, lanes.reshape(-1, 32).astype(int), axis=1)
    np.testing.assert_array_equal(out[0], shuffled.ravel())
    np.testing.assert_array_equal(out[1], rows[:, lane ^ 5].ravel())
    np.testing.assert_array_equal(out[2], rows[:, np.where(lane >= 3, lane - 3, lane)].ravel())
    np.testing.assert_array_equal(out[3], rows[:, np.where(lane < 25, lane + 7, lane)].ravel())


@pytest.mark.parametrize("dtype", ["i32", "u32"])
def test_reductions_by_atomics(dtype: str) -> None:
    """Over the whole range: sums wrap, and signs matter. test_atomics.py has the rest."""
    names = ["add", "sub", "min", "max", "and", "or", "xor"]

    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        tid = enigma.thread_position_in_grid
        for k, name in enumerate(names):
            getattr(enigma, f"atomic_fetch_{name}")(Out, k, X[tid])

    from reference import random_values

    x = random_values(dtype, 5000)
    start = np.array([0, 0, 5, 5, -1, 0, 0], np.int64).astype(x.dtype)
    out = start.copy()
    enigma.compile(kernel)(x, out, grid=5000, threads=128)
    with np.errstate(all="ignore"):
        want = [
            x.sum(dtype=x.dtype),
            (np.zeros(1, x.dtype) - x.sum(dtype=x.dtype))[0],
            min(x.min(), start[2]),
            max(x.max(), start[3]),
            np.bitwise_and.reduce(x),
            np.bitwise_or.reduce(x),
            np.bitwise_xor.reduce(x),
        ]
    np.testing.assert_array_equal(out, np.array(want, x.dtype))
