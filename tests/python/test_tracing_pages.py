"""The examples of the pages on kernels and on threadgroup memory, as written, against numpy."""

import numpy as np
import pytest
from saxpy import saxpy

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZES = [1, 31, 33, 255, 257, 1000]


@enigma.kernel
def reverse(A: enigma.f32, B: enigma.f32):
    tid = enigma.thread_position_in_grid
    lid = enigma.thread_position_in_threadgroup()
    bsize = enigma.threads_per_threadgroup()

    shared = enigma.threadgroup_alloc("float", 256)
    shared[lid] = A[tid]
    enigma.barrier()
    B[tid] = shared[bsize - lid - 1]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("n", SIZES)
def test_saxpy_execute_and_prepare(n: int, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, n), dtype=np.float32)
    alpha_val = np.float32(2.5)
    expected = alpha_val * x + y
    compiled = enigma.compile(saxpy)
    rt = enigma.MetalRuntime()
    raw = rt.execute(
        compiled,
        inputs=[x, alpha_val, y],  # numpy arrays in parameter order
        output_size=n * 4,
        grid=(n, 1, 1),
        threads=(256, 1, 1),
    )
    np.testing.assert_array_equal(np.frombuffer(raw, np.float32), expected)

    prepared = rt.prepare(compiled, inputs=[x, alpha_val, y], output_size=n * 4)
    # later:
    prepared.dispatch(grid=(n, 1, 1), threads=(256, 1, 1))
    result = prepared.read_output(dtype=np.float32)
    np.testing.assert_array_equal(result, expected)

    elapsed_ms = prepared.dispatch_timed(grid=(n, 1, 1), threads=(256, 1, 1))
    assert elapsed_ms > 0


def test_for_range(rng: np.random.Generator) -> None:
    @enigma.kernel
    def rows(A: enigma.f32, Out: enigma.f32, n: enigma.Scalar("int")):
        row = enigma.thread_position_in_grid
        acc = 0.0
        with enigma.for_range(0, n) as i:
            acc = acc + A[row * n + i]
        Out[row] = acc

    @enigma.kernel
    def carried(A: enigma.f32, Out: enigma.f32, n: enigma.Scalar("int")):
        row = enigma.thread_position_in_grid
        with enigma.for_range(0, n, init=[enigma.f32(0.0)]) as (i, acc):
            acc = acc + A[row * n + i]
        Out[row] = acc

    for kernel in (rows, carried):
        for n in (0, 1, 17):
            a = rng.integers(-8, 8, (40, n)).astype(np.float32)
            out = np.empty(40, np.float32)
            buffer = a.ravel() if n else np.zeros(1, np.float32)
            enigma.compile(kernel)(buffer, out, n, grid=40, threads=32)
            np.testing.assert_array_equal(out, a.sum(1))


@pytest.mark.parametrize("n", SIZES)
def test_if(n: int, rng: np.random.Generator) -> None:
    @enigma.kernel
    def add(A: enigma.f32, B: enigma.f32, C: enigma.f32, n: enigma.Scalar(enigma.u32)):
        tid = enigma.thread_position_in_grid
        with enigma.if_(enigma.cmp_lt(tid, n)):
            C[tid] = A[tid] + B[tid]

    a, b = rng.standard_normal((2, n), dtype=np.float32)
    c = np.zeros(n, np.float32)
    enigma.compile(add)(a, b, c, n, grid=(n + 255) // 256 * 256, threads=256)
    np.testing.assert_array_equal(c, a + b)


def test_while() -> None:
    @enigma.kernel
    def count(Out: enigma.i32, n: enigma.Scalar("int")):
        tid = enigma.thread_position_in_grid
        i = enigma.metal_cast(tid, "int")
        with enigma.while_(lambda: enigma.cmp_lt(i, n)):
            i = i + 3
        Out[tid] = i

    for n in (-5, 0, 7, 100):
        out = np.empty(50, np.int32)
        enigma.compile(count)(out, n, grid=50, threads=32)
        expected = np.arange(50)
        while (expected < n).any():
            expected[expected < n] += 3
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("n", SIZES)
def test_predicated_load_and_store(n: int, rng: np.random.Generator) -> None:
    @enigma.kernel
    def first_page(A: enigma.f32, C: enigma.f32, n: enigma.Scalar(enigma.u32)):
        tid = enigma.thread_position_in_grid
        mask = enigma.cmp_lt(tid, n)
        val = enigma.load_if(A, tid, mask, default=enigma.f32(0.0))
        enigma.store_if(C, tid, val, mask)

    @enigma.kernel
    def second_page(A: enigma.f32, C: enigma.f32, N: enigma.Scalar("int")):
        tid = enigma.thread_position_in_grid
        mask = enigma.cmp_ult(tid, enigma.metal_cast(N, "uint"))
        val = enigma.load_if(A, tid, mask, default=0.0)
        enigma.store_if(C, tid, val, mask)

    a = rng.standard_normal(n, dtype=np.float32)
    for kernel in (first_page, second_page):
        c = np.zeros(n, np.float32)
        enigma.compile(kernel)(a, c, n, grid=(n + 255) // 256 * 256, threads=256)
        np.testing.assert_array_equal(c, a)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("threads", [32, 256])
def test_reverse(n: int, threads: int, rng: np.random.Generator) -> None:
    a = rng.standard_normal(n, dtype=np.float32)
    b = np.empty(n, np.float32)
    enigma.compile(reverse)(a, b, grid=n, threads=threads)
    expected = np.concatenate([a[k : k + threads][::-1] for k in range(0, n, threads)])
    np.testing.assert_array_equal(b, expected)


def test_every_barrier_flag() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        flags = ["mem_none", "mem_device", "mem_threadgroup"]
        for flag in [*flags, "mem_device_and_threadgroup", "mem_texture"]:
            enigma.barrier(flag)
            enigma.simd_barrier(mem_flags=flag)
        enigma.barrier()
        enigma.simd_barrier()
        A[enigma.thread_position_in_grid] = 1

    source = enigma.compile(k).metal_source
    for flag in ("mem_none", "mem_device", "mem_threadgroup", "mem_texture"):
        assert f"mem_flags::{flag}" in source
    a = np.zeros(64, np.float32)
    enigma.compile(k)(a, grid=64, threads=64)
    assert a.all()


def test_threadgroup_memory_atomics_and_tuple_indices() -> None:
    @enigma.kernel
    def k(X: enigma.u32, Out: enigma.u32):
        tid = enigma.thread_position_in_grid
        lid = enigma.thread_position_in_threadgroup()
        bins = enigma.threadgroup_alloc("uint", 4)
        tile = enigma.threadgroup_alloc("uint", (8, 8))
        with enigma.if_(lid < 4):
            bins.atomic_store(lid, 0)
        tile[lid / 8, lid % 8] = X[tid]
        enigma.barrier()
        bins.atomic_fetch_add(X[tid] % 4, 1)
        enigma.barrier()
        with enigma.if_(lid < 4):
            Out[lid] = bins.atomic_load(lid)
        Out[4 + lid] = tile[lid % 8, lid / 8] + tile[0, 1]

    x = np.random.default_rng(0).integers(0, 100, 64).astype(np.uint32)
    out = np.zeros(68, np.uint32)
    enigma.compile(k)(x, out, grid=64, threads=64)
    np.testing.assert_array_equal(out[:4], np.bincount(x % 4, minlength=4))
    np.testing.assert_array_equal(out[4:], x.reshape(8, 8).T.ravel() + x[1])


def test_grid_queries() -> None:
    @enigma.kernel
    def k(Out: enigma.u32):
        x = enigma.thread_position_in_grid
        y = enigma.thread_position_in_grid_xyz("y")
        z = enigma.thread_position_in_grid_xyz("z")
        index = x + enigma.threads_per_grid() * (y + enigma.threads_per_grid("y") * z)
        thread, block = enigma.arch.thread_idx(), enigma.arch.block_idx()
        dims, grid = enigma.arch.block_dim(), enigma.arch.grid_dim()
        values = [
            *thread, *block, *dims, *grid,
            enigma.thread_position_in_threadgroup("y"),
            enigma.threadgroup_position_in_grid("z"),
            enigma.threads_per_threadgroup("x"),
            enigma.threadgroups_per_grid("y"),
            enigma.grid_size("z"),
            enigma.thread_index_in_threadgroup(),
            enigma.thread_index_in_simdgroup(),
            enigma.simdgroup_index_in_threadgroup(),
            enigma.threads_per_simdgroup(),
            enigma.simdgroups_per_threadgroup(),
        ]  # fmt: skip
        for n, value in enumerate(values):
            Out[index * 22 + n] = value

    grid, threads = (7, 6, 5), (4, 3, 2)
    out = np.zeros((5, 6, 7, 22), np.uint32)
    enigma.compile(k)(out, grid=grid, threads=threads)
    for z, y, x in np.ndindex(5, 6, 7):
        at = (x, y, z)
        thread = [p % t for p, t in zip(at, threads, strict=True)]
        block = [p // t for p, t in zip(at, threads, strict=True)]
        edge = [min(t, g - b * t) for g, t, b in zip(grid, threads, block, strict=True)]
        groups = [-(-g // t) for g, t in zip(grid, threads, strict=True)]
        index = thread[0] + edge[0] * (thread[1] + edge[1] * thread[2])
        expected = [
            *thread, *block, *edge, *groups,
            thread[1], block[2], edge[0], groups[1], groups[2],
            index, index % 32, index // 32, 32, -(-(edge[0] * edge[1] * edge[2]) // 32),
        ]  # fmt: skip
        assert out[z, y, x].tolist() == expected, at
