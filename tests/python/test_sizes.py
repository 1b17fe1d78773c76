"""Every size of grid and threadgroup, every type, one to three dimensions."""

import numpy as np
import pytest
from golden_kernels import saxpy
from reference import FLOATS, INTEGERS, NUMPY, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")

SIZES = [1, 31, 33, 255, 257, 1_000_003]
GROUPS = [32, 64, 96, 100, 256, 1000, 1024]


@enigma.kernel
def reverse(A: enigma.f32, B: enigma.f32):
    tid = enigma.thread_position_in_grid
    lid = enigma.thread_position_in_threadgroup()
    bsize = enigma.threads_per_threadgroup()

    shared = enigma.threadgroup_alloc("float", 1024)
    shared[lid] = A[tid]
    enigma.barrier()
    B[tid] = shared[bsize - lid - 1]


@pytest.mark.parametrize("threads", GROUPS)
@pytest.mark.parametrize("n", SIZES)
def test_saxpy(n: int, threads: int) -> None:
    x, y = random_values("f32", n, 1), random_values("f32", n, 2)
    out = np.full(n + 64, 7, np.float32)
    with np.errstate(all="ignore"):
        want = np.float32(2.5) * x + y
    enigma.compile(saxpy)(x, 2.5, y, out, grid=n, threads=threads)
    np.testing.assert_array_equal(out[:n], want)
    assert (out[n:] == 7).all(), "wrote past the grid"


@pytest.mark.parametrize("threads", GROUPS)
@pytest.mark.parametrize("n", SIZES)
def test_reverse_in_threadgroups(n: int, threads: int) -> None:
    a = np.arange(n, dtype=np.float32)
    b = np.empty_like(a)
    enigma.compile(reverse)(a, b, grid=n, threads=threads)
    want = np.concatenate([a[k : k + threads][::-1] for k in range(0, n, threads)])
    np.testing.assert_array_equal(b, want)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "b1"])
@pytest.mark.parametrize("n", [1, 31, 33, 255, 257, 10_007])
def test_copy_of_every_type(n: int, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Out: dtype):
        shared = enigma.threadgroup_alloc(dtype, 256)
        lid = enigma.thread_position_in_threadgroup()
        shared[lid] = X[enigma.thread_position_in_grid]
        enigma.barrier()
        Out[enigma.thread_position_in_grid] = shared[lid]

    x = random_values(dtype, n)
    out = np.zeros_like(x)
    enigma.compile(kernel)(x, out, grid=n, threads=256)
    np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("threads", [(8, 8), (32, 4), (64, 1), (1, 64), (5, 7), (16, 16)])
@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (64, 128), (100, 7)])
def test_two_dimensions(shape: tuple[int, int], threads: tuple[int, int]) -> None:
    @enigma.kernel
    def transpose(A: enigma.i32, B: enigma.i32, rows: enigma.Scalar("uint")):
        x = enigma.thread_position_in_grid_xyz("x")
        y = enigma.thread_position_in_grid_xyz("y")
        columns = enigma.threads_per_grid("x")
        B[x * rows + y] = A[y * columns + x]

    rows, columns = shape
    a = np.arange(rows * columns, dtype=np.int32).reshape(shape)
    b = np.empty((columns, rows), np.int32)
    enigma.compile(transpose)(a, b, rows, grid=(columns, rows), threads=threads)
    np.testing.assert_array_equal(b, a.T)


@pytest.mark.parametrize("threads", [(4, 4, 4), (32, 2, 2), (3, 5, 7)])
@pytest.mark.parametrize("grid", [(1, 1, 1), (9, 10, 11), (32, 4, 6)])
def test_three_dimensions_and_all_queries(
    grid: tuple[int, int, int], threads: tuple[int, int, int]
) -> None:
    @enigma.kernel
    def positions(Out: enigma.u32):
        x, y, z = (enigma.thread_position_in_grid_xyz(d) for d in "xyz")
        w, h = enigma.threads_per_grid("x"), enigma.threads_per_grid("y")
        at = ((z * h + y) * w + x) * 16
        k = 0
        for query in (
            enigma.thread_position_in_threadgroup,
            enigma.threadgroup_position_in_grid,
            enigma.threads_per_threadgroup,
            enigma.threadgroups_per_grid,
        ):
            for dim in "xyz":
                Out[at + k] = query(dim)
                k += 1
        Out[at + k] = enigma.thread_index_in_threadgroup()
        Out[at + k + 1] = enigma.thread_index_in_simdgroup()
        Out[at + k + 2] = enigma.simdgroup_index_in_threadgroup()
        Out[at + k + 3] = enigma.simdgroups_per_threadgroup()

    out = np.empty((*grid[::-1], 16), np.uint32)
    enigma.compile(positions)(out, grid=grid, threads=threads)
    p = np.stack(np.meshgrid(*(np.arange(g) for g in grid), indexing="ij"), -1)
    p = p.transpose(2, 1, 0, 3)  # z, y, x, component
    group, size = p // threads, np.array(threads)
    actual = np.minimum(size, np.array(grid) - group * size)
    local = p - group * size
    linear = (local[..., 2] * actual[..., 1] + local[..., 1]) * actual[..., 0] + local[..., 0]
    total = actual.prod(-1)
    groups = np.broadcast_to(-(-np.array(grid) // size), p.shape)
    want = [local, group, actual, groups]
    want += [v[..., None] for v in (linear, linear % 32, linear // 32, -(-total // 32))]
    np.testing.assert_array_equal(out, np.concatenate(want, -1))


def test_unsigned_values_above_2_to_31() -> None:
    @enigma.kernel
    def kernel(X: enigma.u32, Y: enigma.u32, Div: enigma.u32, Less: enigma.b1, F: enigma.f32):
        i = enigma.thread_position_in_grid
        Div[i] = X[i] / Y[i]
        Less[i] = X[i] < Y[i]
        F[i] = enigma.metal_cast(X[i], "float")

    x = np.array([2**31, 2**32 - 1, 2**31 + 5, 3], np.uint32)
    y = np.array([3, 2**31, 2**32 - 7, 2**31], np.uint32)
    div, less, f = np.empty_like(x), np.empty(4, np.bool_), np.empty(4, np.float32)
    enigma.compile(kernel)(x, y, div, less, f, grid=4, threads=32)
    np.testing.assert_array_equal(div, x // y)
    np.testing.assert_array_equal(less, x < y)
    np.testing.assert_array_equal(f, x.astype(np.float32))


@pytest.mark.parametrize("dtype", ["u8", "u16"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("threads", [32, 100])
def test_indices_that_wrap_inside_a_simdgroup(dtype: str, sign: int, threads: int) -> None:
    @enigma.kernel
    def kernel(A: enigma.i32, Loads: enigma.i32, Masked: enigma.i32, Stored: enigma.i32):
        tid = enigma.thread_position_in_grid
        index = enigma.metal_cast(tid * sign, dtype) + 5
        Loads[tid] = A[index]
        with enigma.if_(tid % 3 != 0):
            Masked[tid] = A[index]
        Stored[index] = tid

    size = 1 << NUMPY[dtype].itemsize * 8
    a = np.arange(size, dtype=np.int32) * 3
    loads, masked, stored = (np.zeros(size, np.int32) for _ in range(3))
    enigma.compile(kernel)(a, loads, masked, stored, grid=size, threads=threads)
    tid = np.arange(size)
    index = (tid * sign + 5) % size
    np.testing.assert_array_equal(loads, a[index])
    np.testing.assert_array_equal(masked, np.where(tid % 3 != 0, a[index], 0))
    np.testing.assert_array_equal(stored[index], tid)


@pytest.mark.parametrize("name", NUMPY)
def test_scalars_of_every_type(name: str) -> None:
    @enigma.kernel
    def kernel(value: enigma.Scalar(name), Out: name):
        Out[enigma.thread_position_in_grid] = value

    value = random_values(name, 1)[0]
    out = np.zeros(40, NUMPY[name])
    enigma.compile(kernel)(value, out, grid=40, threads=32)
    assert (out == value).all()
