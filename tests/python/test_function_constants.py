"""Function constants: numbers that a kernel is prepared with, of every type, and their mistakes."""

from collections.abc import Callable, Iterator

import ml_dtypes
import numpy as np
import pytest

import enigma

N = 100
X = np.arange(N, dtype=np.float32)


@pytest.fixture(scope="module")
def lab() -> Iterator[object]:
    from msl.device import MslDevice

    opened = MslDevice()
    yield opened
    opened.close()


@pytest.fixture
def run(device: str, request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    """run(kernel, inputs, dtype, constants): the kernel's last buffer, of N elements."""

    def once(kernel, inputs, dtype, constants, threads=32) -> np.ndarray:
        compiled = enigma.compile(kernel)
        out = np.zeros(N, dtype)
        raw = enigma.default_runtime().execute(
            compiled, inputs, out.nbytes, N, threads, constants=constants
        )
        got = np.frombuffer(bytearray(raw), np.uint8).view(out.dtype)
        if device == "msl":
            request.getfixturevalue("lab").verify(
                compiled, [*inputs, out], [*inputs, got], N, threads, constants
            )
        return got

    return once


INTEGERS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
FLOATS = ["f32", "f16", "bf16"]


def values_of(name: str) -> list[object]:
    dtype = enigma.dtype(name)
    if dtype == enigma.b1:
        return [True, False, np.bool_(True), 1, 0]
    if dtype.is_float:
        least = float(ml_dtypes.finfo(dtype.numpy).smallest_subnormal)
        most = float(ml_dtypes.finfo(dtype.numpy).max)
        return [0.1, -0.0, least, most, -most, float("inf"), float("nan"), 3, dtype.numpy.type(7)]
    limits = np.iinfo(dtype.numpy)
    return [0, 1, int(limits.min), int(limits.max), 5.0, np.int64(7), np.array([9]), True]


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS, "b1"])
def test_every_type(run, name: str) -> None:
    dtype = enigma.dtype(name)

    @enigma.kernel
    def store(Out: dtype):
        Out[enigma.thread_position_in_grid] = enigma.function_constant(dtype, 65535)

    for value in values_of(name):
        got = run(store, [], dtype.numpy, {65535: value})
        want = np.full(N, np.asarray(value).reshape(()).astype(dtype.numpy), dtype.numpy)
        if not np.isnan(want.astype(np.float64)).any():
            assert got.tobytes() == want.tobytes(), value
        else:
            assert np.isnan(got.astype(np.float64)).all()


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
def test_arithmetic_wraps_and_rounds_as_of_any_value(run, name: str) -> None:
    dtype = enigma.dtype(name)

    @enigma.kernel
    def scaled(A: dtype, Out: dtype):
        tid = enigma.thread_position_in_grid
        c = enigma.function_constant(dtype, 2)
        Out[tid] = A[tid] * c + c

    rng = np.random.default_rng(3)
    if dtype.is_float:
        a = rng.standard_normal(N).astype(dtype.numpy)
    else:
        limits = np.iinfo(dtype.numpy)
        a = rng.integers(limits.min, limits.max, N, dtype.numpy, endpoint=True)
    for value in (3, 100):
        c = np.full(N, value, dtype.numpy)
        got = run(scaled, [a], dtype.numpy, {2: value})
        np.testing.assert_array_equal(got, a * c + c)


@enigma.kernel
def controlled(A: enigma.f32, Out: enigma.f32):
    tid = enigma.thread_position_in_grid
    n = enigma.function_constant(enigma.i32, 0)
    negate = enigma.function_constant(enigma.b1, 1)
    least = enigma.function_constant(enigma.f32, 2)
    acc = least
    with enigma.for_range(0, n) as i:
        acc = acc + A[tid] * i
    with enigma.if_(n > 2) as (then, otherwise):
        with then:
            acc = acc + 1000.0
        with otherwise:
            acc = acc - 1000.0
    left = enigma.function_constant(enigma.i32, 0)
    with enigma.while_(lambda: left > 0):
        left = left - 2
        acc = acc + 0.5
    with enigma.if_(negate):
        acc = -acc
    Out[tid] = acc


@pytest.mark.parametrize("n", [-1, 0, 1, 2, 3, 10])
@pytest.mark.parametrize("negate", [False, True])
def test_control_flow(run, n: int, negate: bool) -> None:
    got = run(controlled, [X], np.float32, {0: n, 1: negate, 2: 0.25})
    want = 0.25 + X * sum(range(n)) + (1000 if n > 2 else -1000) + 0.5 * (max(n, 0) + 1 >> 1)
    np.testing.assert_array_equal(got, (-want if negate else want).astype(np.float32))


def test_barriers_may_depend_on_them(run) -> None:
    @enigma.kernel
    def turned(A: enigma.f32, Out: enigma.f32):
        tid = enigma.thread_position_in_grid
        lid = enigma.thread_position_in_threadgroup()
        shared = enigma.threadgroup_alloc("float", 25)
        shared[lid] = A[tid]
        with enigma.for_range(0, enigma.function_constant(enigma.u32, 0)):
            enigma.barrier()
            x = shared[24 - lid]
            enigma.barrier()
            with enigma.if_(enigma.function_constant(enigma.b1, 1)):
                enigma.barrier()
                shared[lid] = x
        enigma.barrier()
        Out[tid] = shared[lid]

    for rounds in range(4):
        for on in (False, True):
            got = run(turned, [X], np.float32, {0: rounds, 1: on}, threads=25)
            want = X.reshape(4, 25)[:, ::-1] if on and rounds % 2 else X
            np.testing.assert_array_equal(got, want.reshape(N))


def test_one_that_several_places_ask_for_is_one(run) -> None:
    def offset():
        return enigma.function_constant("int", 4)

    @enigma.kernel
    def several(A: enigma.f32, Out: enigma.f32):
        tid = enigma.thread_position_in_grid
        acc = 0.0
        with enigma.if_(tid % 2 == 0) as (even, odd):
            with even:
                acc = A[tid] + offset()
            with odd:
                with enigma.for_range(0, offset()):
                    acc = acc + offset()
        unused = enigma.function_constant(enigma.f32, 9)
        Out[tid] = acc

    compiled = enigma.compile(several)
    assert compiled.metal_source.count("[[function_constant(") == 2
    assert [(c.index, c.dtype, c.name) for c in compiled.constants] == [
        (4, enigma.i32, ""),
        (9, enigma.f32, "unused"),
    ]
    got = run(several, [X], np.float32, {np.int32(4): 6, 9: 1})
    np.testing.assert_array_equal(got, np.where(np.arange(N) % 2, 36, X + 6))


def test_its_name_may_be_given_to_the_next_value(run) -> None:
    @enigma.kernel
    def named(Out: enigma.i32):
        tid = enigma.thread_position_in_grid
        stride = enigma.function_constant(enigma.i32, 0)
        with enigma.if_(tid > 50):
            stride = stride * 2
        Out[tid] = stride

    got = run(named, [], np.int32, {0: 21})
    np.testing.assert_array_equal(got, np.where(np.arange(N) > 50, 42, 21))
    assert "constant int stride [[function_constant(0)]];" in enigma.compile(named).metal_source


@enigma.kernel
def scale(A: enigma.f32, factor: enigma.Scalar(enigma.f32), Out: enigma.f32):
    tid = enigma.thread_position_in_grid
    n = enigma.function_constant(enigma.i32, 0)
    half = enigma.function_constant(enigma.f16, 1)
    Out[tid] = A[tid] * factor * n + half


@pytest.fixture(scope="module")
def compiled() -> enigma.CompiledKernel:
    return enigma.compile(scale)


def test_prepared_kernels_keep_their_own_values(device, compiled) -> None:
    rt = enigma.default_runtime()
    prepared = [rt.prepare(compiled, [X, 2.0], 4 * N, constants={0: n, 1: 0.5}) for n in (1, 2, 3)]
    rt.dispatch_batch([(p, N, 32) for p in prepared])
    for n, p in enumerate(prepared, 1):
        np.testing.assert_array_equal(p.read_output(0, np.float32), X * 2 * n + 0.5)
        p.set_input("factor", 4.0)
        p.dispatch(N, 64)
        np.testing.assert_array_equal(p.read_output(0, np.float32), X * 4 * n + 0.5)


def test_properties(compiled) -> None:
    assert repr(compiled.constants) == "[ConstantInfo(0, i32, n), ConstantInfo(1, f16, half)]"
    assert enigma.compile(plain).constants == []


@enigma.kernel
def plain(A: enigma.f32):
    A[0] = 1.0


# ---- mistakes -----------------------------------------------------------------------------------


def refused(compiled, constants) -> str:
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.CpuRuntime().execute(compiled, [X, 2.0], 4 * N, N, 32, constants=constants)
    assert caught.value.filename == __file__
    return caught.value.message


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        (
            None,
            "scale: no value is given for function constant 0 (n, i32); prepare and execute take "
            "it as constants={0: value}",
        ),
        (
            {0: 1},
            "scale: no value is given for function constant 1 (half, f16); prepare and execute "
            "take it as constants={1: value}",
        ),
        (
            {0: 1, 1: 1, 2: 1},
            "scale: has no function constant 2; it has: 0 (n, i32), 1 (half, f16)",
        ),
        ([1, 2], "kernel 'scale': constants is a dict of numbers by index, not [1, 2]"),
        (
            {"n": 1},
            "kernel 'scale': constants has the key 'n' (str), which is no index of a function "
            "constant",
        ),
        (
            {-1: 1},
            "kernel 'scale': constants has the key -1 (int), which is no index of a function "
            "constant",
        ),
        (
            {True: 1},
            "kernel 'scale': constants has the key True (bool), which is no index of a function "
            "constant",
        ),
        (
            {0: 1.5, 1: 1},
            "kernel 'scale', function constant 0 'n': expected an integer (i32), but got 1.5 "
            "(float)",
        ),
        (
            {0: 2**31, 1: 1},
            "kernel 'scale', function constant 0 'n': 2147483648 does not fit int32",
        ),
        (
            {0: 1, 1: 1e5},
            "kernel 'scale', function constant 1 'half': 100000.0 (float) does not fit float16",
        ),
        (
            {0: "3", 1: 1},
            "kernel 'scale', function constant 0 'n': expected a number (i32), but got '3' (str)",
        ),
        (
            {0: np.arange(2), 1: 1},
            "kernel 'scale', function constant 0 'n': expected one number, but got array([0, 1]) "
            "(ndarray)",
        ),
        (
            {0: None, 1: 1},
            "kernel 'scale', function constant 0 'n': expected a number (i32), but got None",
        ),
    ],
)
def test_wrong_values(compiled, constants, message: str) -> None:
    assert refused(compiled, constants) == message


def test_a_truth_value_is_one() -> None:
    @enigma.kernel
    def flag(A: enigma.f32):
        A[0] = enigma.metal_cast(enigma.function_constant("bool", 3), enigma.f32)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.CpuRuntime().execute(enigma.compile(flag), [X], None, 1, constants={3: 2})
    assert caught.value.message == "kernel 'flag', function constant 3: 2 does not fit bool"


def test_a_kernel_without_any() -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.CpuRuntime().execute(enigma.compile(plain), [X], None, 1, constants={0: 1})
    assert caught.value.message == (
        "plain: has no function constants, but a value is given for index 0"
    )


def test_a_direct_call_has_no_place_for_them(compiled) -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(X, 2.0, X.copy(), grid=N)
    assert caught.value.message == (
        "kernel 'scale' has function constants, which a direct call cannot give: run it with a "
        "runtime's execute() or prepare(), and constants={0: n, 1: half}"
    )


def test_an_index_that_leaves_a_buffer_is_known_before_the_launch() -> None:
    @enigma.kernel
    def shifted(A: enigma.f32):
        tid = enigma.thread_position_in_grid
        A[tid + enigma.function_constant(enigma.u32, 0)] = 1.0

    compiled = enigma.compile(shifted)
    rt = enigma.CpuRuntime()
    raw = rt.execute(compiled, [X], None, 10, 32, constants={0: 90})
    assert np.count_nonzero(np.frombuffer(raw, np.float32) == 1) == 11
    with pytest.raises(enigma.EnigmaError) as caught:
        rt.execute(compiled, [X], None, 10, 32, constants={0: 91})
    assert caught.value.message == (
        "shifted: the grid (10, 1, 1) makes A[...] reach index 100, but A has 100 elements; pass "
        "at least 101 elements, or a smaller grid, or guard the access"
    )


def traced(body: Callable[[enigma.IRValue], object]) -> enigma.EnigmaError:
    @enigma.kernel
    def wrong(A: enigma.f32):
        body(enigma.thread_position_in_grid)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(wrong)
    assert caught.value.filename == __file__
    return caught.value


def twice(tid: enigma.IRValue) -> None:
    enigma.function_constant(enigma.i32, 3)
    enigma.function_constant(enigma.u32, 3)


def test_two_types_of_one_index() -> None:
    error = traced(twice)
    line = twice.__code__.co_firstlineno + 1
    assert error.lineno == line + 1
    assert error.message == (
        f"function constant 3 is i32 (line {line}) and cannot be u32 as well; give one of them "
        "another index"
    )


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (-1, "function_constant takes an index from 0 to 65535, not -1"),
        (65536, "function_constant takes an index from 0 to 65535, not 65536"),
        (
            2**70,
            "function_constant: the index must be an int from 0 to 65535, but is "
            "1180591620717411303424 (int)",
        ),
        ("n", "function_constant: the index must be an int from 0 to 65535, but is 'n' (str)"),
        (1.0, "function_constant: the index must be an int from 0 to 65535, but is 1.0 (float)"),
        (True, "function_constant: the index must be an int from 0 to 65535, but is True (bool)"),
        (None, "function_constant: the index must be an int from 0 to 65535, but is None"),
    ],
)
def test_wrong_indices(index: object, message: str) -> None:
    assert traced(lambda tid: enigma.function_constant(enigma.f32, index)).message == message


def test_a_traced_index() -> None:
    assert traced(lambda tid: enigma.function_constant(enigma.f32, tid)).message == (
        "function_constant: the index must be an int that is known while the kernel is traced, "
        "but is a traced value"
    )


def test_an_unknown_type() -> None:
    message = traced(lambda tid: enigma.function_constant("float4", 0)).message
    assert message.startswith(
        'unknown dtype "float4"; the known ones are f32 (float or float32), f16'
    )


def test_outside_of_a_kernel() -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.function_constant(enigma.f32, 0)
    assert caught.value.message == (
        "function_constant is used outside a kernel: it needs the body of a function decorated "
        "with @enigma.kernel, while enigma.compile traces it"
    )
