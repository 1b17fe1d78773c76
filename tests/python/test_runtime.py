"""Running kernels: execute, prepare, batches, timing, rebinding, arrays of other libraries."""

import threading

import numpy as np
import pytest
from saxpy import saxpy

import enigma

pytestmark = pytest.mark.usefixtures("device")


@enigma.kernel
def increment(X: enigma.i32):
    tid = enigma.thread_position_in_grid
    X[tid] = X[tid] + 1


@enigma.kernel
def double(X: enigma.i32, Out: enigma.i32):
    tid = enigma.thread_position_in_grid
    Out[tid] = X[tid] * 2


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 1000), dtype=np.float32)


def test_execute_as_on_the_page(arrays) -> None:
    x, y = arrays
    n = len(x)
    rt = enigma.default_runtime()
    for alpha in (2.5, np.float32(2.5), np.array(2.5, np.float32), np.array([2.5], np.float32)):
        raw = rt.execute(
            enigma.compile(saxpy),
            inputs=[x, alpha, y],
            output_size=n * 4,
            grid=(n, 1, 1),
            threads=(256, 1, 1),
        )
        assert isinstance(raw, bytes)
        out = np.frombuffer(raw, np.float32)
        np.testing.assert_array_equal(out, np.float32(2.5) * x + y)


@pytest.mark.parametrize("scalars", [[2.5], {"alpha": 2.5}])
def test_scalars_apart(arrays, scalars) -> None:
    x, y = arrays
    raw = enigma.default_runtime().execute(
        enigma.compile(saxpy), [x, y], x.nbytes, (1000,), (64,), scalars=scalars
    )
    np.testing.assert_array_equal(np.frombuffer(raw, np.float32), np.float32(2.5) * x + y)


def test_several_outputs() -> None:
    @enigma.kernel
    def split(X: enigma.f32, Half: enigma.f16, Whole: enigma.i32):
        i = enigma.thread_position_in_grid
        Half[i] = X[i]
        Whole[i] = X[i]

    x = np.linspace(-3, 3, 50, dtype=np.float32)
    half, whole = enigma.default_runtime().execute(
        enigma.compile(split), [x], output_sizes=[100, 200], grid=50, threads=32
    )
    np.testing.assert_array_equal(np.frombuffer(half, np.float16), x.astype(np.float16))
    np.testing.assert_array_equal(np.frombuffer(whole, np.int32), x.astype(np.int32))


def test_prepared_dispatch_again_and_again(arrays) -> None:
    x, y = arrays
    n = len(x)
    rt = enigma.default_runtime()
    with rt.prepare(enigma.compile(saxpy), inputs=[x, 2.0, y], output_size=n * 4) as prepared:
        for _ in range(3):
            prepared.dispatch(grid=(n, 1, 1), threads=(256, 1, 1))
        result = prepared.read_output(dtype=np.float32)
        np.testing.assert_array_equal(result, np.float32(2) * x + y)
        assert isinstance(prepared.read_output(), bytes)

        prepared.set_input("X", y)
        prepared.set_input(2, x)
        milliseconds = prepared.dispatch_timed(grid=(n, 1, 1), threads=(256, 1, 1))
        assert 0 < milliseconds < 1000
        result = prepared.read_output(dtype=np.float32)
        np.testing.assert_array_equal(result, np.float32(2) * y + x)

        prepared.dispatch(n, 64, wait=False)
        rt.synchronize()
    with pytest.raises(enigma.EnigmaError, match="release"):
        prepared.dispatch(n, 64)


def test_inputs_of_prepare_are_not_changed() -> None:
    @enigma.kernel
    def both(X: enigma.i32, Out: enigma.i32):
        i = enigma.thread_position_in_grid
        X[i] = X[i] + 1
        Out[i] = X[i]

    x = np.arange(10, dtype=np.int32)
    raw = enigma.default_runtime().execute(enigma.compile(both), [x], 40, 10, 32)
    np.testing.assert_array_equal(np.frombuffer(raw, np.int32), np.arange(1, 11))
    np.testing.assert_array_equal(x, np.arange(10))


def test_batch_runs_in_order() -> None:
    rt = enigma.default_runtime()
    compiled = enigma.compile(increment)
    with rt.prepare(compiled, inputs=[], output_size=4000) as prepared:
        rt.dispatch_batch([(prepared, 1000, 256)] * 5)
        np.testing.assert_array_equal(prepared.read_output(dtype=np.int32), np.full(1000, 5))


def test_direct_call_updates_in_place() -> None:
    x = np.arange(300, dtype=np.int32)
    compiled = enigma.compile(increment)
    compiled(x, grid=300, threads=128)
    compiled(x, grid=(300,), threads=(128, 1))
    np.testing.assert_array_equal(x, np.arange(300) + 2)


def test_threads_and_grids_of_many_sizes_share_one_kernel() -> None:
    x = np.zeros(5000, np.int32)
    compiled = enigma.compile(increment)
    for grid, threads in [(5000, 256), (4096, 256), (1, 1), (4999, 33), (5000, 1024)]:
        before = x.copy()
        compiled(x, grid=grid, threads=threads)
        np.testing.assert_array_equal(x - before, np.arange(5000) < grid)


def test_large_grids_use_all_threads() -> None:
    n = 3_000_001
    x = np.zeros(n, np.int32)
    compiled = enigma.compile(increment)
    for threads in (1, 2, 3):
        runtime = enigma.CpuRuntime(threads=threads)
        for _ in range(10):
            compiled(x, grid=n, threads=256, runtime=runtime)
    assert (x == 30).all()


def test_many_python_threads_at_once() -> None:
    runtime = enigma.default_runtime()
    failures = []

    def work(seed: int) -> None:
        try:
            compiled = enigma.compile(increment)
            x = np.full(20_000, seed, np.int32)
            for _ in range(50):
                compiled(x, grid=len(x), threads=256, runtime=runtime)
            np.testing.assert_array_equal(x, seed + 50)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_other_libraries_arrays_by_buffer_protocol_and_dlpack() -> None:
    import array

    x = array.array("i", range(100))
    enigma.compile(increment)(x, grid=100, threads=32)
    assert list(x) == list(range(1, 101))

    class Foreign:
        """An array that speaks DLPack only."""

        def __init__(self, values: np.ndarray) -> None:
            self.values = values

        def __dlpack__(self, **options):
            return self.values.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.values.__dlpack_device__()

    y = np.arange(100, dtype=np.int32)
    enigma.compile(increment)(Foreign(y), grid=100, threads=32)
    np.testing.assert_array_equal(y, np.arange(1, 101))


@pytest.mark.checked_access
def test_out_of_bounds_is_an_error_with_the_line() -> None:
    @enigma.kernel
    def gather(Index: enigma.i32, X: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i] = X[Index[i]]

    index = np.arange(100, dtype=np.int32)
    index[77] = 1000
    x, out = np.ones(100, np.float32), np.zeros(100, np.float32)
    compiled = enigma.compile(gather)
    with pytest.raises(enigma.EnigmaError, match=r"X\[1000\]") as caught:
        compiled(index, x, out, grid=100, threads=32)
    assert caught.value.filename == __file__
    assert "Out[i] = X[Index[i]]" in str(caught.value)
    index[77] = -1
    with pytest.raises(enigma.EnigmaError, match=r"X\[-1\]"):
        compiled(index, x, out, grid=100, threads=32)
    index[77] = 5
    compiled(index, x, out, grid=100, threads=32)  # the runtime works on
    assert (out == 1).all()


@pytest.mark.checked_access
def test_barrier_that_not_all_threads_reach() -> None:
    @enigma.kernel
    def divergent(X: enigma.i32, Out: enigma.i32):
        i = enigma.thread_position_in_grid
        with enigma.if_(X[i] > 0):
            enigma.barrier()
        Out[i] = X[i]

    compiled = enigma.compile(divergent)
    out = np.zeros(64, np.int32)
    compiled(np.ones(64, np.int32), out, grid=64, threads=64)
    assert (out == 1).all()
    x = np.ones(64, np.int32)
    x[40] = 0
    with pytest.raises(enigma.EnigmaError, match="barrier") as caught:
        compiled(x, out, grid=64, threads=64)
    assert caught.value.filename == __file__


def test_nothing_traps() -> None:
    @enigma.kernel
    def wild(X: enigma.i32, Y: enigma.i32, F: enigma.f32, Out: enigma.i32):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] / Y[i] + X[i] % Y[i] + X[i] // Y[i] + (X[i] << Y[i]) + (X[i] >> Y[i])
        Out[i] = Out[i] + enigma.metal_cast(F[i], "int") + enigma.metal_cast(F[i], "char")

    x = np.array([-(2**31), 2**31 - 1, 0, 5] * 8, np.int32)
    y = np.array([-1, 0, 0, 1000] * 8, np.int32)
    f = np.array([np.nan, np.inf, -np.inf, 1e30] * 8, np.float32)
    out = np.empty(32, np.int32)
    enigma.compile(wild)(x, y, f, out, grid=32, threads=32)


@pytest.mark.parametrize("n", [1000, 40_000])
def test_an_output_is_another_kernels_input(n: int) -> None:
    """Without a copy: what the first kernel writes next is what the second one reads next."""
    rt = enigma.default_runtime()
    x, grid = np.arange(n, dtype=np.int32), (n, 1, 1)
    counter = rt.prepare(enigma.compile(increment), inputs=[x])
    twice = rt.prepare(enigma.compile(double), inputs=[counter.output()], output_size=4 * n)
    four = rt.prepare(enigma.compile(double), inputs=[twice.output()], output_size=4 * n)
    chain = [(k, grid, (64, 1, 1)) for k in (counter, twice, four)]
    for round in range(1, 4):
        rt.dispatch_batch(chain)
        np.testing.assert_array_equal(four.read_output(dtype=np.int32), 4 * (x + round))
    result = four.output()
    assert result.dtype == np.int32 and result.shape == (n,) and not result.flags.writeable
    for kernel in (counter, twice, four):
        kernel.release()
    np.testing.assert_array_equal(result, 4 * (x + 3))  # the memory lives as long as its array


def test_an_output_of_another_type_keeps_it() -> None:
    import ml_dtypes

    @enigma.kernel
    def narrow(X: enigma.f32, Out: enigma.bf16):
        i = enigma.thread_position_in_grid
        Out[i] = X[i]

    x = np.arange(10, dtype=np.float32)
    with enigma.default_runtime().prepare(
        enigma.compile(narrow), inputs=[x], output_size=20
    ) as prepared:
        prepared.dispatch(10, 10)
        assert prepared.output().dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(prepared.output().astype(np.float32), x)
        with pytest.raises(enigma.EnigmaError, match="none has the number 1"):
            prepared.output(1)
