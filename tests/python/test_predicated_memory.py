"""load_if and store_if: where the mask does not hold, memory is neither read nor written."""

from collections.abc import Callable

import numpy as np
import pytest
from reference import NUMPY, random_values

import enigma

DTYPES = sorted(NUMPY)
SIZES = [1, 2, 31, 32, 33, 63, 65]


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_at_the_end_of_its_memory(dtype: str) -> None:
    """The grid is larger than the arrays, so that every mask keeps threads out of them."""

    @enigma.kernel
    def kernel(X: dtype, Other: dtype, Out: dtype, Half: dtype, n: enigma.Scalar(enigma.u32)):
        i = enigma.thread_position_in_grid
        x = enigma.load_if(X, i, i < n, enigma.load_if(Other, i % 2, i % 2 < 2))
        y = enigma.load_if(X, i - 1, (i > 0) & (i < n))  # 0 for the first
        enigma.store_if(Out, i, x, mask=i < n)
        enigma.store_if(Half, i >> 1, enigma.where(y, x, i % 2 == 0), (i < n) & (i % 2 == 0))

    compiled = enigma.compile(kernel)
    for n in SIZES:
        x, other = random_values(dtype, n, n), random_values(dtype, 2, 7)
        out, half = np.zeros_like(x), np.zeros((n + 1) // 2, x.dtype)
        compiled(x, other, out, half, n, grid=96, threads=64)
        np.testing.assert_array_equal(out, x)
        np.testing.assert_array_equal(half, x[::2])


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_defaults(dtype: str) -> None:
    """Left out, a number, a value of the same and of another type."""

    @enigma.kernel
    def kernel(X: dtype, A: dtype, B: dtype, C: dtype, D: dtype):
        i = enigma.thread_position_in_grid
        own = i % 3 == 0
        A[i] = enigma.load_if(X, i, own)
        B[i] = enigma.load_if(X, i, own, 1)
        C[i] = enigma.load_if(X, i, own, default=X[0])
        D[i] = enigma.load_if(X, i, own, default=i)

    n = 70
    x = random_values(dtype, n)
    results = np.zeros((4, n), x.dtype)
    enigma.compile(kernel)(x, *results, grid=n, threads=64)
    own = np.arange(n) % 3 == 0
    for got, default in zip(results, (0, 1, x[0], np.arange(n)), strict=True):
        np.testing.assert_array_equal(got, np.where(own, x, np.asarray(default).astype(x.dtype)))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("last", [0, 31, 200])
def test_one_element_for_the_lanes_of_a_mask(last: int) -> None:
    """The index is the same for all lanes, the mask is not; some SIMD-groups hold for all."""

    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.u32)):
        i = enigma.thread_position_in_grid
        total = enigma.f32(0.0)
        with enigma.for_range(0, 3, dtype="uint") as k:
            total = total + enigma.load_if(X, k, i < n)
        Out[i] = enigma.load_if(X, n % 3, i < n, default=1.0) + total

    x = np.array([1, 2, 4], np.float32)
    out = np.zeros(150, np.float32)
    enigma.compile(kernel)(x, out, last, grid=150, threads=128)
    held = np.arange(150) < last
    np.testing.assert_array_equal(out, np.where(held, x[last % 3] + 7, 1))


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("index", ["i32", "u32", "i64", "u64", "i16", "u8"])
def test_indices_that_no_memory_has(index: str) -> None:
    """An index whose mask does not hold may be anything."""

    @enigma.kernel
    def kernel(At: index, X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        shared = enigma.threadgroup_alloc("float", 4)
        enigma.store_if(shared, i, 5, i < 4)
        enigma.barrier()
        inside = enigma.cmp_ult(At[i], 4)
        enigma.store_if(Out, At[i], i + 10, inside & (i < 4))
        enigma.barrier("mem_device")
        Out[i + 4] = enigma.load_if(X, At[i], inside, -1.0) + enigma.load_if(
            shared, At[i], inside, -1.0
        )

    info = np.iinfo(NUMPY[index])
    at = np.array([3, 1, 2, 0, info.max, info.min, 4, 100], NUMPY[index])
    x, out = np.arange(4, dtype=np.float32), np.zeros(12, np.float32)
    enigma.compile(kernel)(at, x, out, grid=8, threads=8)
    inside = (at >= 0) & (at < 4)
    want = np.where(inside, x[np.where(inside, at, 0)] + 5, -2)
    np.testing.assert_array_equal(out, [13, 11, 12, 10, *want])


@pytest.mark.usefixtures("device")
def test_masks_for_all_and_for_none() -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, Out: enigma.i32, yes: enigma.Scalar(enigma.b1)):
        i = enigma.thread_position_in_grid
        a = enigma.load_if(X, i, True, 1) + enigma.load_if(X, i + 1000, False, 2)
        b = enigma.load_if(X, i, yes, 4) + enigma.load_if(X, i + 1000, ~yes, 8)
        enigma.store_if(Out, i, a, True)
        enigma.store_if(Out, i + 1000, a, False)
        enigma.store_if(Out, i, enigma.load_if(Out, i, yes) + b, yes)

    x, out = np.arange(40, dtype=np.int32), np.zeros(40, np.int32)
    enigma.compile(kernel)(x, out, True, grid=40, threads=32)
    np.testing.assert_array_equal(out, 2 * x + 10)


@pytest.mark.usefixtures("device")
def test_in_place_beyond_the_end() -> None:
    """What threads beyond the end do is no race with those that write."""

    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.u32)):
        i = enigma.thread_position_in_grid
        x = enigma.load_if(X, i, i < n, 7)
        enigma.store_if(X, i, x + 1, i < n)
        Out[i] = x

    x, out = np.arange(5, dtype=np.float32), np.zeros(64, np.float32)
    enigma.compile(kernel)(x, out, 5, grid=64, threads=64)
    np.testing.assert_array_equal(x, np.arange(5) + 1)
    np.testing.assert_array_equal(out, [*range(5), *[7] * 59])


@pytest.mark.usefixtures("device")
def test_in_loops_and_conditions() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
        i = enigma.metal_cast(enigma.thread_position_in_grid, "int")
        total = enigma.f32(0)
        with enigma.for_range(-2, 3) as k:
            total = total + enigma.load_if(X, i + k, (i + k >= 0) & (i + k < n))
        with enigma.if_(i % 2 == 0):
            enigma.store_if(Out, i, total, i < n)

    n = 45
    x, out = np.arange(n, dtype=np.float32), np.zeros(n, np.float32)
    enigma.compile(kernel)(x, out, n, grid=64, threads=32)
    want = np.convolve(x, np.ones(5), "same")
    np.testing.assert_array_equal(out, np.where(np.arange(n) % 2 == 0, want, 0))


def message_of(body: Callable) -> str:
    @enigma.kernel
    def kernel(A: enigma.i32, H: enigma.i8):
        body(A, enigma.thread_position_in_grid)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.lineno == body.__code__.co_firstlineno
    return caught.value.message


def test_mistakes() -> None:
    assert message_of(lambda A, i: enigma.load_if(A, i, i)).endswith("write x != 0")
    assert "takes a condition" in message_of(lambda A, i: enigma.load_if(A, i, 1))
    assert message_of(lambda A, i: enigma.store_if(A, i, 1, A[i])).endswith("write x != 0")
    assert "takes a condition" in message_of(lambda A, i: enigma.store_if(A, i, 1, 0))
    assert "does not fit i32" in message_of(lambda A, i: enigma.load_if(A, i, i < 3, 2**32))
    assert "does not fit i32" in message_of(lambda A, i: enigma.store_if(A, i, 2**32, i < 3))
    assert "expected a buffer" in message_of(lambda A, i: enigma.load_if(i, i, i < 3))
    assert "expected a buffer" in message_of(lambda A, i: enigma.store_if(i, i, 1, i < 3))
    assert "must be an int" in message_of(lambda A, i: enigma.load_if(A, 0.5, i < 3))
    assert "must be an int" in message_of(lambda A, i: enigma.store_if(A, 0.5, 1, i < 3))
    assert "negative" in message_of(lambda A, i: enigma.load_if(A, -1, i < 3))
