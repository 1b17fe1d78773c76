"""How a Python function becomes a kernel: signatures, decorators, names, lines, caches, modules."""

import functools
import inspect
import pickle
import subprocess
import sys
import textwrap
import traceback

import numpy as np
import pytest

import enigma


@enigma.kernel
def saxpy(X: enigma.f32, alpha: enigma.Scalar(enigma.f32), Y: enigma.f32, Out: enigma.f32):
    """a x + y"""
    tid = enigma.thread_position_in_grid
    Out[tid] = alpha * X[tid] + Y[tid]


def test_definition_keeps_what_the_function_had() -> None:
    assert isinstance(saxpy, enigma.KernelDef)
    assert (saxpy.__name__, saxpy.__doc__, saxpy.__module__) == ("saxpy", "a x + y", __name__)
    assert repr(saxpy) == (
        "<enigma kernel saxpy(X: enigma.f32, alpha: Scalar(enigma.f32), Y: enigma.f32, "
        "Out: enigma.f32)>"
    )
    assert list(inspect.signature(saxpy).parameters) == ["X", "alpha", "Y", "Out"]


def test_compiled_kernel() -> None:
    compiled = enigma.compile(saxpy)
    assert compiled.kernel_name == "saxpy"
    assert compiled.metal_source == compiled.kernel_source
    assert "kernel void saxpy" in compiled.metal_source
    assert "scf" not in compiled.ir and "@saxpy" in compiled.ir
    assert (compiled.grid, compiled.block) == (None, None)
    shown = [(p.name, p.index, p.dtype, p.is_scalar, p.read, p.written) for p in compiled.params]
    assert shown == [
        ("X", 0, enigma.f32, False, True, False),
        ("alpha", 1, enigma.f32, True, True, False),
        ("Y", 2, enigma.f32, False, True, False),
        ("Out", 3, enigma.f32, False, False, True),
    ]


def test_every_way_to_write_a_type() -> None:
    @enigma.kernel
    def objects(A: enigma.f16, n: enigma.Scalar(enigma.u8)):
        A[0] = n

    @enigma.kernel
    def classes(A: enigma.Float16, n: enigma.Scalar(enigma.UInt8)):
        A[0] = n

    @enigma.kernel
    def strings(A: "half", n: enigma.Scalar("uchar")):  # noqa: F821
        A[0] = n

    @enigma.kernel
    def quoted(A: "enigma.f16", n: "enigma.Scalar('uint8')"):
        A[0] = n

    @enigma.kernel
    def numpy_types(A: np.float16, n: enigma.Scalar(np.uint8)):
        A[0] = n

    for kernel in (objects, classes, strings, quoted, numpy_types):
        assert [p.dtype for p in kernel.parameters] == [enigma.f16, enigma.u8]
        assert [p.is_scalar for p in kernel.parameters] == [False, True]


@pytest.mark.usefixtures("device")
def test_future_annotations(tmp_path) -> None:
    source = tmp_path / "lazily_annotated.py"
    source.write_text(
        textwrap.dedent("""
        from __future__ import annotations
        import enigma as e

        def make(local):
            @e.kernel
            def k(A: e.f32, n: e.Scalar(local), B: "half"):
                acc = 0.0
                with e.for_range(0, n) as i:
                    acc = acc + A[i]
                B[0] = acc
            return k
        """)
    )
    scope: dict = {}
    exec(compile(source.read_text(), str(source), "exec"), scope)
    kernel = scope["make"](enigma.i32)
    a, b = np.arange(4, dtype=np.float32), np.zeros(1, np.float16)
    enigma.compile(kernel)(a, 4, b, grid=1, threads=32)
    assert b[0] == 6


@pytest.mark.usefixtures("device")
def test_default_values_are_constants_of_python() -> None:
    kernels = []
    for scale in (2, 3):

        @enigma.kernel
        def k(A: enigma.f32, scale=scale):
            acc = 0.0
            with enigma.for_range(0, scale):
                acc = acc + 1
            A[0] = acc * scale

        kernels.append(k)
    a = np.zeros(1, np.float32)
    for scale, kernel in zip((2, 3), kernels, strict=True):
        enigma.compile(kernel)(a, grid=1, threads=32)
        assert a[0] == scale * scale


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        logged.calls += 1
        return function(*args, **kwargs)

    return wrapper


logged.calls = 0


def marked(kernel):
    kernel.mark = "yes"
    return kernel


@pytest.mark.usefixtures("device")
def test_other_decorators_above_and_below() -> None:
    factor = 3.0

    @marked
    @enigma.kernel
    @logged
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        with enigma.for_range(0, 4) as i:
            acc = acc + A[i] * factor
        Out[0] = acc

    before = logged.calls
    out = np.zeros(1, np.float32)
    enigma.compile(k)(np.ones(4, np.float32), out, grid=1, threads=32)
    assert out[0] == 12
    assert logged.calls == before + 1
    assert k.mark == "yes"


@pytest.mark.usefixtures("device")
def test_closures_and_globals_are_read_anew_at_each_compile() -> None:
    factor = 2.0

    @enigma.kernel
    def k(A: enigma.f32):
        A[0] = A[0] * factor

    first = enigma.compile(k)
    assert enigma.compile(k).artifact is first.artifact  # a cache hit
    assert enigma.compile(k, math="fast").artifact is not first.artifact
    factor = 3.0
    a = np.ones(1, np.float32)
    enigma.compile(k)(a, grid=1, threads=32)
    first(a, grid=1, threads=32)
    assert a[0] == 6


def test_a_function_rewritten_for_a_kernel_still_works_by_itself() -> None:
    def plain(values, n):
        total = 0
        for i in range(n):
            total = total + values[i]
        return total

    assert plain([1, 2, 3], 3) == 6

    @enigma.kernel
    def k(A: enigma.f32):
        A[0] = plain([A[0], A[1]], 2)

    enigma.compile(k)
    enigma.kernel(lambda_free := k.function)
    assert lambda_free is k.function
    assert plain([1, 2, 3], 3) == 6


@pytest.mark.usefixtures("device")
def test_methods_and_kernels_in_classes() -> None:
    class Kernels:
        factor = 4.0

        @enigma.kernel
        def scale(A: enigma.f32):
            i = enigma.thread_position_in_grid
            A[i] = A[i] * Kernels.factor

    a = np.ones(40, np.float32)
    enigma.compile(Kernels.scale)(a, grid=40, threads=32)
    enigma.compile(Kernels().scale)(a, grid=40, threads=32)
    assert (a == 16).all()


def test_names_and_lines_reach_the_ir() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        where = enigma.thread_position_in_grid
        left, right = A[where], A[where + 1]
        total: float = left + right
        acc = 1.0
        with enigma.for_range(0, 3) as turn:
            acc = acc * total
        Out[where] = acc + (last := left - right)
        Out[where + 1] = last

    text = k.trace().text
    for name in ("where", "left", "right", "total", "acc", "turn", "last"):
        assert f"%{name} = " in text or f"%{name}_0 = " in text, name
    line = k.lineno + 2
    assert f'%where = gpu.thread_position_in_grid x : u32 loc("{__file__}":{line})' in text


def test_lines_of_statements_that_span_several() -> None:
    # fmt: off
    @enigma.kernel
    def k(A: enigma.f32):
        A[0] = enigma.sqrt(
            A[1]
            + A[2]
        )
        text = """
not indented as the rest"""
        with enigma.for_range(
            0,
            len(text),
        ) as i:
            A[i] = 1
    # fmt: on

    lines = k.trace().text.splitlines()
    first = k.lineno

    def line_of(what: str) -> int:
        (found,) = [line for line in lines if what in line]
        return int(found.rpartition(":")[2].rstrip(")")) - first

    assert line_of("memref.load %A[%2]") == 4
    assert line_of("math.sqrt") == 2
    assert line_of("arith.constant 25 : i32") == 8
    assert line_of("  } loc(") == 8
    assert line_of("memref.store %10") == 12


def test_traceback_shows_the_users_lines() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 3) as i:
            A[i] = undefined_name  # noqa: F821

    with pytest.raises(NameError) as caught:
        enigma.compile(k)
    shown = "".join(traceback.format_exception(caught.value))
    assert "A[i] = undefined_name" in shown


def test_nested_tracing_and_threads() -> None:
    import threading

    @enigma.kernel
    def outer(A: enigma.f32):
        x = A[0]

        @enigma.kernel
        def inner(B: enigma.f32):
            acc = 0.0
            with enigma.for_range(0, 2) as i:
                acc = acc + B[i]
            B[0] = acc

        assert "B[" in enigma.compile(inner).metal_source
        with enigma.if_(x > 0):
            A[0] = x + 1

    results = []

    def work() -> None:
        results.append(enigma.compile(outer).metal_source)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 8 and len(set(results)) == 1


def test_value_of_another_kernel_is_refused() -> None:
    kept = []

    @enigma.kernel
    def first(A: enigma.f32):
        kept.append((A, A[0]))

    @enigma.kernel
    def second(B: enigma.f32):
        B[0] = kept[0][1]

    @enigma.kernel
    def third(B: enigma.f32):
        B[0] = kept[0][0][0]

    enigma.compile(first)
    for kernel in (second, third):
        with pytest.raises(enigma.EnigmaError, match="first"):
            enigma.compile(kernel)


def test_module_attribute_behaves() -> None:
    assert not hasattr(enigma, "thread_position_in_grid")
    assert "thread_position_in_grid" in dir(enigma)
    inspect.getmembers(enigma)
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.thread_position_in_grid
    assert caught.value.message == (
        "enigma.thread_position_in_grid is used outside a kernel: it has a value only while "
        "enigma.compile traces a function decorated with @enigma.kernel"
    )
    assert caught.value.filename == __file__
    with pytest.raises(AttributeError, match="module 'enigma' has no attribute 'nothing'"):
        enigma.nothing
    names: dict = {}
    exec("from enigma import *", names)
    assert {"kernel", "f32", "fma", "barrier", "for_range"} <= set(names)


def test_public_names(golden) -> None:
    rows = {row.python for row in enigma._core.operations()}
    golden("names.txt", "\n".join(sorted(set(dir(enigma)) - rows)) + "\n")


def test_import_is_light() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import enigma; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [m for m in loaded if m.split(".")[0] in ("llvmlite", "ml_dtypes", "pytest")]
    assert "enigma.rewrite" not in loaded


def test_enigma_error() -> None:
    error = enigma.EnigmaError("a message", __file__, 1)
    assert str(error).startswith(f'a message\n  File "{__file__}", line 1\n    """How a Python')
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.filename, again.lineno) == ("a message", __file__, 1)
    assert str(enigma.EnigmaError("alone")) == "alone"


def test_options_of_compile(tmp_path, capsys, monkeypatch) -> None:
    compiled = enigma.compile(
        saxpy, keep_metal_source=True, work_dir=tmp_path / "out", dump_ir=True
    )
    assert (tmp_path / "out" / "saxpy.metal").read_text() == compiled.metal_source
    assert "@saxpy" in capsys.readouterr().err
    path = compiled.export_metal(tmp_path / "again.metal")
    assert path == str(tmp_path / "again.metal")
    monkeypatch.chdir(tmp_path)
    assert compiled.export_metal() == "saxpy.metal"
    if sys.platform != "darwin":
        with pytest.raises(enigma.EnigmaError, match="needs a Mac with Xcode"):
            compiled.export_metallib(tmp_path / "x.metallib")
    monkeypatch.setenv("ENIGMA_DUMP", "all")
    enigma.compile(saxpy)
    assert "// after " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("emit_only", "hip", "None, 'ir', 'msl'"),
        ("math", "loose", "'safe', 'fast'"),
        ("msl_version", "1.0", "None, '3.1', '3.2', '4.0'"),
        ("vec_width", 3, "0, 1, 2, 4"),
    ],
)
def test_wrong_options_of_compile(option: str, value: object, known: str) -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(saxpy, **{option: value})
    assert caught.value.message == f"compile: {option} must be one of {known}, but is {value!r}"
    with pytest.raises(TypeError):
        enigma.compile(saxpy, no_such_option=1)


def test_command_line(tmp_path) -> None:
    source = tmp_path / "kernels.py"
    source.write_text(
        textwrap.dedent("""
        import enigma

        @enigma.kernel
        def double(A: enigma.i32, n: enigma.Scalar("int"), Out: enigma.i32):
            i = enigma.thread_position_in_grid
            Out[i] = A[i] * n
        """)
    )

    def command(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "enigma", *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "CpuRuntime" in command("devices")
    assert "kernel void double" in command("emit", str(source))
    assert "@double" in command("emit", f"{source}:double", "--ir")
    arguments = ["run", f"{source}:double", "range:4", "2", "zeros:4", "--grid", "4"]
    assert command(*arguments) == "Out = [0 2 4 6]\n"


def makes_helpers(A):
    def total(n):  # a new function in each trace
        acc = 0.0
        with enigma.for_range(0, n) as i:
            acc = acc + A[i]
        return acc

    return total(4)


@pytest.mark.usefixtures("device")
def test_helpers_that_are_made_while_tracing() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        Out[0] = makes_helpers(A)

    out = np.zeros(1, np.float32)
    enigma.compile(k)(np.arange(4, dtype=np.float32), out, grid=1, threads=32)
    assert out[0] == 6


def test_compiling_keeps_nothing() -> None:
    import gc

    def define():
        @enigma.kernel
        def k(A: enigma.f32):
            acc = 0.0
            with enigma.for_range(0, 3) as i:
                acc = acc + A[i]
            A[0] = acc

        enigma.compile(k)

    define()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        define()
    gc.collect()
    assert len(gc.get_objects()) < before + 50
