"""Vectors: every elementwise row on them, how they are made, taken apart, carried, and geometry."""

import every_row
import ml_dtypes
import numpy as np
import pytest
from reference import FLOATS, INTEGERS, NUMPY, edge_values, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")


# ---- every row ----------------------------------------------------------------------------------


def on_vectors(dtype: str, width: int) -> dict[every_row.Case, np.ndarray]:
    """The results of the elementwise rows on vectors, whose components are the rows' operands."""
    cases = [
        case
        for case in every_row.cases_of(dtype)
        if case.row.shape in ("Map", "Cast") and "u" not in case.row.operands
    ]
    operands = every_row.operands_of(dtype)
    n = len(operands.values[0])
    places = {t: [case for case in cases if case.result == t] for t in NUMPY}

    # fmt: off
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Z: dtype, S: enigma.f32, T: enigma.f32, C: enigma.b1,
               F32: enigma.f32, F16: enigma.f16, BF16: enigma.bf16,
               I8: enigma.i8, I16: enigma.i16, I32: enigma.i32, I64: enigma.i64,
               U8: enigma.u8, U16: enigma.u16, U32: enigma.u32, U64: enigma.u64, B1: enigma.b1):
        # fmt: on
        first = enigma.thread_position_in_grid * width
        # The last thread may have too many components.
        at = [enigma.imin(first + k, n - 1) for k in range(width)]
        values, floats, conditions = (
            tuple(enigma.make_vec(*(buffer[i] for i in at)) for buffer in buffers)
            for buffers in ((X, Y, Z), (S, T), (C,))
        )
        given = every_row.Operands(values, floats, (), conditions)
        buffers = [F32, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, B1]
        for (to, there), out in zip(places.items(), buffers, strict=True):
            for k, case in enumerate(there):
                taken = given.of(case.row) + ([to] if case.row.result == "?" else [])
                result = every_row.function_of(case.row)(*taken)
                for c in range(width):
                    out[at[c] + k * n] = result[c]

    results = {t: np.empty(max(len(there) * n, 1), NUMPY[t]) for t, there in places.items()}
    inputs = (*operands.values, *operands.floats, *operands.conditions)
    enigma.compile(kernel)(*inputs, *results.values(), grid=-(-n // width), threads=64)
    return {
        case: results[t][k * n : (k + 1) * n]
        for t, there in places.items()
        for k, case in enumerate(there)
    }


@pytest.mark.parametrize(("dtype", "width"), [(t, 2 + k % 3) for k, t in enumerate(NUMPY)])
def test_every_elementwise_row(dtype: str, width: int) -> None:
    results = on_vectors(dtype, width)
    assert len(results) > 10
    wrong = [every_row.judge(case, got).wrong for case, got in results.items()]
    assert not any(wrong), "\n".join(filter(None, wrong))


# ---- made and taken apart -----------------------------------------------------------------------


def test_made_of_numbers_and_vectors() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        a = enigma.make_vec(X[0], 2, X[1])
        b = enigma.make_vec(a.y, a)
        c = enigma.make_float4(enigma.make_vec(1, 2), enigma.make_float2(X[2], True))
        d = enigma.make_float3(X[2])
        e = enigma.make_vec(1, 2)
        n = 0
        for v in (a, b, c, d, e):
            for component in v:
                Out[n] = component
                n += 1
        Out[n] = len(b) + len(e)

    x = np.array([3.5, -1, 7], np.float32)
    out = np.empty(17, np.float32)
    enigma.compile(kernel)(x, out, grid=1, threads=1)
    want = [3.5, 2, -1, 2, 3.5, 2, -1, 1, 2, 7, 1, 7, 7, 7, 1, 2, 6]
    np.testing.assert_array_equal(out, want)


def test_literals_alone_are_integers() -> None:
    @enigma.kernel
    def kernel(Out: enigma.i64):
        v = enigma.make_vec(7, 2**40)
        assert v.dtype == enigma.i64
        assert enigma.make_vec(7, -1).dtype == enigma.i32
        assert enigma.make_vec(1, 0.5).dtype == enigma.f32
        assert enigma.make_vec(True, False).dtype == enigma.b1
        assert repr(v).startswith("<IRValue v: vector<2xi64>")
        Out[0] = v.x + v.y

    out = np.empty(1, np.int64)
    enigma.compile(kernel)(out, grid=1, threads=1)
    assert out[0] == 7 + 2**40


@pytest.mark.parametrize("dtype", ["f32", "bf16", "i8", "u64", "b1"])
def test_components(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, I: enigma.i32, Out: dtype):
        i = enigma.thread_position_in_grid
        v = enigma.make_vec(X[i], X[i + 1], X[i + 2], X[i + 3])
        parts = [v.w, v[0], enigma.vec_extract(v, 2), v.y, v[I[i]], enigma.vec_extract(v, I[i])]
        for k, part in enumerate(parts):
            Out[6 * i + k] = part

    x = np.resize(edge_values(dtype), 36)
    index = np.resize(np.arange(4, dtype=np.int32), 32)
    out = np.empty(6 * 32, x.dtype)
    enigma.compile(kernel)(x, index, out, grid=32, threads=32)
    i = np.arange(32)
    want = np.stack([x[i + 3], x[i], x[i + 2], x[i + 1], x[i + index], x[i + index]], axis=1)
    np.testing.assert_array_equal(out, want.ravel())


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_as_type_keeps_the_shape(dtype: str) -> None:
    wide = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}[NUMPY[dtype].itemsize]

    @enigma.kernel
    def kernel(X: dtype, Out: wide):
        i = enigma.thread_position_in_grid
        v = enigma.make_vec(X[i], X[i], X[i], X[i])
        Out[i] = enigma.as_type(v, wide)[2]

    x = random_values(dtype, 256)
    out = np.empty(256, NUMPY[wide])
    enigma.compile(kernel)(x, out, grid=256, threads=64)
    np.testing.assert_array_equal(out, x.view(out.dtype))


# ---- with numbers beside them -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_numbers_stand_for_all_components(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, S: enigma.Scalar(dtype), Out: dtype):
        i = enigma.thread_position_in_grid
        v = enigma.make_vec(X[3 * i], X[3 * i + 1], X[3 * i + 2])
        results = [
            v + 2, 3 - v, v * S, S - v, enigma.where(v, 1, v < S), enigma.where(v, S, X[i] < S)
        ]  # fmt: skip
        for k, r in enumerate(results):
            for c in range(3):
                Out[(i * len(results) + k) * 3 + c] = r[c]

    x = random_values(dtype, 3 * 64) if dtype in INTEGERS else random_values("i8", 192) / 8
    x = x.astype(NUMPY[dtype])
    s = NUMPY[dtype].type(5)
    out = np.empty((64, 6, 3), x.dtype)
    enigma.compile(kernel)(x, s, out.ravel(), grid=64, threads=32)
    v, first = x.reshape(64, 3), x[:64, None]
    two, three, one = (x.dtype.type(k) for k in (2, 3, 1))
    with np.errstate(over="ignore"):
        want = [
            v + two,
            three - v,
            v * s,
            s - v,
            np.where(v < s, one, v),
            np.where(first < s, s, v),
        ]
    np.testing.assert_array_equal(out, np.stack(want, axis=1).astype(x.dtype))


def test_types_meet_as_those_of_numbers() -> None:
    @enigma.kernel
    def kernel(I: enigma.i32, H: enigma.f16, Out: enigma.f32):
        i = enigma.make_vec(I[0], I[1])
        h = enigma.make_vec(H[0], H[1])
        assert (i + h).dtype == enigma.f16
        assert (i + enigma.metal_cast(i, "u32")).dtype == enigma.u32
        assert (h + enigma.f32(1)).dtype == enigma.f32
        assert (i + 0.5).dtype == enigma.f32
        assert enigma.metal_cast(h, "bf16").dtype == enigma.bf16
        sums = enigma.metal_cast(i, "float") + h
        Out[0] = sums.x
        Out[1] = sums.y

    out = np.empty(2, np.float32)
    given = np.array([2**20 + 1, -3], np.int32), np.array([0.5, 0.25], np.float16)
    enigma.compile(kernel)(*given, out, grid=1, threads=1)
    np.testing.assert_array_equal(out, np.float32([2**20 + 1.5, -2.75]))


@pytest.mark.parametrize("dtype", ["i8", "u16", "i32", "u64"])
def test_bit_fields_of_all_components_alike(dtype: str) -> None:
    bits = np.iinfo(NUMPY[dtype]).bits

    @enigma.kernel
    def kernel(X: dtype, N: enigma.u32, Out: dtype):
        i = enigma.thread_position_in_grid
        v = enigma.make_vec(X[3 * i], X[3 * i + 1], X[3 * i + 2])
        offset, count = N[i] % bits, N[i] // bits % (bits + 1)
        results = [
            (enigma.rotate(v, N[i]), lambda x: enigma.rotate(x, N[i])),
            (enigma.rotate(v, 3), lambda x: enigma.rotate(x, 3)),
            (
                enigma.extract_bits(v, offset, count),
                lambda x: enigma.extract_bits(x, offset, count),
            ),
            (
                enigma.insert_bits(v, ~v, offset, 5),
                lambda x: enigma.insert_bits(x, ~x, offset, 5),
            ),
        ]
        for k, (vector, scalar) in enumerate(results):
            for c in range(3):
                Out[((i * 4 + k) * 3 + c) * 2] = vector[c]
                Out[((i * 4 + k) * 3 + c) * 2 + 1] = scalar(v[c])

    x = np.resize(np.concatenate([edge_values(dtype), random_values(dtype, 100)]), 3 * 64)
    n = random_values("u32", 64)
    out = np.empty((64 * 4 * 3, 2), x.dtype)
    enigma.compile(kernel)(x, n, out.ravel(), grid=64, threads=32)
    np.testing.assert_array_equal(out[:, 0], out[:, 1])
    assert len(np.unique(out)) > 50


# ---- in regions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f32", "f16", "i16", "b1"])
def test_carried_by_loops_and_merged_by_ifs(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, N: enigma.i32, Out: dtype):
        i = enigma.thread_position_in_grid
        v = enigma.make_vec(X[i], X[i + 1], X[i + 2])
        other = enigma.make_vec(X[i + 1], X[i + 2], X[i])
        k = 0
        with enigma.for_range(0, N[i]):
            v, other = other, v ^ other if dtype == "b1" else v + other
        with enigma.while_(lambda: k < 3):
            with enigma.if_((k & 1) == 0):
                v = enigma.make_vec(v.z, v.x, v.y)
            k = k + 1
        with enigma.if_(N[i] > 2) as (then, otherwise):
            with then:
                chosen = v
            with otherwise:
                chosen = other
        Out[3 * i] = chosen.x
        Out[3 * i + 1] = chosen.y
        Out[3 * i + 2] = chosen.z

    x = (
        random_values("i8", 102, 3).astype(NUMPY[dtype])
        if dtype != "b1"
        else random_values("b1", 102)
    )
    n = np.resize(np.arange(5, dtype=np.int32), 100)
    out = np.empty((100, 3), x.dtype)
    enigma.compile(kernel)(x, n, out.ravel(), grid=100, threads=32)
    for i in range(100):
        v, other = x[[i, i + 1, i + 2]], x[[i + 1, i + 2, i]]
        for _ in range(n[i]):
            v, other = other, v ^ other if dtype == "b1" else v + other
        for _ in range(2):
            v = v[[2, 0, 1]]
        np.testing.assert_array_equal(out[i], v if n[i] > 2 else other)


def test_kept_across_barriers_and_the_same_in_all_threads() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, S: enigma.Scalar("float"), Out: enigma.f32):
        i = enigma.thread_position_in_threadgroup()
        tile = enigma.threadgroup_alloc("float", 64)
        v = enigma.sin(enigma.make_vec(X[i], S, i))
        same = enigma.make_vec(S, S + 1) * 2
        tile[i] = v.x
        enigma.barrier()
        with enigma.for_range(0, 2) as k:
            v = v + tile[63 - i] + same.y
            enigma.barrier()
            tile[i] = v.z + k
            enigma.barrier()
        Out[i] = v.x + v.y + v.z

    x = np.linspace(-3, 3, 64, dtype=np.float32)
    out = np.empty(64, np.float32)
    enigma.compile(kernel)(x, 0.5, out, grid=64, threads=64)
    i = np.arange(64, dtype=np.float64)
    v = np.sin(np.stack([x, np.full(64, 0.5), i]))
    tile = v[0]
    for k in range(2):
        v = v + tile[::-1] + 3.0
        tile = v[2] + k
    np.testing.assert_allclose(out, v.sum(axis=0), rtol=1e-5)


# ---- geometry -----------------------------------------------------------------------------------

GEOMETRY = {
    "dot": lambda a, b: (a * b).sum(-1),
    "length": lambda a: np.sqrt((a * a).sum(-1)),
    "distance": lambda a, b: np.sqrt(((a - b) ** 2).sum(-1)),
    "normalize": lambda a: a / np.sqrt((a * a).sum(-1, keepdims=True)),
    "cross": np.cross,
    "reflect": lambda i, n: i - 2 * (n * i).sum(-1, keepdims=True) * n,
    "faceforward": lambda n, i, r: np.where((r * i).sum(-1, keepdims=True) < 0, n, -n),
}


def run_geometry(name: str, dtype: str, *operands: np.ndarray) -> np.ndarray:
    n, width = operands[0].shape
    whole = name not in ("dot", "length", "distance")

    @enigma.kernel
    def kernel(A: dtype, B: dtype, C: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        given = [
            enigma.make_vec(*(buffer[i * width + k] for k in range(width)))
            for buffer in (A, B, C)[: len(operands)]
        ]
        result = getattr(enigma, name)(*given)
        assert result.dtype == getattr(enigma, dtype)
        for k, part in enumerate(result if whole else [result]):
            Out[i * (width if whole else 1) + k] = part

    buffers = [np.ascontiguousarray(x).ravel() for x in operands]
    buffers += [buffers[0].copy() for _ in range(3 - len(buffers))]
    out = np.empty((n, width) if whole else n, NUMPY[dtype])
    enigma.compile(kernel)(*buffers, out.ravel(), grid=n, threads=64)
    return out


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry(name: str, width: int, dtype: str) -> None:
    if name == "cross" and width != 3:
        width = 3
    count = {"length": 1, "normalize": 1, "faceforward": 3}.get(name, 2)
    rng = np.random.default_rng(width)
    operands = [rng.normal(size=(500, width)).astype(NUMPY[dtype]) for _ in range(count)]
    wide = [x.astype(np.float64) for x in operands]
    got = run_geometry(name, dtype, *operands).astype(np.float64)
    want = GEOMETRY[name](*wide)
    # Of terms that cancel the rounding is that of the largest.
    eps = float(ml_dtypes.finfo(NUMPY[dtype]).eps)
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got, want, rtol=2 * eps, atol=4e-7 * scale)


def test_geometry_of_halves_is_computed_in_float() -> None:
    x = np.array([[200, 200, 200, 200], [60000, 0, 0, 0]], np.float16)
    np.testing.assert_array_equal(run_geometry("length", "f16", x), [400, 60000])
    np.testing.assert_array_equal(run_geometry("normalize", "f16", x), [[0.5] * 4, [1, 0, 0, 0]])


def test_lengths_at_the_edges() -> None:
    inf, nan = np.inf, np.nan
    x = np.array([[0, 0], [-0.0, 0], [3, 4], [inf, 1], [nan, 1], [1e30, 1]], np.float32)
    np.testing.assert_array_equal(run_geometry("length", "f32", x), [0, 0, 5, inf, nan, inf])
    got = run_geometry("distance", "f32", x, np.zeros_like(x))
    np.testing.assert_array_equal(got, [0, 0, 5, inf, nan, inf])


@pytest.mark.parametrize("dtype", FLOATS)
def test_refract(dtype: str) -> None:
    @enigma.kernel
    def kernel(I: dtype, N: dtype, Eta: dtype, Out: dtype):
        t = enigma.thread_position_in_grid
        i = enigma.make_vec(I[2 * t], I[2 * t + 1])
        n = enigma.make_vec(N[2 * t], N[2 * t + 1])
        r = enigma.refract(i, n, Eta[t])
        s = enigma.refract(i, n, 1.0)
        Out[4 * t] = r.x
        Out[4 * t + 1] = r.y
        Out[4 * t + 2] = s.x
        Out[4 * t + 3] = s.y

    rng = np.random.default_rng(0)
    angles = rng.uniform(-1.5, 1.5, (2, 400))
    i = np.stack([np.sin(angles[0]), -np.cos(angles[0])], 1).astype(NUMPY[dtype])
    n = np.tile(np.array([[0, 1]], NUMPY[dtype]), (400, 1))
    eta = rng.uniform(0.5, 2, 400).astype(NUMPY[dtype])
    out = np.empty((400, 2, 2), NUMPY[dtype])
    enigma.compile(kernel)(i.ravel(), n.ravel(), eta, out.ravel(), grid=400, threads=64)

    def refract(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, m = i.astype(np.float64), n.astype(np.float64)
        d = (m * x).sum(-1, keepdims=True)
        k = 1 - eta * eta * (1 - d * d)
        with np.errstate(invalid="ignore"):
            bent = np.where(k < 0, 0.0, eta * x - (eta * d + np.sqrt(k)) * m)
        return bent, np.abs(k[:, 0]) > 1e-3

    eps = float(ml_dtypes.finfo(NUMPY[dtype]).eps)
    for got, by in ((out[:, 0], eta.astype(np.float64)[:, None]), (out[:, 1], np.float64(1))):
        want, clear = refract(by)  # near total reflection nothing is clear
        assert clear.sum() > 300
        got = got.astype(np.float64)
        np.testing.assert_allclose(got[clear], want[clear], rtol=2 * eps, atol=1e-5)
    assert (out[:, 0] == 0).all(axis=1).sum() > 10  # some are reflected
