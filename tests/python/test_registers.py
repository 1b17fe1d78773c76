"""Register tensors: constant indices, and elements that every traced region carries."""

import warnings

import numpy as np
import pytest
from refusals import refused

import enigma

pytestmark = pytest.mark.usefixtures("device")

N = 8
DATA = np.arange(1, N + 1, dtype=np.float32)


def run(kernel, *arrays, out=np.float32, size=8):
    """Runs a kernel (..., Out) in one thread; gives Out."""
    result = np.zeros(size, out)
    enigma.compile(kernel)(*arrays, result, grid=1, threads=32)
    return result.tolist()


def test_page_example() -> None:
    rows, cols, depth = 3, 4, 5
    rng = np.random.default_rng(1)
    a = rng.standard_normal((rows, depth)).astype(np.float32)
    b = rng.standard_normal((depth, cols)).astype(np.float32)

    @enigma.kernel
    def k(A: enigma.f32, B: enigma.f32, K: enigma.Scalar(enigma.i32), Out: enigma.f32):
        acc = enigma.register_tensor((rows, cols), dtype="float", fill=0.0)
        with enigma.for_range(0, K) as k:
            for i in enigma.range_constexpr(rows):
                for j in enigma.range_constexpr(cols):
                    acc[i, j] = enigma.fma(A[i * depth + k], B[k * cols + j], acc[i, j])
        enigma.copy(acc, Out, count=rows * cols)

    for turns in (0, 1, depth):
        got = run(k, a.ravel(), b.ravel(), turns, size=rows * cols)
        want = np.zeros((rows, cols), np.float32)
        for t in range(turns):  # fma rounds once
            product = np.outer(a[:, t].astype(np.float64), b[t].astype(np.float64))
            want = (want.astype(np.float64) + product).astype(np.float32)
        assert got == want.ravel().tolist()


def test_row_major_and_nested_indices() -> None:
    @enigma.kernel
    def k(Out: enigma.i32):
        t = enigma.register_tensor(((2, 2), 2), dtype="int", fill=7)
        assert t.shape == (2, 2, 2) and t.size == 8 and len(t) == 2 and t.dtype is enigma.i32
        for i in range(2):
            for j in range(2):
                t[(i, j), 1] = 10 * i + j
        t[1, 1, 0] = -1
        t[0] = 3  # by its row-major number
        t[np.int64(2)] = t[(0, (0, 0))] + 1
        for i in range(8):
            Out[i] = t[i]

    assert run(k, out=np.int32) == [3, 0, 4, 1, 7, 10, -1, 11]


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
@pytest.mark.parametrize("known", [True, False])
def test_nested_loops_and_conditions(turns, known) -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        t = enigma.register_tensor(3, fill=1)
        hi = turns if known else n
        with enigma.for_range(0, hi) as i:
            t[0] = t[0] + A[i]
            with enigma.for_range(0, i) as j:
                with enigma.if_(A[j] > 2.0) as (then, otherwise):
                    with then:
                        t[1] = t[1] + t[0]
                    with otherwise:
                        t[1], t[2] = t[2], t[1]
            t[2] = t[2] + 1
        for e in range(3):
            Out[e] = t[e]
        left = hi
        with enigma.while_(lambda: left > 0):
            left = left - 1
            t[0] = t[0] * 2
        Out[3] = t[0]

    want = [1.0, 1.0, 1.0]
    for i in range(turns):
        want[0] += DATA[i]
        for j in range(i):
            if DATA[j] > 2:
                want[1] += want[0]
            else:
                want[1], want[2] = want[2], want[1]
        want[2] += 1
    assert run(k, DATA, turns, size=4) == [*want, want[0] * 2**turns]


def test_written_by_a_function_that_the_body_calls() -> None:
    def add(t, i, x):
        t[i] = t[i] + x

    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        tiles = [enigma.register_tensor(2), enigma.register_tensor(2, fill=10)]
        kept = tiles[0]
        with enigma.for_range(0, N) as i:
            for tile in tiles:
                add(tile, 1, A[i])
        Out[0] = kept[1]
        Out[1] = tiles[1][1]
        Out[2] = tiles[0][0]

    assert run(k, DATA, size=3) == [DATA.sum(), 10 + DATA.sum(), 0]


def test_elements_of_a_list_of_tensors_in_the_body() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        tiles = [enigma.register_tensor(2), enigma.register_tensor(2, fill=10)]
        with enigma.for_range(0, N) as i:
            tiles[0][0] = tiles[0][0] + A[i]
            tiles[1][1] = tiles[1][1] - tiles[0][0]
        Out[0] = tiles[0][0]
        Out[1] = tiles[1][1]

    assert run(k, DATA, size=2) == [DATA.sum(), 10 - np.cumsum(DATA).sum()]


def test_name_rebound_and_swapped_in_the_body() -> None:
    @enigma.kernel
    def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        a = enigma.register_tensor(2, fill=1)
        b = enigma.register_tensor(2, fill=2)
        c = enigma.register_tensor(2, fill=3)
        with enigma.for_range(0, n):
            a, b = b, a
            c = enigma.register_tensor(2, fill=c[0] + 1)
        with enigma.for_range(0, n):
            c[1] = c[1] * 10
        Out[0] = a[0]
        Out[1] = b[1]
        Out[2] = c[0]
        Out[3] = c[1]

    assert run(k, 0, size=4) == [1, 2, 3, 3]
    assert run(k, 1, size=4) == [2, 1, 4, 40]
    assert run(k, 2, size=4) == [1, 2, 5, 500]


def test_one_that_a_region_has_made_is_the_regions_own() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        total = 0.0
        with enigma.for_range(0, 4) as i:
            part = enigma.register_tensor(2)
            with enigma.for_range(0, 2) as j:
                part[0] = part[0] + A[2 * i + j]
            total = total + part[0]
        with enigma.for_range(0, 2):
            total = total + 1
        Out[0] = total

    assert run(k, DATA, size=1) == [DATA.sum() + 2]


@pytest.mark.parametrize("dtype", ["half", "bfloat", "int8", "uint8", "long", "bool"])
def test_writes_convert_to_the_type(dtype) -> None:
    element = enigma.dtype(dtype)

    @enigma.kernel
    def k(A: enigma.f32, Out: element):
        t = enigma.register_tensor(4, dtype=dtype, fill=1)
        with enigma.for_range(0, 2) as i:
            t[i.dtype.width - 32] = A[i] + t[1]
        t[2] = 0
        enigma.copy(t, Out, 4)

    got = np.zeros(4, element.numpy)
    enigma.compile(k)(DATA, got, grid=1, threads=32)
    assert got.astype(np.float32).tolist() == ([1, 1, 0, 1] if dtype == "bool" else [3, 1, 0, 1])


def test_kernels_without_source() -> None:
    source = """
def k(A: enigma.f32, Out: enigma.f32):
    acc = enigma.register_tensor(2)
    with enigma.for_range(0, 8) as i:
        acc[1] = acc[1] + A[i]
    Out[0] = acc[1]
"""
    scope = {"enigma": enigma}
    exec(source, scope)
    assert run(enigma.kernel(scope["k"]), DATA, size=1) == [DATA.sum()]


def test_elements_have_names_in_the_msl() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        acc = enigma.register_tensor((1, 2))
        with enigma.for_range(0, n) as i:
            acc[0, 1] = acc[0, 1] + A[i]
        Out[0] = acc[0, 1]

    assert "acc_0_1 = acc_0_1 + A[i];" in enigma.compile(k).metal_source


def test_traced_index() -> None:
    @enigma.kernel
    def k(Out: enigma.f32):
        acc = enigma.register_tensor((2, 2))
        with enigma.for_range(0, 2) as i:
            acc[i, 0] = 1.0  # HERE

    assert refused(k) == (
        "'acc' is in registers, which have no addresses: its indices must be ints known while "
        "tracing, not traced values; loop over them with enigma.range_constexpr, or keep the "
        "values in threadgroup memory"
    )


def test_wrong_indices_and_values() -> None:
    def message(use) -> str:
        @enigma.kernel
        def k(Out: enigma.f32):
            acc = enigma.register_tensor((2, 3))
            use(acc)  # HERE

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        return caught.value.message

    assert message(lambda t: t[2, 0]) == "index 2 is outside of 'acc', of size 2"
    assert message(lambda t: t[0, -1]) == "index -1 is outside of 'acc', of size 3"
    assert message(lambda t: t[6]) == "index 6 is outside of 'acc', of size 6"
    said = message(lambda t: t[0, 0, 0])
    assert said == "'acc' has 2 dimensions, but is indexed by 3; give an index for each"
    assert message(lambda t: t["x"]) == "the index of 'acc' must be an int, but is 'x'"
    assert message(lambda t: t.__setitem__(0, "x")) == "an element of 'acc' is a number, not 'x'"
    assert (
        message(lambda t: t + 1)
        == message(lambda t: 2 * t)
        == message(lambda t: t == 3)
        == (
            "'acc' is a register tensor, not a value; read an element of it, as acc[0, 0], "
            "or all of them, as acc.load()"
        )
    )
    assert message(list) == (
        "'acc' cannot be iterated over; use `for i in enigma.range_constexpr(n):` and index it"
    )


def test_wrong_shapes() -> None:
    def message(make) -> str:
        @enigma.kernel
        def k(n: enigma.Scalar(enigma.i32), Out: enigma.f32):
            make(n)

        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(k)
        return caught.value.message

    start = "register_tensor: "
    tensor = enigma.register_tensor
    assert message(lambda n: tensor(())) == start + "the shape is empty"
    assert message(lambda n: tensor((2, 0))) == (
        start + "the shape has the size 0: it must be at least 1"
    )
    assert message(lambda n: tensor(2.5)) == (
        start + "the shape is an int or a tuple of ints, not 2.5"
    )
    assert message(lambda n: tensor((2, n))) == (
        start + "the shape must be known while tracing, so it is made of ints, not of traced values"
    )
    assert message(lambda n: tensor(2, fill="x")) == (
        start + "fill is a number or a value of the kernel, not 'x'"
    )
    assert "unknown dtype" in message(lambda n: tensor(2, "flaot")) or "flaot" in message(
        lambda n: tensor(2, "flaot")
    )


def test_more_than_a_thread_has_warns() -> None:
    def compiled(columns):
        @enigma.kernel
        def k(A: enigma.f32, Out: enigma.f32):
            first = enigma.register_tensor((8, 8))
            second = enigma.register_tensor((8, columns))
            first[0, 0] = A[0]
            Out[0] = first[0, 0] + second[0, 0]

        return enigma.compile(k)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(8)
    with pytest.warns(UserWarning) as caught:
        compiled(9)
    assert [str(w.message).splitlines()[0] for w in caught] == [
        "register_tensor: this kernel's register tensors, first: 8 x 8 x f32, 8 x 9 x f32, need "
        "544 bytes, and a thread has 512 bytes of registers on Apple's GPUs: the rest spills to "
        "memory; use smaller tiles, or more threads for the same work"
    ]
    assert caught[0].filename == __file__


def test_one_that_is_gone_needs_no_registers() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        for i in range(4):
            t = enigma.register_tensor((8, 8), fill=A[i])
            Out[i] = t[7, 7]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(k, DATA, size=4) == DATA[:4].tolist()
