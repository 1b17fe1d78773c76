"""Mistakes in running a kernel: refused before anything runs, with the parameter's name."""

import numpy as np
import pytest
from saxpy import saxpy

import enigma

N = 100


@enigma.kernel
def fill(Out: enigma.i32, value: enigma.Scalar(enigma.u8)):
    Out[enigma.thread_position_in_grid] = value


@pytest.fixture
def compiled() -> enigma.CompiledKernel:
    return enigma.compile(saxpy)


def good() -> dict[str, object]:
    return {
        "X": np.ones(N, np.float32),
        "alpha": 2.0,
        "Y": np.ones(N, np.float32),
        "Out": np.zeros(N, np.float32),
    }


def refused(compiled: enigma.CompiledKernel, grid=N, threads=32, **changed: object) -> str:
    """The message for a call with some arguments changed; nothing may have been written."""
    arguments = {**good(), **changed}
    out = arguments["Out"]
    before = np.array(out, copy=True) if isinstance(out, np.ndarray) else None
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(*arguments.values(), grid=grid, threads=threads)
    if before is not None:
        np.testing.assert_array_equal(out, before)
    with pytest.raises(enigma.EnigmaError) as again:
        enigma.CpuRuntime().execute(compiled, list(arguments.values()), grid=grid, threads=threads)
    assert again.value.message == caught.value.message
    return caught.value.message


def test_good_arguments_run(compiled) -> None:
    arguments = good()
    compiled(*arguments.values(), grid=N, threads=32)
    np.testing.assert_array_equal(arguments["Out"], 3)


@pytest.mark.parametrize("name", ["X", "Y", "Out"])
def test_dtype(compiled, name: str) -> None:
    assert refused(compiled, **{name: np.ones(N)}) == (
        f"kernel 'saxpy', parameter '{name}': expected an array of float32, but got one of "
        "float64; convert it with .astype(np.float32)"
    )


def test_contiguity(compiled) -> None:
    every_other = np.ones(2 * N, np.float32)[::2]
    assert refused(compiled, X=every_other) == (
        "kernel 'saxpy', parameter 'X': the array is not C-contiguous; pass "
        "np.ascontiguousarray(...) of it"
    )
    assert refused(compiled, Out=every_other) == (
        "kernel 'saxpy', parameter 'Out': the kernel writes this array, but it is not "
        "C-contiguous; pass one that is, and copy the result from there"
    )


@pytest.mark.parametrize("name", ["X", "Y", "Out"])
def test_size(compiled, name: str) -> None:
    assert refused(compiled, **{name: np.ones(N - 1, np.float32)}) == (
        f"saxpy: the grid (100, 1, 1) makes {name}[...] reach index 99, but {name} has 99 "
        "elements; pass at least 100 elements, or a smaller grid, or guard the access"
    )


def test_read_only_output(compiled) -> None:
    out = np.zeros(N, np.float32)
    out.flags.writeable = False
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(*{**good(), "Out": out}.values(), grid=N, threads=32)
    assert caught.value.message == (
        "kernel 'saxpy', parameter 'Out': the kernel writes this array, but it is read-only; pass "
        "a copy of it"
    )


def test_empty_array(compiled) -> None:
    message = refused(compiled, X=np.ones(0, np.float32))
    assert message == "kernel 'saxpy', parameter 'X': the array is empty"


@pytest.mark.parametrize("value", [None, "text", 3, object()])
def test_no_array(compiled, value: object) -> None:
    message = refused(compiled, X=value)
    assert message.startswith(
        "kernel 'saxpy', parameter 'X': expected an array of float32, but got "
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "expected a number (f32), but got None"),
        ("text", "expected a number (f32), but got 'text' (str)"),
        (
            np.ones(2, np.float32),
            "expected one number, but got array([1., 1.], dtype=float32) (ndarray)",
        ),
    ],
)
def test_scalar_of_the_wrong_kind(compiled, value: object, problem: str) -> None:
    assert refused(compiled, alpha=value) == f"kernel 'saxpy', parameter 'alpha': {problem}"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (256, "256 does not fit uint8"),
        (-1, "-1 does not fit uint8"),
        (1.5, "expected an integer (u8), but got 1.5 (float)"),
    ],
)
def test_scalar_out_of_range(value: object, problem: str) -> None:
    out = np.zeros(4, np.int32)
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(fill)(out, value, grid=4, threads=32)
    assert caught.value.message == f"kernel 'fill', parameter 'value': {problem}"
    assert not out.any()


def test_number_of_arguments(compiled) -> None:
    x = np.ones(N, np.float32)
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(x, 2.0, x, grid=N, threads=32)
    assert caught.value.message == (
        "kernel 'saxpy' takes 4 arguments (X, alpha, Y and Out), but 3 were given"
    )
    runtime = enigma.CpuRuntime()
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.execute(compiled, [x, 2.0], 400, N, 32)
    assert caught.value.message == (
        "kernel 'saxpy' takes 3 inputs (X, alpha, Y), but 2 are given: parameter 'Y' is missing"
    )
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.execute(compiled, [x, 2.0, x], grid=N, threads=32)
    assert caught.value.message == (
        "kernel 'saxpy' takes 4 inputs (X, alpha, Y, Out), but 3 are given: parameter 'Out' is "
        "missing; for an output that the runtime allocates give output_size="
    )
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.execute(compiled, [x, 2.0, x, x, x], grid=N, threads=32)
    assert caught.value.message == (
        "kernel 'saxpy' takes 4 inputs (X, alpha, Y, Out), but 5 are given"
    )
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.execute(compiled, x, 400, N, 32)
    assert caught.value.message == "kernel 'saxpy': inputs is a list of arguments, not ndarray"


def test_scalars(compiled) -> None:
    x = np.ones(N, np.float32)
    runtime = enigma.CpuRuntime()
    for scalars, expected in [
        ([], "kernel 'saxpy' has 1 scalar parameter (alpha), but scalars has 0"),
        ({}, "kernel 'saxpy': scalars lacks parameter 'alpha'"),
        (
            2.0,
            "kernel 'saxpy': scalars is a list of numbers, or a dict of them by name, not 2.0",
        ),
        (
            {"alpha": 1, "beta": 2},
            "kernel 'saxpy' has no scalar parameter 'beta'; it has: alpha",
        ),
    ]:
        with pytest.raises(enigma.EnigmaError) as caught:
            runtime.execute(compiled, [x, x], 400, N, 32, scalars=scalars)
        assert caught.value.message == expected


def test_output_sizes(compiled) -> None:
    x = np.ones(N, np.float32)
    runtime = enigma.CpuRuntime()
    for size in (0, -4, 401, "many", 396):
        with pytest.raises(enigma.EnigmaError, match="Out"):
            runtime.execute(compiled, [x, 2.0, x], size, N, 32)
    with pytest.raises(enigma.EnigmaError, match="give output_size for one output or"):
        runtime.execute(compiled, [x, 2.0, x], 400, N, 32, output_sizes=[400])
    with pytest.raises(enigma.EnigmaError, match="has 3 buffers, but output_sizes has 4"):
        runtime.execute(compiled, [x, 2.0, x], None, N, 32, output_sizes=[400] * 4)
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.execute(compiled, [x, 2.0, x], None, N, 32, output_sizes=400)
    assert caught.value.message == (
        "kernel 'saxpy': output_sizes is a list of numbers of bytes, not 400"
    )
    with pytest.raises(enigma.EnigmaError, match="has no function constants"):
        runtime.execute(compiled, [x, 2.0, x], 400, N, 32, constants={0: 1})


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (0, "grid is 0: it must be at least 1 and below 2**32"),
        (-1, "grid is -1: it must be at least 1 and below 2**32"),
        ((4, 0), "grid[1] is 0: it must be at least 1 and below 2**32"),
        (2**32, "grid is 4294967296: it must be at least 1 and below 2**32"),
        (
            (1, 1, 1, 1),
            "grid must be an int or a tuple of 1 to 3 ints, but is (1, 1, 1, 1) (tuple)",
        ),
        ((), "grid must be an int or a tuple of 1 to 3 ints, but is () (tuple)"),
        (2.5, "grid must be an int or a tuple of 1 to 3 ints, but is 2.5 (float)"),
        ("8", "grid must be an int or a tuple of 1 to 3 ints, but is '8' (str)"),
        (True, "grid must be an int, but is True (bool)"),
    ],
)
def test_grid(compiled, grid: object, message: str) -> None:
    assert refused(compiled, grid=grid) == message


def test_no_grid(compiled) -> None:
    assert refused(compiled, grid=None) == (
        "kernel 'saxpy': give the number of threads to run: grid=n, or grid=(x, y, z)"
    )


@pytest.mark.parametrize(
    ("threads", "message"),
    [
        (0, "threads is 0: it must be at least 1 and below 2**32"),
        ((2, 0, 2), "threads[1] is 0: it must be at least 1 and below 2**32"),
        (1025, "saxpy: threads (1025, 1, 1) are 1025 threads per threadgroup, but "),
        ((32, 33), "saxpy: threads (32, 33, 1) are 1056 threads per threadgroup, but "),
        ((1, 1, 1025), "saxpy: threads (1, 1, 1025) are 1025 threads per threadgroup, but "),
    ],
)
def test_threads(compiled, threads: object, message: str) -> None:
    given = refused(compiled, threads=threads)
    if message.endswith("but "):
        assert given.startswith(message) and given.endswith(" takes at most 1024")
    else:
        assert given == message


def test_prepared_kernels(compiled) -> None:
    x = np.ones(N, np.float32)
    runtime = enigma.CpuRuntime()
    prepared = runtime.prepare(compiled, [x, 2.0, x], 400)
    with pytest.raises(enigma.EnigmaError) as caught:
        prepared.set_input("Z", x)
    assert caught.value.message == "kernel 'saxpy' has no parameter 'Z'; it has: X, alpha, Y, Out"
    with pytest.raises(enigma.EnigmaError, match="has 1 output, and none has the number 1"):
        prepared.read_output(1)
    for dtype in ("flaot", object, 3, enigma.Tensor("A", 0, "float")):
        with pytest.raises(enigma.EnigmaError) as caught:
            prepared.read_output(dtype=dtype)
        assert caught.value.message == (
            f"read_output: dtype is a type of numpy's or Enigma's, not {dtype!r}"
        )
    with pytest.raises(enigma.EnigmaError) as caught:
        runtime.dispatch_batch(prepared)
    assert caught.value.message == (
        "dispatch_batch takes a list of tuples (prepared, grid, threads), not "
        "<enigma prepared kernel 'saxpy'>"
    )
    with pytest.raises(enigma.EnigmaError, match="'X'"):
        prepared.set_input("X", np.ones(N))
    with pytest.raises(enigma.EnigmaError, match="none has the number"):
        prepared.set_input(9, x)
    prepared.dispatch(N, 32)
    with pytest.raises(enigma.EnigmaError, match="no multiple of the 16"):
        runtime.prepare(compiled, [x, 2.0, x], 404).read_output(dtype=np.complex128)
    prepared.release()
    for use in (
        lambda: prepared.dispatch(N, 32),
        lambda: prepared.dispatch_timed(N, 32),
        lambda: prepared.read_output(),
        lambda: prepared.set_input(0, x),
        lambda: runtime.dispatch_batch([(prepared, N, 32)]),
    ):
        with pytest.raises(enigma.EnigmaError) as caught:
            use()
        assert caught.value.message == (
            "kernel 'saxpy' was prepared, but has been released; prepare it again"
        )
    with pytest.raises(enigma.EnigmaError, match="dispatch_batch takes tuples"):
        runtime.dispatch_batch([prepared])
    with pytest.raises(enigma.EnigmaError, match="expected a compiled kernel"):
        runtime.prepare(saxpy, [])


def test_runtimes(monkeypatch) -> None:
    for threads in (0, -1, 1.5, True, 2**40):
        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.CpuRuntime(threads=threads)
        assert caught.value.message == (
            f"CpuRuntime: threads must be an int from 1 to 1024, but is {threads!r}"
        )
    monkeypatch.setenv("ENIGMA_DEVICE", "cuda")
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.default_runtime()
    assert caught.value.message == "ENIGMA_DEVICE must be 'metal' or 'cpu', but is 'cuda'"
    monkeypatch.setenv("ENIGMA_DEVICE", "cpu")
    assert enigma.default_runtime().device_capabilities().backend == "cpu"
    assert enigma.MetalRuntime().device_capabilities().backend == "cpu"
    from enigma import testing

    if not testing.is_metal_available():
        monkeypatch.setenv("ENIGMA_DEVICE", "metal")
        with pytest.raises(enigma.EnigmaError, match="ENIGMA_DEVICE=cpu"):
            enigma.default_runtime()
        monkeypatch.delenv("ENIGMA_DEVICE")
        with pytest.raises(enigma.EnigmaError, match="ENIGMA_DEVICE=cpu"):
            enigma.MetalRuntime()
        assert enigma.default_runtime().device_capabilities().backend == "cpu"


def test_marks_for_metal() -> None:
    from enigma import testing

    assert testing.is_apple_silicon() <= testing.is_darwin()
    assert callable(testing.requires_metal(lambda: None))
    assert callable(testing.requires_apple_silicon(lambda: None))
    if testing.is_metal_available():
        testing.skip_if_no_metal()
    else:
        with pytest.raises(pytest.skip.Exception):
            testing.skip_if_no_metal()


def test_a_runtime_that_is_none(compiled) -> None:
    x = np.ones(N, np.float32)
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(x, 2.0, x, x.copy(), grid=N, runtime="cpu")
    assert caught.value.message == (
        "kernel 'saxpy': runtime must be a CpuRuntime or a MetalRuntime, but is 'cpu'"
    )


def test_bytes_of_another_type(compiled) -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(bytearray(4 * N), 2.0, np.ones(N, np.float32), np.ones(N, np.float32), grid=N)
    assert caught.value.message == (
        "kernel 'saxpy', parameter 'X': expected an array of float32, but got one of uint8; "
        "convert it to float32 first"
    )


def test_dump_of_an_unknown_pass(monkeypatch, capsys) -> None:
    monkeypatch.setenv("ENIGMA_DUMP", "fold")
    enigma.compile(saxpy)
    assert capsys.readouterr().err.startswith("// after fold\nenigma.kernel @saxpy")
    monkeypatch.setenv("ENIGMA_DUMP", "fold,bend")
    with pytest.raises(enigma.EnigmaError, match=r"^ENIGMA_DUMP is 'all' or names of .*'bend'"):
        enigma.compile(saxpy)
