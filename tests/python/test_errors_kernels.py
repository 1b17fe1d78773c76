"""Mistakes in a kernel's text: each refused when it is defined or compiled, at its line."""

import copy
import functools
import pickle

import numpy as np
import pytest
from refusals import refused

import enigma

# ---- signatures ----------------------------------------------------------------------------------


def test_parameter_without_type() -> None:
    with pytest.raises(TypeError) as caught:

        @enigma.kernel
        def k(A: enigma.f32, B):
            pass

    assert str(caught.value) == (
        "kernel 'k': parameter 'B' has no type; annotate it, for example `B: enigma.f32` for a "
        "buffer or `B: enigma.Scalar(enigma.f32)` for a number"
    )


def test_parameter_of_unknown_type() -> None:
    for annotation in ("flaot", list, 3, None):

        def k(A, B):
            pass

        k.__annotations__ = {"A": enigma.f32, "B": annotation}
        with pytest.raises(TypeError) as caught:
            enigma.kernel(k)
        message = str(caught.value)
        start = "kernel 'k': the annotation of parameter 'B' is no type of Enigma: "
        assert message.startswith(start)
        assert "f32" in message and "u64" in message


def test_other_signatures() -> None:
    def variadic(*A: enigma.f32):
        pass

    def keyword(A: enigma.f32, *, B: enigma.f32):
        pass

    def default(A: enigma.f32 = 1):
        pass

    for function, name in ((variadic, "A"), (keyword, "B"), (default, "A")):
        with pytest.raises(TypeError, match=f"kernel '{function.__name__}': parameter '{name}' "):
            enigma.kernel(function)
    with pytest.raises(TypeError, match="decorates a function"):
        enigma.kernel(3)


def test_lambda_generator_coroutine() -> None:
    with pytest.raises(enigma.EnigmaError, match="a lambda cannot be a kernel"):
        enigma.kernel(lambda A: None)

    def generator(A: enigma.f32):
        yield

    async def coroutine(A: enigma.f32):
        pass

    for function in (generator, coroutine):
        with pytest.raises(enigma.EnigmaError, match="must be a plain function"):
            enigma.kernel(function)


def test_more_than_31_buffers() -> None:
    def define(count: int):
        names = [f"b{k}" for k in range(count)]
        scope: dict = {}
        exec(f"def many({', '.join(names)}): pass", scope)
        scope["many"].__annotations__ = dict.fromkeys(names, enigma.f32)
        return enigma.kernel(scope["many"])

    enigma.compile(define(31))
    with pytest.raises(enigma.EnigmaError) as caught:
        define(32)
    assert caught.value.message == (
        "kernel 'many' has 32 parameters, but Metal allows 31: parameter 'b31' is one too many"
    )


def test_kernel_called_as_a_function() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        A[0] = 0

    with pytest.raises(enigma.EnigmaError) as caught:
        k(1)
    assert caught.value.message == (
        "kernel 'k' is not called itself: compile it with enigma.compile(k), then call what that "
        "gives, or run it with a runtime's execute()"
    )
    assert caught.value.filename == __file__
    with pytest.raises(TypeError, match=r"takes a function decorated with @enigma\.kernel"):
        enigma.compile(test_kernel_called_as_a_function)


# ---- outside of a kernel -------------------------------------------------------------------------


def test_operations_outside_of_a_kernel() -> None:
    uses = {
        "fma": lambda: enigma.fma(1.0, 2.0, 3.0),
        "sqrt": lambda: enigma.sqrt(2.0),
        "barrier": lambda: enigma.barrier(),
        "threadgroup_alloc": lambda: enigma.threadgroup_alloc("float", 4),
        "f32": lambda: enigma.f32(0.0),
        "for_range": lambda: enigma.for_range(0, 3),
        "while_": lambda: enigma.while_(lambda: True),
        "if_": lambda: enigma.if_(True),
        "range": lambda: enigma.range(3),
        "Carry": lambda: enigma.Carry(1),
        "register_tensor": lambda: enigma.register_tensor(4),
        "copy": lambda: enigma.copy(None, None, 1),
        "pipeline": lambda: enigma.pipeline("float", 4),
        "async_copy_1d_d2t": lambda: enigma.async_copy_1d_d2t(None, 0, None, 0, 1),
        "async_copy_wait": lambda: enigma.async_copy_wait(),
        "thread_position_in_threadgroup": lambda: enigma.thread_position_in_threadgroup(),
        "grid query": lambda: enigma.grid_size(),
        "load_if": lambda: enigma.load_if(None, 0, True),
    }
    for name, use in uses.items():
        with pytest.raises(enigma.EnigmaError, match="outside a kernel") as caught:
            use()
        assert name in caught.value.message
        assert caught.value.filename == __file__


# ---- in the body ---------------------------------------------------------------------------------


def test_wrong_flag() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        enigma.barrier("mem_everything")  # HERE

    assert refused(k) == (
        'mem_flags is "mem_none", "mem_device", "mem_threadgroup", "mem_device_and_threadgroup" or '
        "\"mem_texture\", not 'mem_everything' (str)"
    )


def test_wrong_dtype_name() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        enigma.threadgroup_alloc("floaty", 4)  # HERE

    message = refused(k)
    assert message.startswith('unknown dtype "floaty"; the known ones are f32 (float or float32), ')
    assert message.endswith("u64 (ulong or uint64), b1 (bool)")

    @enigma.kernel
    def cast(A: enigma.f32):
        A[0] = enigma.metal_cast(A[0], "floaty")  # HERE

    assert refused(cast) == message


def test_wrong_dimension() -> None:
    @enigma.kernel
    def k(A: enigma.u32):
        A[0] = enigma.thread_position_in_grid_xyz("w")  # HERE

    assert refused(k) == 'the dimension of a grid query is "x", "y" or "z", not \'w\' (str)'


def test_too_much_threadgroup_memory() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        first = enigma.threadgroup_alloc("float", 8192)
        enigma.threadgroup_alloc("half", 1)  # HERE
        A[0] = first[0]

    assert refused(k) == (
        "threadgroup memory is limited to 32768 bytes; 1 x f16 is 2 bytes, and 32768 bytes are "
        "allocated already"
    )


def test_indices() -> None:
    @enigma.kernel
    def negative(A: enigma.f32):
        A[-1] = 0  # HERE

    @enigma.kernel
    def float_index(A: enigma.f32):
        A[0.5] = 0  # HERE

    @enigma.kernel
    def traced_float(A: enigma.f32):
        A[A[0]] = 0  # HERE

    @enigma.kernel
    def sliced(A: enigma.f32):
        A[0:2] = 0  # HERE

    @enigma.kernel
    def out_of_range(A: enigma.f32):
        tile = enigma.threadgroup_alloc("float", (4, 4))
        tile[4, 0] = A[0]  # HERE

    @enigma.kernel
    def rank(A: enigma.f32):
        tile = enigma.threadgroup_alloc("float", (4, 4))
        tile[1, 2, 3] = A[0]  # HERE

    assert refused(negative) == (
        "the index of 'A' is -1: indices count from 0, and negative ones have no meaning in a "
        "kernel"
    )
    assert refused(float_index) == (
        "the index of 'A' must be an int or a traced integer, but is 0.5 (float)"
    )
    assert refused(traced_float) == (
        "the index of 'A' is f32: it must be an integer; convert it with enigma.metal_cast(i, "
        '"uint")'
    )
    assert refused(sliced) == (
        "'A' takes one element at a time, not a slice: index it with an int or a traced integer, "
        "in a loop over enigma.for_range"
    )
    assert refused(out_of_range) == "index 4 is outside of 'tile', of size 4"
    assert refused(rank) == "'tile' has 2 dimensions, but is indexed by 3; give an index for each"


def test_a_value_of_a_kernel_that_has_ended() -> None:
    kept = []

    @enigma.kernel
    def first(A: enigma.f32):
        kept.append(A[0])
        A[0] = kept[0]

    @enigma.kernel
    def second(A: enigma.f32):
        A[0] = kept[0] + 1.0  # HERE

    enigma.compile(first)
    assert refused(second) == (
        "+: a value of kernel 'first', which has ended, is used in kernel 'second'; compute it "
        "there, or write it to a buffer that both have"
    )


def test_memory_and_objects_used_as_values() -> None:
    @enigma.kernel
    def text(A: enigma.f32):
        A[0] = enigma.sqrt("2")  # HERE

    @enigma.kernel
    def none(A: enigma.f32):
        A[0] = None  # HERE

    @enigma.kernel
    def memory(A: enigma.f32):
        A[0] = A  # HERE

    expected = "expected a value of the kernel or a number, but got "
    assert refused(text) == f"sqrt: {expected}'2' (str)"
    assert refused(none) == f"a store: {expected}None"
    assert refused(memory) == ("a store: 'A' is memory, not a value; read an element of it: A[i]")


def test_traced_values_where_python_numbers_are_needed() -> None:
    @enigma.kernel
    def to_int(A: enigma.i32):
        int(A[0])  # HERE

    @enigma.kernel
    def to_float(A: enigma.f32):
        float(A[0])  # HERE

    @enigma.kernel
    def iterated(A: enigma.i32):
        for _ in A[0]:  # HERE
            pass

    @enigma.kernel
    def list_index(A: enigma.i32):
        A[0] = [1, 2, 3][A[0]]  # HERE

    @enigma.kernel
    def size(A: enigma.i32):
        enigma.threadgroup_alloc("float", A[0])  # HERE

    for kernel in (to_int, list_index):
        assert refused(kernel) == (
            "a traced value cannot become a Python int, since only the device knows it; for a loop "
            'use enigma.for_range, for a conversion enigma.metal_cast(value, "int"), instead of a '
            "list that it would index a buffer or a threadgroup array"
        )
    assert refused(to_float) == (
        "a traced value cannot become a Python float, since only the device knows it; for a "
        'conversion use enigma.metal_cast(value, "float"), for functions enigma\'s own, as '
        "enigma.sqrt"
    )
    assert refused(iterated) == (
        "a traced value cannot be iterated over; for a loop that many times use `with "
        "enigma.for_range(0, n) as i:`"
    )
    assert refused(size) == (
        "threadgroup_alloc: the size must be known while tracing, so it is an int, not a traced "
        "value"
    )


def test_enigma_range_that_is_no_subject_of_a_for_statement() -> None:
    @enigma.kernel
    def generator(A: enigma.f32):
        first = enigma.thread_position_in_grid
        A[first] = sum(A[first + j] for j in enigma.range(4))  # HERE

    @enigma.kernel
    def numbered(A: enigma.f32):
        for k, j in enumerate(enigma.range(4)):  # HERE
            A[j] = float(k)

    for kernel in (generator, numbered):
        assert refused(kernel) == (
            "enigma.range stands in a `for` statement by itself, since its body is traced once for "
            "all turns; in a comprehension, enumerate or zip use enigma.range_constexpr"
        )


def test_barrier_in_divergent_control_flow() -> None:
    @enigma.kernel
    def under_if(A: enigma.f32):
        lid = enigma.thread_position_in_threadgroup()
        with enigma.if_(lid < 4):
            enigma.barrier()  # HERE
        A[lid] = 0

    @enigma.kernel
    def in_loop(A: enigma.f32):
        lid = enigma.thread_position_in_threadgroup()
        with enigma.for_range(0, lid) as i:
            enigma.barrier()  # HERE
            A[i] = 0

    advice = (
        "threads that wait there would wait forever; move the barrier out of the {}, and keep only "
        "the loads and stores inside"
    )
    assert refused(under_if) == (
        "barrier inside an if_ whose condition differs between threads of a threadgroup (line "
        f"{under_if.lineno + 3}): {advice.format('if_')}"
    )
    assert refused(in_loop) == (
        "barrier inside a loop whose number of turns differs between threads of a threadgroup "
        f"(line {in_loop.lineno + 3}): {advice.format('loop')}"
    )


def test_comparison_that_the_types_decide_warns() -> None:
    @enigma.kernel
    def k(A: enigma.u32, Out: enigma.u32):
        i = enigma.thread_position_in_grid
        with enigma.if_(A[i] < 0):  # HERE
            Out[i] = 1

    with pytest.warns(UserWarning) as caught:
        enigma.compile(k)
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno == k.lineno + 3
    assert "unsigned" in str(warning.message) or "u32" in str(warning.message)


def test_a_value_in_the_name_of_a_buffer_warns() -> None:
    @enigma.kernel
    def lost(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        B = A[i] * 2.0

    @enigma.kernel
    def used(A: enigma.f32, B: enigma.f32, unused: enigma.f32):
        i = enigma.thread_position_in_grid
        A = A[i]
        B[i] = A * 2.0

    with pytest.warns(UserWarning) as caught:
        enigma.compile(lost)
        enigma.compile(used)
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, lost.lineno + 3)
    assert str(warning.message) == (
        "kernel 'lost': 'B' is a buffer, which is neither read nor written, since this gives its "
        "name to something else; to write an element use B[i] = ..."
    )


def test_annotation_that_cannot_be_evaluated() -> None:
    for annotation, expected in (
        ("no.such_name", "cannot be evaluated: NameError: name 'no' is not defined"),
        (
            "enigma.f3",
            "cannot be evaluated: module 'enigma' has no attribute 'f3'; did you mean f32?",
        ),
    ):

        def k(A):
            pass

        k.__annotations__ = {"A": annotation}
        with pytest.raises(TypeError) as caught:
            enigma.kernel(k)
        start = f"kernel 'k': the annotation of parameter 'A', {annotation!r}, "
        assert str(caught.value) == start + expected


def test_scalar_without_a_type() -> None:
    with pytest.raises(TypeError) as caught:

        @enigma.kernel
        def k(A: enigma.Scalar):
            pass

    assert str(caught.value) == (
        "kernel 'k': the annotation of parameter 'A' lacks the type: write "
        "enigma.Scalar(enigma.f32), for example"
    )


def test_decorator_above_kernel() -> None:
    def traced(function):
        @functools.wraps(function)
        def around(*args):
            return function(*args)

        return around

    @traced
    @enigma.kernel
    def k(A: enigma.f32):
        A[0] = 1.0

    with pytest.raises(TypeError) as caught:
        enigma.compile(k)
    assert str(caught.value) == (
        "enigma.compile got a function around kernel 'k': write @enigma.kernel above the other "
        "decorators"
    )


def test_memory_in_arithmetic() -> None:
    for expression in ("A + 1.0", "2 * A", "A == 3", "A < A", "A != 0"):

        @enigma.kernel
        def k(A: enigma.f32):
            eval(expression, {"A": A})

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        assert caught.value.message == "'A' is memory, not a value; read an element of it: A[i]"


def test_memory_can_be_a_key() -> None:
    @enigma.kernel
    def k(A: enigma.f32, B: enigma.f32):
        names = {A: 1.0, B: 2.0}
        assert A is not B and hash(A) == hash(A)
        A[0] = names[A]
        B[0] = names[B]

    a, b = np.zeros(1, np.float32), np.zeros(1, np.float32)
    enigma.compile(k)(a, b, grid=1)
    assert (a[0], b[0]) == (1, 2)


@enigma.kernel
def pickled(A: enigma.f32):
    A[0] = 1.0


def test_kernels_are_pickled_by_name() -> None:
    enigma.compile(pickled)
    assert pickle.loads(pickle.dumps(pickled)) is pickled
    assert copy.deepcopy([pickled]) == [pickled]
