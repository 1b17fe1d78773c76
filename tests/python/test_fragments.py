"""Fragments: what regions carry of them, and how they meet register tensors."""

import re

import numpy as np
import pytest

import enigma
from enigma import Layout, Tensor

pytestmark = pytest.mark.usefixtures("device")

N, T, W = 32, 5, 8  # threads, rows of each, elements of a row
X = np.random.default_rng(5).integers(-9, 9, (N, T, W)).astype(np.float32)


def rows(name, index, dtype="float"):
    return Tensor(name, index, dtype, Layout((N, T, W), (W * T, W, 1)))


def columns(name, index):
    """The same shape with nothing side by side, so that its fragments have no vectors."""
    return Tensor(name, index, "float", Layout((N, T, W), (1, N, N * T)))


def compiled(body, *tensors):
    """The jit function that launches body(*tensors, turns) in N threads."""

    @enigma.jit
    def launch(a: enigma.Tensor, b: enigma.Tensor, turns: enigma.Scalar(enigma.i32)):
        @enigma.kernel
        def kernel(x, y):
            body(x, y, turns, enigma.thread_position_in_grid)

        kernel(a, b).launch(grid=N, block=32)

    return enigma.compile(launch, *tensors)


def test_loops_carry_fragments():
    def body(x, y, turns, tid):
        total = x[tid, 0, None].load()
        before, last = total, 2 * total
        with enigma.for_range(1, turns) as j:
            total = total + x[tid, j, None].load()
            before, last = last, total
        y[tid, 0, None] = total
        y[tid, 1, None] = before
        y[tid, 2, None] = last
        count = 0
        with enigma.while_(lambda: (total[0] + total[7] < 100) & (count < turns)):
            total += abs(x[tid, count, None].load())
            count += 1
        y[tid, 3, None] = total
        with enigma.for_range(0, 3, init=[total, last]) as (i, (a, b)):
            a, b = b, a + i
        y[tid, 4, None] = a

    expected = {}
    for turns in (0, 1, T):
        total = X[:, 0].copy()
        before, last = total, 2 * total
        for j in range(1, turns):
            total = total + X[:, j]
            before, last = last, total
        expected[turns] = [total, before, last]
        grown = total.copy()
        for n in range(N):
            count = 0
            while grown[n, 0] + grown[n, 7] < 100 and count < turns:
                grown[n] += abs(X[n, count])
                count += 1
        expected[turns] += [grown, last + 1]
    expected = {t: np.stack(list_, 1) for t, list_ in expected.items()}
    kernel = compiled(body, rows("A", 0), columns("B", 1))
    for turns, want in expected.items():
        out = np.zeros((W, T, N), np.float32)
        kernel(X, out, turns)
        np.testing.assert_array_equal(out.transpose(2, 1, 0), want)
    assert "float4 total" in kernel.metal_source
    assert not re.search(r"float total\b", kernel.metal_source)


def test_arms_carry_fragments():
    def body(x, y, turns, tid):
        f = x[tid, 0, None].load()  # of numbers
        g = y[tid, 0, None].load()  # of vectors
        with enigma.if_(f[0] < turns):
            f = f + g
        y[tid, 1, None] = f
        with enigma.if_(tid % 3 == 0) as (then, otherwise):
            with then:
                f, g = g, f
                new = g
            with otherwise:
                g = x[tid, 2, None].load()
                new = y[tid, 0, None].load()
        y[tid, 2, None] = f
        y[tid, 3, None] = g
        y[tid, 4, None] = new

    kernel = compiled(body, columns("A", 0), rows("B", 1))
    out = np.zeros((N, T, W), np.float32)
    out[:, 0] = base = np.arange(N * W).reshape(N, W)
    x, f, g = X, X[:, 0].copy(), base.astype(np.float32)
    kernel(np.ascontiguousarray(X.transpose(2, 1, 0)), out, 3)
    f[x[:, 0, 0] < 3] += g[x[:, 0, 0] < 3]
    np.testing.assert_array_equal(out[:, 1], f)
    third = (np.arange(N) % 3 == 0)[:, None]
    np.testing.assert_array_equal(out[:, 2], np.where(third, g, f))
    np.testing.assert_array_equal(out[:, 3], np.where(third, f, x[:, 2]))
    np.testing.assert_array_equal(out[:, 4], np.where(third, f, g))


def test_containers_nesting_and_conversion():
    def body(x, y, turns, tid):
        kept = enigma.Carry(x[tid, 0, None].load(), 0)
        pair = [x[tid, 1, None].load(), x[tid, 2, None].load()]
        half = enigma.metal_cast(x[tid, 3, None].load(), "half")
        with enigma.for_range(0, turns) as i:
            kept[0] = kept[0] + i
            with enigma.if_(i > 1):
                for j in enigma.range(2):
                    pair[0], pair[1] = pair[1], pair[0] + j
                kept[1] += 1
            half = half * 0.5 + x[tid, i, None].load()
        assert half.dtype == enigma.f16
        y[tid, 0, None] = kept[0]
        y[tid, 1, None] = pair[0] + kept[1]
        y[tid, 2, None] = pair[1]
        y[tid, 3, None] = half
        with enigma.for_range(0, 2, init=[half, pair[0]]) as (_, c):
            c[0], c[1] = c[1], enigma.metal_cast(c[0], "float")
        y[tid, 4, None] = c[0]

    kernel = compiled(body, rows("A", 0), rows("B", 1))
    out = np.zeros((N, T, W), np.float32)
    kernel(X, out, 4)
    half = X[:, 3].astype(np.float16)
    for i in range(4):
        half = (half * np.float16(0.5) + X[:, i]).astype(np.float16)
    np.testing.assert_array_equal(out[:, 0], X[:, 0] + 6)
    np.testing.assert_array_equal(out[:, 1], X[:, 1] + 2)
    np.testing.assert_array_equal(out[:, 2], X[:, 2] + 2)
    np.testing.assert_array_equal(out[:, 3], half)
    np.testing.assert_array_equal(out[:, 4], half)


def test_without_source_a_carry_holds_fragments():
    text = """
def body(x, y, turns, tid):
    total = enigma.Carry(x[tid, 0, None].load())
    lost = total[0]
    with enigma.for_range(1, turns) as j:
        total[0] = total[0] + x[tid, j, None].load()
        LOSE
    y[tid, 0, None] = total[0]
"""
    scope = {"enigma": enigma}
    exec(text.replace("LOSE", "pass"), scope)
    out = np.zeros((N, T, W), np.float32)
    compiled(scope["body"], rows("A", 0), rows("B", 1))(X, out, T)
    np.testing.assert_array_equal(out[:, 0], X.sum(1))
    exec(text.replace("LOSE", "lost = lost + 1.0"), scope)
    with pytest.raises(enigma.EnigmaError, match="'lost' is changed in the for_range"):
        compiled(scope["body"], rows("A", 0), rows("B", 1))


def message(change, number=None):
    """What is said of a name that is a fragment of 8 before a loop and `change(it)` after."""

    def body(x, y, turns, tid):
        f = x[tid, 0, None].load() if number is None else number
        with enigma.for_range(0, turns):
            f = change(f, x)

    with pytest.raises(enigma.EnigmaError) as caught:
        compiled(body, rows("A", 0), rows("B", 1))
    assert caught.value.filename == __file__
    return re.sub(r"at line \d+", "at line N", caught.value.message)


def test_what_changes_its_shape_is_refused():
    said = "'f' is a fragment of shape (8,) before the for_range at line N and "
    advice = "at the end of its body: a traced region can change numbers only"
    assert message(lambda f, x: x[0, None, 1].load()).startswith(
        said + "a fragment of shape (5,) " + advice
    )
    assert message(lambda f, x: f[0]).startswith(said + "a number " + advice)
    assert message(lambda f, x: None).startswith(said + "None " + advice)
    assert message(lambda f, x: f + x[0, 1, None].load(), 0.5) == (
        "'f' is a number before the for_range at line N and a fragment of shape (8,) at the end of "
        "its body: a traced region can change numbers only; start it as a fragment, of "
        'enigma.register_tensor((8,), "f32", 0.5).load()'
    )


def test_register_tensors_meet_fragments():
    a = Tensor("A", 0, "float", Layout((N, (2, 2, 2)), (40, (4, 2, 1))))
    b = Tensor("B", 1, "float", Layout((N, T, W), (W * T, W, 1)))

    def body(x, y, turns, tid):
        acc = enigma.register_tensor((2, 2, 2))
        with enigma.for_range(0, turns) as i:
            acc.store(acc.load() + x[tid, None].load() * i)
        flat = enigma.register_tensor(8, "int", 7)
        flat.store(acc.load())
        y[tid, 0, None] = acc.load()
        y[tid, 1, None] = flat.load()
        for i in range(8):
            y[tid, 2, i] = acc[i]
        acc.store(2.5)
        y[tid, 3, None] = acc.load()
        with pytest.raises(enigma.EnigmaError, match=r"shape \(4,\) does not fit 'acc', of shape"):
            acc.store(enigma.register_tensor(4).load())

    out = np.zeros((N, T, W), np.float32)
    compiled(body, a, b)(X, out, 3)
    cube = 3 * X[:, 0].reshape(N, 2, 2, 2)
    np.testing.assert_array_equal(out[:, 0], cube.transpose(0, 3, 2, 1).reshape(N, 8))
    np.testing.assert_array_equal(out[:, 1], out[:, 0])
    np.testing.assert_array_equal(out[:, 2], cube.reshape(N, 8))
    assert (out[:, 3] == 2.5).all()


def test_counts_and_components_are_fragments_too():
    tensors = [rows(name, k, "uint") for k, name in enumerate("AB")]

    def body(x, y, turns, tid):
        bits, count, offset = (x[tid, k, None].load() for k in range(3))
        y[tid, 0, None] = enigma.rotate(bits, count)
        y[tid, 1, None] = enigma.extract_bits(bits, offset, 5)
        y[tid, 2, None] = enigma.insert_bits(7, count, offset, count)
        y[tid, 3, None] = enigma.pack_uint8x4(count, offset, 1, bits & 255)

    x = np.random.default_rng(4).integers(0, 27, (N, T, W)).astype(np.uint32)
    x[:, 0] *= 0x9E3779B1
    out = np.zeros((N, T, W), np.uint32)
    compiled(body, *tensors)(x, out, 0)
    bits, count, offset = (x[:, k].astype(np.uint64) for k in range(3))
    mask = ((1 << count) - 1 << offset) & 0xFFFFFFFF
    wanted = [
        (bits << count | bits >> 32 - count) & 0xFFFFFFFF,
        bits >> offset & 31,
        7 & ~mask | count << offset & mask,
        count | offset << 8 | 1 << 16 | (bits & 255) << 24,
    ]
    for k, want in enumerate(wanted):
        np.testing.assert_array_equal(out[:, k], want)


def test_fragments_have_their_python_names():
    @enigma.jit
    def launch(a: enigma.Tensor, b: enigma.Tensor):
        @enigma.kernel
        def kernel(x, y):
            tid = enigma.thread_position_in_grid
            row = x[tid, 0, None].load()
            squares = row * row
            y[tid, 0, None] = squares + row * squares

        kernel(a, b).launch(grid=N, block=32)

    source = enigma.compile(launch, rows("A", 0), rows("B", 1)).metal_source
    assert "const float4 squares_1 = row_1 * row_1;" in source
