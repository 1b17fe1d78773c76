"""What tensors and jit functions refuse: the text of each error, and the line that it is at."""

import functools
import inspect

import numpy as np
from refusals import error_of, lines, messages

import enigma
from enigma import Layout, Tensor

A = Tensor("A", 0, "float", Layout((4, 8), (8, 1)))
B = Tensor("B", 1, "float", Layout((4, 8), (8, 1)))
NESTED = Tensor("A", 0, "float", Layout((8, (3, 5)), (15, (5, 1))))

# The messages are in tests/golden/tensors/errors.txt, each below its call.
ON_THE_HOST = """
Tensor("", 0, "float")
Tensor("A", 31, "float")
Tensor("A", -1, "float")
Tensor("A", 0, "float", (4, 8))
Tensor("A", 0, "float", Layout(4), -1)
Tensor("A", 0, "float", Layout(4), 1.5)
Tensor("A", 0, "float", Layout((4, 4), (1, -4)))
Tensor("A", 0, "float", Layout((4, 0)))
Tensor("A", 0, "float", enigma.make_identity_layout((4, 4)))
A[4, None]
A[-1, None]
A[None, "x"]
A[None, 1.0]
A[None, 1:3]
A[1, 2, None]
A[None, (1, 2)]
A[1, 2]
A.load()
iter(A)
enigma.tensor_zipped_divide(A, (2, 2, 2))
enigma.tensor_zipped_divide(NESTED, (2, 4))
enigma.tensor_composition(A, Layout((4, 16)))
enigma.tensor_composition(A, Layout((4, 8)), (8, 4))
enigma.local_tile(A, (2, 2), (2, 0))
enigma.local_partition(A, Layout((2, 4), (0, 1)), 3)
enigma.local_partition(A, Layout((2, 4)), (0, 1))
enigma.local_partition(A, Layout((2, 4)), 8)
enigma.local_partition(A, (2, 4), 0)
enigma.local_partition(A, Layout((2, 4)), 0, (1,))
enigma.local_tile(A, (2, 2, 2), (0, 0), proj=(1, None, 1))
enigma.local_tile(A.layout, 2, 0)
enigma.zipped_divide(A, 2)
enigma.size(A)
enigma.make_identity_tensor((4, 8))[4, 0]
"""


def test_on_the_host(golden) -> None:
    golden("tensors/errors.txt", messages(lines(ON_THE_HOST, globals(), __file__)))


# Each body is that of a kernel over tensors x and y; its last line is at fault.
def traced_float(x, y):
    f = x[0, 0]
    y[f, 0] = 1.0


def none_where_one_element_is_needed(x, y):
    enigma.store_if(y, (None, 0), 1.0, True)


def fragments_of_other_shapes(x, y):
    row, column = x[0, None].load(), x[None, 0].load()
    row + column


def store_of_another_shape(x, y):
    y[None, 0] = x[0, None].load()


def too_many_elements(x, y):
    big = Tensor("Big", 2, "float", Layout((64, 64)))
    big.load()


def truth_of_a_fragment(x, y):
    row = x[0, None].load()
    bool(row)


def other_name_at_the_same_index(x, y):
    y[0, 0] = x[0, 0]
    y[0, 0] = Tensor("C", 1, "float")[0]


def atomic_beyond_the_end(x, y):
    n = Tensor("N", 2, "int", Layout(10))
    tiles = enigma.tensor_zipped_divide(n, 4)
    enigma.atomic_fetch_add(tiles, (enigma.thread_position_in_grid, 2), 1)


def coordinates_have_no_memory(x, y):
    enigma.make_identity_tensor((4, 8)).load()


def memory_in_arithmetic(x, y):
    y[0, None] = x[0, None] + 1.0


def memory_beside_a_value(x, y):
    row = x[0, None].load()
    row * x[1, None]


def a_stored_view(x, y):
    y[0, None].store(x[0, None])


def a_stored_register_tensor(x, y):
    kept = enigma.register_tensor(8)
    y[0, None].store(kept)


def coordinates_are_no_values(x, y):
    1 + enigma.make_identity_tensor((4, 8))


def a_fragment_written_in_part(x, y):
    row = x[0, None].load()
    row[0] = 1.0


def beyond_a_fragment(x, y):
    row = x[0, None].load()
    row[8]


def launch_in_a_kernel(x, y):
    enigma.kernel(launch_in_a_kernel)(x, y).launch(grid=1, block=1)


BODIES = [
    traced_float, none_where_one_element_is_needed, fragments_of_other_shapes,
    store_of_another_shape, too_many_elements, truth_of_a_fragment,
    other_name_at_the_same_index, atomic_beyond_the_end, coordinates_have_no_memory,
    memory_in_arithmetic, memory_beside_a_value, a_stored_view, a_stored_register_tensor,
    coordinates_are_no_values, a_fragment_written_in_part, beyond_a_fragment, launch_in_a_kernel,
]  # fmt: skip


def test_in_a_kernel(golden) -> None:
    text = ""
    for body in BODIES:

        @enigma.jit
        def run(x: enigma.Tensor, y: enigma.Tensor, body=body):
            enigma.kernel(body)(x, y).launch(grid=64, block=32)

        error = error_of(enigma.compile, run, A, B)
        lines, first = inspect.getsourcelines(body)
        assert error.lineno == first + len(lines) - 1, error
        text += f"{body.__name__}\n    {error.message}\n"
    golden("tensors/errors_kernel.txt", text)


def nothing_launched(x, y):
    pass


def short_without_tiles(x, y):
    @enigma.kernel
    def k(a, b):
        pass

    k.launch(grid=1, block=1)


def short_with_too_few_tensors(x, y):
    enigma.tensor_zipped_divide(x, (2, 2))

    @enigma.kernel
    def k(a, b, tv):
        pass

    k.launch(grid=1, block=1)


def short_without_layout(x, y):
    enigma.tensor_zipped_divide(x, (2, 2))

    @enigma.kernel
    def k(a, tv):
        pass

    k.launch(grid=1, block=1)


def block_unknown(x, y):
    @enigma.kernel
    def k(a, b):
        pass

    k(x, y).launch(grid=...)


def grid_unknown(x, y):
    @enigma.kernel
    def k(a, b):
        pass

    k(x, y).launch(block=32)


def grids_differ(x, y):
    tx, ty = enigma.tensor_zipped_divide(x, (2, 2)), enigma.tensor_zipped_divide(y, (4, 4))

    @enigma.kernel
    def k(a, b):
        pass

    k(tx, ty).launch(block=32)


def wrong_grid(x, y):
    @enigma.kernel
    def k(a):
        pass

    k(x).launch(grid=(0, 1), block=32)


def wrong_count(x, y):
    @enigma.kernel
    def k(a):
        pass

    k(x, y).launch(grid=1, block=1)


def typed_parameter(x, y):
    @enigma.kernel
    def k(a: enigma.i32):
        pass

    k(x).launch(grid=1, block=1)


def shared_memory_of_another_kernel(x, y):
    kept = []

    @enigma.kernel
    def first(a):
        kept.append(enigma.threadgroup_alloc("float", Layout(8)))
        a[0, 0] = 1.0

    @enigma.kernel
    def second(a):
        a[0, 0] = kept[0][1]

    first(x).launch(grid=1, block=1)
    second(x).launch(grid=1, block=1)


def slice_of_another_kernel(x, y):
    kept = []

    @enigma.kernel
    def first(a):
        kept.append(a[enigma.thread_position_in_grid, None])
        a[0, 0] = 1.0

    @enigma.kernel
    def second(a):
        kept[0].load()

    first(x).launch(grid=1, block=1)
    second(x).launch(grid=1, block=1)


FUNCTIONS = [
    nothing_launched, short_without_tiles, short_with_too_few_tensors, short_without_layout,
    block_unknown, grid_unknown, grids_differ, wrong_grid, wrong_count, typed_parameter,
    shared_memory_of_another_kernel, slice_of_another_kernel,
]  # fmt: skip


def test_in_a_jit_function(golden) -> None:
    calls = {}
    for function in FUNCTIONS:
        function.__annotations__ = {"x": Tensor, "y": Tensor}
        calls[function.__name__] = functools.partial(enigma.compile, enigma.jit(function), A, B)
    golden("tensors/errors_jit.txt", messages(calls))


@enigma.jit
def scaled(x: enigma.Tensor, y: enigma.Tensor, factor: enigma.Scalar("f32")):
    @enigma.kernel
    def k():
        tid = enigma.thread_position_in_grid
        y[tid] = factor * x[tid]

    k().launch(grid=32, block=32)


def test_calls(golden) -> None:
    compiled = enigma.compile(scaled, A, B)
    small, array = np.zeros(31, np.float32), np.zeros(32, np.float32)
    rt = enigma.CpuRuntime()
    calls = {
        "scaled(A, B)": lambda: scaled(A, B),
        "compile(scaled, A)": lambda: enigma.compile(scaled, A),
        "compile(scaled, A, B, B)": lambda: enigma.compile(scaled, A, B, B),
        "compile(scaled, A, 3)": lambda: enigma.compile(scaled, A, 3),
        "compile(scaled, A, Tensor at the same index)": lambda: enigma.compile(
            scaled, A, Tensor("C", 0, "float")
        ),
        "compile(scaled, A, A of another layout)": lambda: enigma.compile(
            scaled, A, Tensor("A", 1, "float", Layout(4))
        ),
        "too few arguments": lambda: compiled(array, array, runtime=rt),
        "too small an array": lambda: compiled(array, small, 1.0, runtime=rt),
        "too small an output": lambda: rt.execute(compiled, [array, small, 1.0]),
        "another grid": lambda: compiled(array, array, 1.0, grid=64, runtime=rt),
        "launch outside": lambda: enigma.kernel(nothing_launched_kernel).launch(),
        "operator outside": lambda: enigma.compile(enigma.jit(scalar_outside), A),
    }
    golden("tensors/errors_calls.txt", messages(calls))


def nothing_launched_kernel(x: enigma.Tensor):
    pass


def scalar_outside(x: enigma.Tensor, n: enigma.Scalar("u32")):
    n + 1
