"""Pitfalls of MSL in arithmetic: what the emitter writes in place of naive text, and the numbers.

Each test names the pitfalls that it is about. Kernels run on the CPU device and as MSL in the lab,
in two schedules, and must agree. Lanes, memory and loops are in test_msl_pitfalls_memory, what
Metal refuses to compile in test_msl_pitfalls_text, with the list of what cannot happen to us.
"""

import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from pitfalls import Pitfalls, body_of, covers, opened, text_of

import enigma

pytestmark = pytest.mark.no_asan
NAN, INF = np.float32(np.nan), np.float32(np.inf)


@pytest.fixture(scope="module")
def pitfalls() -> Iterator[Pitfalls]:
    with opened() as lab:
        yield lab


# ---- float arithmetic ----------------------------------------------------------------------------
@enigma.kernel
def masked_softmax(X: enigma.f32, Mask: enigma.b1, Out: enigma.f32):
    i = enigma.thread_position_in_grid
    x = enigma.where(-float("inf"), X[i], Mask[i])
    e = enigma.exp(x - enigma.simd_max(x))
    Out[i] = enigma.where(e, 0.0, enigma.isnan(e))


@covers("A: the default of Apple's compiler takes it that there are no NaN and infinities")
def test_nan_and_infinity_keep_their_meaning(pitfalls: Pitfalls) -> None:
    x = np.arange(64, dtype=np.float32)
    mask = np.repeat([True, False], 32)  # the second SIMD-group has nothing but -inf
    _, _, out = pitfalls.run(masked_softmax, x, mask, np.zeros(64, np.float32), close=1e-6)
    np.testing.assert_allclose(out[:32], np.exp(x[:32] - 31), rtol=1e-6)
    np.testing.assert_array_equal(out[32:], 0)
    text = text_of(masked_softmax)
    assert "-INFINITY" in text and "isnan(" in body_of(text)
    assert not enigma.compile(masked_softmax).artifact.fast_math


@covers("A: without a flag xcrun's compiler is one of fast math, too")
@pytest.mark.parametrize("math, flag", [("safe", "-fno-fast-math"), ("fast", "-ffast-math")])
def test_the_command_line_compiler_is_told(monkeypatch, tmp_path, math: str, flag: str) -> None:
    calls = []

    def run(command, **options):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    compiled = enigma.compile(masked_softmax, math=math)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    target = str(tmp_path / "x.metallib")
    assert compiled.export_metallib(target) == target
    (command,) = calls
    assert command[:6] == ["xcrun", "-sdk", "macosx", "metal", "-std=metal3.1", flag]
    assert command[6:8] == ["-o", target]


@enigma.kernel
def product_and_sum(X: enigma.f32, Y: enigma.f32, Plain: enigma.f32, Fused: enigma.f32):
    i = enigma.thread_position_in_grid
    Plain[i] = X[i] * Y[i] + 1.0 - -X[i] * Y[i]
    Fused[i] = enigma.fma(X[i], Y[i], 1.0)


@covers("O: a product that feeds a sum may be fused, and round otherwise on each device")
def test_products_and_sums_round_alike_everywhere(pitfalls: Pitfalls) -> None:
    text = text_of(product_and_sum)
    assert text.index("#pragma STDC FP_CONTRACT OFF") < text.index("kernel void")
    assert "#pragma" not in text_of(product_and_sum, math="fast")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 64)).astype(np.float32)
    zero = np.zeros(64, np.float32)
    *_, plain, fused = pitfalls.run(product_and_sum, x, y, zero, zero)
    np.testing.assert_array_equal(plain, (x * y + np.float32(1)) - -x * y)
    exact = (x.astype(np.float64) * y.astype(np.float64) + 1).astype(np.float32)
    np.testing.assert_array_equal(fused, exact)
    assert (fused != x * y + np.float32(1)).any()


@enigma.kernel
def edges(X: enigma.f32, Y: enigma.f32, Out: enigma.f32):
    i = enigma.thread_position_in_grid
    values = [enigma.fmin(X[i], Y[i]), enigma.fmax(X[i], Y[i]), enigma.sign(X[i])]
    values += [enigma.saturate(X[i]), enigma.clamp(X[i], -1.0, 1.0), enigma.step(X[i], Y[i])]
    values += [enigma.round(X[i]), enigma.rint(X[i]), enigma.fract(X[i])]
    values += [enigma.pow(X[i], Y[i]), enigma.tanh(X[i]), enigma.fmod(X[i], Y[i])]
    for k, value in enumerate(values):
        Out[i * len(values) + k] = value


@covers(
    "R: fast powers of negative numbers are NaN, and fast tanh overflows",
    "2.5: what the library makes of NaN, halves and numbers just below 1",
)
def test_float_functions_at_their_edges(pitfalls: Pitfalls) -> None:
    x = np.array([NAN, 1, -2, -2, 0.5, 1.5, 2.5, -0.0, -1e-10, 90, -90, INF], np.float32)
    y = np.array([1, NAN, 3, 0.5, -1, 2, 2, 3, 2, 7, 2, 2], np.float32)
    out = np.zeros(len(x) * 12, np.float32)
    got = pitfalls.run(edges, x, y, out, grid=len(x), close=1e-6)[2].reshape(-1, 12).T
    low, high, sign, saturate, clamp, step, away, even, fract, power, tanh, fmod = got
    np.testing.assert_array_equal(low, np.fmin(x, y))
    np.testing.assert_array_equal(high, np.fmax(x, y))
    np.testing.assert_array_equal(sign, [0, 1, -1, -1, 1, 1, 1, 0, -1, 1, -1, 1])
    np.testing.assert_array_equal(saturate[:4], [0, 1, 0, 0])
    np.testing.assert_array_equal(clamp[:3], [-1, 1, -1])
    np.testing.assert_array_equal(step[:3], [1, 1, 1])
    np.testing.assert_array_equal(away[4:7], [1, 2, 3])
    np.testing.assert_array_equal(even[4:7], [0, 2, 2])
    assert fract[8] == np.nextafter(np.float32(1), np.float32(0))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(power, np.power(x, y), rtol=1e-6)
        np.testing.assert_allclose(tanh, np.tanh(x), rtol=1e-6)
        np.testing.assert_array_equal(fmod, np.fmod(x, y))


@covers("R: fast math has wrong forms of some functions, not just less exact ones")
def test_fast_math_keeps_the_functions_that_fast_ones_get_wrong(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, H: enigma.f16, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.tanh(X[i]) + enigma.pow(X[i], 3.0) + enigma.exp(X[i] % 2.0)
        H[i] = enigma.tanh(H[i]) + enigma.atan2(H[i], 0.0)

    fast, safe = text_of(kernel, math="fast"), body_of(text_of(kernel))
    for call in (r"precise::tanh\(X\[", r"precise::pow\(X\[", r"half\(precise::tanh\(float\(H\["):
        assert re.search(call, fast), fast
    assert "precise::fmod(a, b)" in fast and "precise::exp" not in fast
    assert "precise::" not in safe
    arguments = [np.full(64, -30, np.float32), np.full(64, 9, np.float16), np.zeros(64, np.float32)]
    _, h, out = pitfalls.run(kernel, *arguments, math="fast", close=2e-3)
    np.testing.assert_allclose(out, -27000, rtol=1e-6)
    np.testing.assert_allclose(h.astype(float), 1 + np.pi / 2, rtol=1e-3)


@covers(
    "2.5: erf, expm1, log1p and hypot are not in the library",
    "2.5: some compilers lack the half forms of sinh, cosh, tanh and atan2",
)
def test_functions_that_the_library_lacks(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, H: enigma.f16, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.erf(X[i]) + enigma.expm1(X[i]) * enigma.log1p(X[i])
        H[i] = enigma.sinh(H[i]) + enigma.cosh(H[i]) * enigma.hypot(H[i], H[i])

    text = text_of(kernel)
    assert not re.search(r"(?<!enigma_)\b(erf|expm1|log1p|hypot)\(", text)
    assert "half(sinh(float(" in text and "half(cosh(float(" in text
    x = np.linspace(0, 2, 64, dtype=np.float32)
    pitfalls.run(kernel, x, x.astype(np.float16), x, close=2e-3)


@covers("U: denormal floats may be flushed to zero, constants of the text as well")
def test_tests_of_floats_read_their_class(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.b1):
        i = enigma.thread_position_in_grid
        Out[i * 4] = enigma.isnormal(X[i])
        Out[i * 4 + 1] = enigma.isfinite(X[i])
        Out[i * 4 + 2] = enigma.signbit(X[i])
        Out[i * 4 + 3] = X[i] == X[i]

    x = np.array([0, -0.0, 1e-40, 1, INF, -INF, NAN, 3e38], np.float32)
    got = pitfalls.run(kernel, x, np.zeros(32, np.bool_), grid=8)[1].reshape(-1, 4)
    np.testing.assert_array_equal(got[:, 0], [0, 0, 0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(got[:, 1], np.isfinite(x))
    np.testing.assert_array_equal(got[:, 2], np.signbit(x))
    np.testing.assert_array_equal(got[:, 3], ~np.isnan(x))
    assert body_of(text_of(kernel)).count("is") == 2  # no comparison with the least normal number


# ---- integer arithmetic --------------------------------------------------------------------------
SIGNED = ["i8", "i16", "i32", "i64"]
INTEGERS = [*SIGNED, "u8", "u16", "u32", "u64"]


def ends(dtype: str) -> np.ndarray:
    """All pairs of numbers at the ends of a type and around 0, as two columns."""
    info = np.iinfo(enigma.dtype(dtype).numpy)
    some = {
        info.min,
        info.min + 1,
        info.max - 1,
        info.max,
        0,
        1,
        2,
        3,
        7,
        *([-1, -2, -7][: -info.min]),
    }
    values = np.array(sorted(some), info.dtype)
    return np.stack(np.meshgrid(values, values, indexing="ij")).reshape(2, -1)


@pytest.mark.parametrize("dtype", SIGNED)
@covers("F: signed overflow is undefined and exploited; 65535 * 65535 overflows the int it becomes")
def test_signed_overflow_wraps(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        for k, value in enumerate([X[i] + Y[i], X[i] - Y[i], X[i] * Y[i], -X[i], abs(X[i])]):
            Out[i * 5 + k] = value

    x, y = ends(dtype)
    got = pitfalls.run(kernel, x, y, np.zeros(5 * len(x), x.dtype), grid=len(x))[2].reshape(-1, 5)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got.T, [x + y, x - y, x * y, -x, np.abs(x)])
    if dtype in ("i32", "i64"):
        name, unsigned = ("int", "uint") if dtype == "i32" else ("long", "ulong")
        for symbol in ("+", "-", "*"):
            operands = rf"{unsigned}\(X\[\w+\]\) \{symbol} {unsigned}\(Y\[\w+\]\)"
            assert re.search(rf"{name}\({operands}\)", text_of(kernel)), text_of(kernel)


@covers("F: the product of two ushorts is that of two ints")
def test_narrow_unsigned_products(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.u16, Out: enigma.u16):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] * X[i]

    x = np.arange(65535 - 63, 65536, dtype=np.uint16)
    np.testing.assert_array_equal(pitfalls.run(kernel, x, x)[1], x * x)
    assert "ushort(uint(X[" in text_of(kernel)


@pytest.mark.parametrize("dtype", INTEGERS)
@covers(
    "F: the remainder of negative numbers is undefined, and so are x / 0 and the minimum by -1",
    "39: Python's // and % round down, Metal's toward 0",
)
def test_division(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        for k, value in enumerate([X[i] / Y[i], X[i] // Y[i], X[i] % Y[i]]):
            Out[i * 3 + k] = value

    x, y = ends(dtype)
    got = pitfalls.run(kernel, x, y, np.zeros(3 * len(x), x.dtype), grid=len(x))[2].reshape(-1, 3).T
    defined = (y != 0) & ~((x == np.iinfo(x.dtype).min) & (y.astype(float) == -1))
    with np.errstate(all="ignore"):
        floor, modulo = x // y, x % y
        toward_zero = floor + ((modulo != 0) & ((x < 0) != (y < 0))).astype(x.dtype)
    for result, want in zip(got, (toward_zero, floor, modulo), strict=True):
        np.testing.assert_array_equal(result[defined], want[defined])
    body = body_of(text_of(kernel))
    assert not re.search(r"[\])] [/%] ", body), body  # only where the divisor is known


@covers("F: a divisor that is known needs no test")
def test_division_by_a_number_is_plain() -> None:
    @enigma.kernel
    def kernel(X: enigma.u32, Out: enigma.u32):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] // 8 + X[i] % 3

    assert re.search(r"Out\[\w+\] = X\[\w+\] / 8u \+ X\[\w+\] % 3u;", text_of(kernel))


@pytest.mark.parametrize("source", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("to", INTEGERS)
@covers("F: a float out of an integer's range converts to anything", "2.2: NaN converts to 0")
def test_floats_saturate_as_integers(pitfalls: Pitfalls, source: str, to: str) -> None:
    constants = [300.0, -300.0, 1e10, -1e10, float("inf"), float("nan")]
    if source == "f16":
        constants = [300.0, -300.0, 65504.0, -65504.0, float("inf"), float("nan")]

    @enigma.kernel
    def kernel(X: source, Out: to, Known: to):
        i = enigma.thread_position_in_grid
        Out[i] = X[i]
        for k, c in enumerate(constants):
            Known[k] = enigma.metal_cast(enigma.dtype(source)(c), to)

    kind = enigma.dtype(source).numpy
    x = [0.0, -0.0, 0.99, -0.99, 127.5, 128, -129, 255.9, 256, 32768, -32769, 65504, *constants]
    x += [2.0**31, -(2.0**31), 2.0**32, 2.0**63, -(2.0**63), 2.0**64, 3e38, -3e38]
    with np.errstate(all="ignore"):
        x = np.array(x, np.float64).astype(kind)
        wide = x.astype(np.float64)
    info = np.iinfo(enigma.dtype(to).numpy)

    def saturated(v: float) -> int:
        if np.isnan(v):
            return 0
        return info.max if v >= info.max else info.min if v <= info.min else int(v)

    want = np.array([saturated(v) for v in wide], info.dtype)
    out, known = np.zeros(len(x), info.dtype), np.zeros(len(constants), info.dtype)
    _, out, known = pitfalls.run(kernel, x, out, known, grid=len(x))
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(known, want[12:18])
    assert re.search(r"Out\[i\] = enigma_to_\w+\(", text_of(kernel))


@pytest.mark.parametrize("dtype", INTEGERS)
@covers(
    "F: a count beyond the width is undefined in C++, and that of a narrow type is the int's",
    "2.3: narrow integers are promoted before they are shifted",
)
def test_shifts_take_their_count_modulo_the_width(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, N: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        Out[i * 3] = X[i] << N[i]
        Out[i * 3 + 1] = X[i] >> N[i]
        Out[i * 3 + 2] = (X[i] << 1) >> 1

    x, _ = ends(dtype)
    n = np.resize(np.arange(-3 if dtype[0] == "i" else 0, 100), len(x)).astype(x.dtype)
    got = pitfalls.run(kernel, x, n, np.zeros(3 * len(x), x.dtype), grid=len(x))[2].reshape(-1, 3).T
    width = x.dtype.itemsize * 8
    count = n & x.dtype.type(width - 1)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, [x << count, x >> count, (x << 1) >> 1])
    suffix = {"u32": "u", "u64": "ul", "i64": "l"}.get(dtype, "")
    assert f"N[i] & {width - 1}{suffix}" in text_of(kernel)


@covers("2.3: a comparison of int and uint is one of uints")
def test_comparisons_of_signed_and_unsigned(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, Y: enigma.i8, Out: enigma.b1):
        i = enigma.thread_position_in_grid
        Out[i * 3] = X[i] < 1
        Out[i * 3 + 1] = enigma.cmp_ult(X[i], 1)
        Out[i * 3 + 2] = enigma.cmp_ult(Y[i], 1)

    x = np.array([-1, 0, 1], np.int32)
    got = pitfalls.run(kernel, x, x.astype(np.int8), np.zeros(9, np.bool_), grid=3)[2]
    np.testing.assert_array_equal(got.reshape(3, 3), [[1, 0, 0], [1, 1, 1], [0, 0, 0]])
    assert "uint(X[i]) < 1u" in text_of(kernel) and "uchar(Y[i]) < uchar(1)" in text_of(kernel)


@covers("40: char is signed, and so is what it becomes", "2.2: narrowing is modulo the width")
def test_char_is_signed(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.i8, Out: enigma.i32, Narrow: enigma.i8):
        i = enigma.thread_position_in_grid
        Out[i] = X[i] >> 1
        Narrow[i] = Out[i] * 77

    x = np.arange(-128, 128, dtype=np.int8)
    _, out, narrow = pitfalls.run(kernel, x, x.astype(np.int32), x, grid=256)
    np.testing.assert_array_equal(out, x >> 1)
    np.testing.assert_array_equal(narrow, ((x >> 1).astype(np.int32) * 77).astype(np.int8))


@covers("S: an index of 32 bits wraps over large memory, and int * int is undefined when it does")
def test_indices_of_64_bits_stay_so(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Row: enigma.Scalar(enigma.i64), Out: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i] = X[Row * 4294967296 + enigma.metal_cast(i, "long") - Row * 4294967296]
        j = enigma.metal_cast(i, "int")
        Out[i + 64] = X[(j * 100000 * 100000) & 63]

    x = np.arange(64, dtype=np.float32)
    out = pitfalls.run(kernel, x, np.int64(3), np.zeros(128, np.float32))[2]
    wrapped = (np.arange(64, dtype=np.int64) * 100000 * 100000) & 63
    np.testing.assert_array_equal(out, np.concatenate([x, x[wrapped]]))
    assert re.search(r"ulong\(Row\) \* 4294967296ul", text_of(kernel))
