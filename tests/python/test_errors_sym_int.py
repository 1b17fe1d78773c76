"""Mistakes with sizes that only a run knows, each with its full text; and their MSL."""

import numpy as np
from refusals import lines, messages
from tiled_add import tiled_add

import enigma
from enigma import Layout, Scalar, Tensor, sym_int

M, N, K = sym_int("M"), sym_int("N", divisibility=4), sym_int("K")
A, B, C = (Tensor(name, k, "float", ((M, N), (N, 1))) for k, name in enumerate("ABC"))
TILES = enigma.tensor_zipped_divide(A, (16, 16))

ON_THE_HOST = """
sym_int("1x")
sym_int("M", 0)
sym_int("M", divisibility=N)
Tensor("A", 0, "float", ((M, N), (N,)))
Tensor("A", 0, "float", ((M, 0), (1, 1)))
Tensor("A", 0, "float", ((M * 2, 4), (4, 1)))
Tensor("A", 0, "float", ((M, N), (M - 5, 1)))
Tensor("A", 0, "float", ((M, 2.5), (N, 1)))
Tensor("A", 0, "float", (M, N))
Layout((M, N), (N, 1))
M == 3
M < 3
bool(M)
range(M)
M * 2.0
M // 0
M // N
(M - 5) // 2
enigma.tensor_zipped_divide(A, (2, 2, 2))
enigma.tensor_zipped_divide(A, Layout(64))
enigma.tensor_composition(A, Layout((4, 4)))
A[-1, None]
A[1, 2, 3]
TILES[(None, None), 3]
A.load()
(M * N).at({"M": 2})
"""


def test_on_the_host(golden) -> None:
    golden("tensors/errors_sizes.txt", messages(lines(ON_THE_HOST, globals(), __file__)))


def in_a_kernel(body):
    """A jit function whose kernel does what `body` does with its tensor."""

    @enigma.jit
    def function(x: enigma.Tensor):
        @enigma.kernel
        def kernel():
            body(x)

        kernel().launch(grid=32, block=32)

    return function


def launched(**sizes):
    @enigma.jit
    def function(x: enigma.Tensor):
        @enigma.kernel
        def kernel():
            x[0, 0] = 1.0

        kernel().launch(**sizes)

    return function


def other_tiles(x: enigma.Tensor, y: enigma.Tensor):
    gX, gY = enigma.tensor_zipped_divide(x, (2, 2)), enigma.tensor_zipped_divide(y, (2, 4))

    @enigma.kernel
    def kernel(x, y):
        y[0, 0] = x[0, 0]

    kernel(gX, gY).launch(block=32)


def test_compiling(golden) -> None:
    other = Tensor("B", 1, "float", ((M, K), (K, 1)))
    wide = Tensor("B", 1, "float", ((sym_int("M", 2), N), (N, 1)))
    calls = {
        "one size, two divisibilities": lambda: enigma.compile(tiled_add, A, wide, C),
        "a size with the name of a tensor": lambda: enigma.compile(
            launched(), Tensor("M", 0, "float", ((M, 4), (4, 1)))
        ),
        "load of the whole": lambda: enigma.compile(in_a_kernel(lambda x: x.load()), A),
        "a store to its tiles": lambda: enigma.compile(
            in_a_kernel(lambda x: enigma.tensor_zipped_divide(x, (2, 2))[(0, 0), None].store(1)), A
        ),
        "a tensor that is no argument": lambda: enigma.compile(
            in_a_kernel(lambda x: B[0, 0] + x[0, 0]), A
        ),
        "a size of no argument": lambda: enigma.compile(in_a_kernel(lambda x: x[K, 0]), A),
        "a grid of no argument's sizes": lambda: enigma.compile(launched(grid=K, block=32), A),
        "a block of sizes": lambda: enigma.compile(launched(grid=M, block=M), A),
        "numbers of tiles that differ": lambda: enigma.compile(enigma.jit(other_tiles), A, B),
        "sizes that differ": lambda: enigma.compile(enigma.jit(other_tiles), A, other),
    }
    golden("tensors/errors_sizes_compiling.txt", messages(calls))


@enigma.jit
def filled(mX: enigma.Tensor, value: Scalar("f32")):
    gX = enigma.tensor_zipped_divide(mX, (1, 32))

    @enigma.kernel
    def body(x):
        x[0, enigma.thread_position_in_grid] = value

    body.launch(grid=(M - 3) * -(-N // 32) * 32, block=32)


def test_calls(golden) -> None:
    rt = enigma.CpuRuntime()
    add, fill = enigma.compile(tiled_add, A, B, C), enigma.compile(filled, A)
    columns = enigma.compile(filled, Tensor("X", 0, "float", ((M, N), (1, M))))

    def zeros(*shape):
        return np.zeros(shape, np.float32)

    def run(*arrays, **more):
        return lambda: add(*arrays, runtime=rt, **more)

    a = zeros(4, 8)
    calls = {
        "two of three": run(a, a),
        "sizes that differ": run(a, zeros(4, 12), zeros(4, 8)),
        "no multiple": run(*(zeros(4, 6) for _ in range(3))),
        "an empty array": run(zeros(0, 8), a, a),
        "flat": run(*(zeros(32) for _ in range(3))),
        "flat, with one size": run(*(zeros(32) for _ in range(3)), scalars={"M": 4}),
        "flat, too small": run(*(zeros(32) for _ in range(3)), scalars={"M": 4, "N": 12}),
        "another shape than given": run(a, a, a, scalars={"M": 8}),
        "three dimensions": run(zeros(4, 2, 4), a, a),
        "a size of 0": run(*[a.ravel()] * 3, scalars={"M": 0, "N": 8}),
        "a size that is too large": run(*[a.ravel()] * 3, scalars={"M": 2**31, "N": 8}),
        "more elements than indices": run(*[a.ravel()] * 3, scalars={"M": 2**20, "N": 2**20}),
        "a size that is no int": run(a, a, a, scalars={"M": 4.5}),
        "a size of another name": run(a, a, a, scalars={"K": 4}),
        "sizes of a kernel without": lambda: enigma.compile(
            tiled_add, *(Tensor(t.name, t.buffer_index, "float", Layout((4, 8))) for t in (A, B, C))
        )(a, a, zeros(4, 8), scalars={"M": 4}, runtime=rt),
        "another grid": run(a, a, zeros(4, 8), grid=64),
        "a grid without threads": lambda: fill(zeros(3, 8), 1.0, runtime=rt),
        "columns in an array of rows": lambda: columns(a, 1.0, runtime=rt),
        "execute, flat": lambda: rt.execute(fill, [zeros(32), 1.0]),
        "execute, too small an output": lambda: rt.execute(add, [a, a], output_size=64),
        "execute, scalars": lambda: rt.execute(fill, [zeros(32)], scalars={"M": 4, "N": 8}),
    }
    golden("tensors/errors_sizes_calls.txt", messages(calls))


def test_msl(golden) -> None:
    golden("msl/tiled_add_any_size.metal", enigma.compile(tiled_add, A, B, C).metal_source)
