"""Pitfalls of MSL that its compiler refuses: names, literals, types and signatures of our texts.

At the end stands the list of the pitfalls that cannot happen to the emitter, with the reason, and a
test that no pitfall is without one or the other. That the text is the same in every process, with
other hash seeds, is tested in test_golden_msl.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import test_msl_pitfalls
import test_msl_pitfalls_memory
from golden_kernels import KERNELS
from msl.lint import refused
from pitfalls import COVERED, Pitfalls, body_of, covers, define, opened, same_bits, text_of

import enigma

pytestmark = pytest.mark.no_asan


@pytest.fixture(scope="module")
def pitfalls() -> Iterator[Pitfalls]:
    with opened() as lab:
        yield lab


# ---- names ---------------------------------------------------------------------------------------
NAMES = {
    "Metal's words": "device constant thread threadgroup kernel vertex fragment mesh object patch "
    "visible stitchable sampler vec matrix array atomic access level bias coherent ray_data",
    "types": "half uint ushort uchar ulong bfloat float short int long char bool double size_t "
    "float4 half2 uint3 bool2 bfloat4 packed_float3 float4x4 half3x2 atomic_uint int8_t texture2d "
    "simdgroup_float8x8 simdgroup_matrix simd_vote mem_flags memory_order_relaxed",
    "C++": "asm signed unsigned template new this union main namespace operator switch typename "
    "using virtual volatile register static goto struct auto delete const do default void "
    "constexpr concept requires co_await char8_t",
    "alternative tokens": "xor compl bitand bitor and_eq or_eq xor_eq not_eq",
    "macros": "INFINITY NAN HUGE_VALF HUGE_VALH HUGE_VALBF MAXFLOAT MAXHALF M_PI_F M_E_H FLT_MAX "
    "HALF_MAX CHAR_BIT INT_MAX INT_MIN UINT_MAX LONG_MIN ULONG_MAX NULL METAL_FUNC FP_ILOGB0",
    "the library": "mix saturate step fmod select rotate min max clamp exp log sqrt sin dot length "
    "normalize cross popcount clz absdiff mulhi isnan sign fract simd_sum simd_shuffle simd_ballot "
    "quad_sum threadgroup_barrier atomic_fetch_add_explicit as_type metal std fast precise",
    "the emitter's own": "enigma_div enigma_floormod kernel_ half_ thread_position_in_grid",
}
ALL_NAMES = " ".join(NAMES.values()).split()
RENAMED = set(ALL_NAMES) - {"kernel_", "half_", "thread_position_in_grid"}  # legal as they are


@pytest.mark.parametrize("group", NAMES)
@covers(
    "1: names of Metal, C++, their macros and libraries are taken",
    "33: two things of one name hide each other",
)
def test_names_that_are_taken(pitfalls: Pitfalls, group: str) -> None:
    """As parameters and, in the same kernel, doubled as locals."""
    every = NAMES[group].split()
    for names in (every[k : k + 15] for k in range(0, len(every), 15)):
        lines = [f"    local_{n} = {n}[i] + {k}" for k, n in enumerate(names)]
        lines += [f"    {n} = local_{n}" for n in names]
        # Each is read twice, so that it becomes a local.
        lines += [f"    Out[i * {len(names)} + {k}] = {n} * {n}" for k, n in enumerate(names)]
        parameters = ", ".join(f"{n}: enigma.f32" for n in names)
        text = f"@enigma.kernel\ndef f({parameters}, Out: enigma.f32):\n"
        text += "    i = enigma.thread_position_in_grid\n" + "\n".join(lines) + "\n"
        kernel = define(text, f"<{group} {names[0]}>")
        written = text_of(kernel)
        declared = re.findall(r"(\w+) \[\[|const float (\w+) =", written)
        found = [a or b for a, b in declared]
        assert len(set(found)) == len(found) and not RENAMED & set(found), written
        x = [np.full(4, k, np.float32) for k in range(len(names))]
        out = pitfalls.run(kernel, *x, np.zeros(4 * len(names), np.float32), grid=4)[-1]
        np.testing.assert_array_equal(out.reshape(4, -1)[0], (2.0 * np.arange(len(names))) ** 2)


@pytest.mark.parametrize("name", ALL_NAMES)
@covers("1: a kernel cannot be called main, and hides what it is called after")
def test_kernels_of_names_that_are_taken(name: str) -> None:
    text = f"@enigma.kernel\ndef {name}(X: enigma.f32):\n    X[0] = enigma.exp(X[0]) % 2.0\n"
    compiled = enigma.compile(define(text, f"<kernel {name}>"))
    assert refused(compiled.metal_source, execute=False) == []
    assert compiled.kernel_name == name
    assert (compiled.artifact.msl_name != name) == (name in RENAMED)
    assert f"kernel void {compiled.artifact.msl_name}(" in compiled.metal_source


@covers("33: a kernel, its parameters, its locals and its helpers share one scope")
def test_one_name_for_everything(pitfalls: Pitfalls) -> None:
    text = """@enigma.kernel
def same(same: enigma.i32, same_1: enigma.i32):
    i = enigma.thread_position_in_grid
    tile = enigma.threadgroup_alloc("int", 32)
    thread_index_in_threadgroup = enigma.thread_index_in_threadgroup() + 1
    value = same[i] // 3
    with enigma.for_range(0, 3) as i:
        with enigma.for_range(0, 2) as k:
            value = value + k
        with enigma.for_range(0, 2) as k:
            value = value * k
    same_1[value % 64] = value
"""
    kernel = define(text, "<same>")
    written = text_of(kernel)
    declared = re.findall(r"(?:int|uint3?|uint|bool)[*&]? (\w+)(?: =| \[\[|\[|;)", body_of(written))
    assert len(declared) >= 6 and "same" not in declared, written
    pitfalls.run(kernel, np.arange(64, dtype=np.int32), np.zeros(64, np.int32), grid=1)


@covers("45: what is not ASCII becomes no text at all in some encodings")
def test_the_text_is_ascii() -> None:
    text = """@enigma.kernel
def größe(Ein: enigma.f32, αβ: enigma.f32):
    変数 = Ein[0] + 1.0
    αβ[0] = 変数 * 変数
"""
    compiled = enigma.compile(define(text, "/tmp/übung\\\n*/日本.py"))
    written = compiled.metal_source
    assert written.isascii() and refused(written) == []
    assert "// ???" in written and "\\" not in written
    assert [p.name for p in compiled.params] == ["Ein", "αβ"]


# ---- literals ------------------------------------------------------------------------------------
def bits_of(dtype: str) -> list[object]:
    """Numbers of a type whose literals go wrong easily."""
    if dtype[0] in "iu":
        info = np.iinfo(enigma.dtype(dtype).numpy)
        return sorted({info.min, info.min + 1, -1 if info.min else 1, 0, 1, info.max - 1, info.max})
    info = ml_dtypes.finfo(enigma.dtype(dtype).numpy)
    exact = [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 100.0, 2.0**-14, 1e4]
    ends = [float(info.max), float(info.tiny), float(info.smallest_subnormal), -float(info.max)]
    return [*exact, *ends, float("inf"), -float("inf"), float("nan")]


@pytest.mark.parametrize(
    "dtype", ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"] + ["f32", "f16", "bf16"]
)
@covers(
    "20: the least int is no literal, nor is the greatest ulong without a suffix",
    "22: inf, nan and 1f are no literals; digits must suffice",
    "2.1: a literal has a type of its own",
)
def test_literals_are_exact(pitfalls: Pitfalls, dtype: str) -> None:
    values = bits_of(dtype)

    @enigma.kernel
    def kernel(Out: dtype):
        for k, value in enumerate(values):
            Out[k] = enigma.dtype(dtype)(value)

    kind = enigma.dtype(dtype).numpy
    got = pitfalls.run(kernel, np.zeros(len(values), kind), grid=1)[0]
    with np.errstate(all="ignore"):
        same_bits(got, np.array([kind.type(value) for value in values], kind))
    body = re.sub(r"//[^\n]*", "", body_of(text_of(kernel)))
    assert not re.search(r"\b(inf|nan|Infinity|NaN)\b|(?<![\w.+-])\d+f\b", body), body
    assert not re.search(r"(?<![\w.])-?2147483648(?!l)\b(?!u)", body), body
    for number in re.findall(r"(?<![\w.])\d[\d.]*(?:e[+-]?\d+)?\w*", body):
        integer, bits = r"\d+(u|l|ul)?", r"0x[0-9a-f]+u?|0x[0-9a-f]+"
        assert re.fullmatch(rf"{integer}|{bits}|\d+\.\d+(e[+-]\d+)?[fh]|\d+e[+-]\d+[fh]", number)


@covers("21: two minuses in a row are a decrement")
def test_negative_numbers_after_a_minus(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, Y: enigma.f32):
        i = enigma.thread_position_in_grid
        minus_x, minus_y = -X[i], -Y[i]
        X[i] = -minus_x - enigma.i32(-(2**31)) - -enigma.i32(5) * -X[i]
        Y[i] = -minus_y - enigma.f32(-2.5) - -enigma.f32(-0.0) - (-(1.5 - Y[i]))

    x, y = np.arange(-8, 8, dtype=np.int32), np.linspace(-2, 2, 16, dtype=np.float32)
    got = pitfalls.run(kernel, x, y, grid=16)
    with np.errstate(all="ignore"):
        want = x.astype(np.int64) + 2**31 - 5 * x.astype(np.int64)
        np.testing.assert_array_equal(got[0], want.astype(np.int32))
        np.testing.assert_array_equal(
            got[1], (y + np.float32(2.5) - np.float32(0)) - -(np.float32(1.5) - y)
        )
    assert not re.search(r"-\s*-|\+\s*\+(?!\))", body_of(text_of(kernel)))


# ---- types ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"])
@covers("16: arguments of two types, and plain literals beside narrow ones, are ambiguous")
def test_arguments_of_functions_have_one_type(pitfalls: Pitfalls, dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Y: enigma.u8, Out: dtype):
        i = enigma.thread_position_in_grid
        results = [enigma.imin(X[i], 3), enigma.imax(X[i] + 1, X[i] * 2), enigma.iclamp(X[i], 1, 9)]
        results += [
            enigma.imax(X[i], enigma.metal_cast(Y[i], dtype)),
            enigma.mul_hi(X[i], X[i] - 1),
        ]
        results += [
            enigma.where(1, X[i], Y[i] > 3),
            enigma.popcount(X[i]),
            enigma.load_if(X, i, Y[i] > 3, 7),
        ]
        for k, result in enumerate(results):
            Out[i * len(results) + k] = result

    kind = enigma.dtype(dtype).numpy
    x, y = np.arange(100, 116).astype(kind), np.arange(16, dtype=np.uint8)
    got = pitfalls.run(kernel, x, y, np.zeros(16 * 8, kind), grid=16)[2].reshape(16, 8).T
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got[0], np.minimum(x, kind.type(3)))
        np.testing.assert_array_equal(got[1], np.maximum(x + kind.type(1), x * kind.type(2)))
        np.testing.assert_array_equal(got[7], np.where(y > 3, x, 7))
    name = enigma.dtype(dtype).metal_name
    literal = {"int": "3", "uint": "3u", "long": "3l", "ulong": "3ul"}.get(name, f"{name}(3)")
    assert f"min(X[i], {literal})" in text_of(kernel)


@covers(
    "13: bfloat is made of float alone, and has no functions",
    "13: half and bfloat do not meet without a float between them",
)
def test_bfloat_goes_by_way_of_float(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(B: enigma.bf16, H: enigma.f16, Out: enigma.bf16):
        i = enigma.thread_position_in_grid
        b, h = B[i], H[i]
        test = b > 0.25
        Out[i] = enigma.where(0.5, b, test) + enigma.floor(b * 3.0)
        Out[i + 16] = enigma.fma(b, b, 1.0) - enigma.metal_cast(h, "bf16")
        Out[i + 32] = enigma.metal_cast(i, "bf16") / 3.0
        H[i] = enigma.metal_cast(b, "half") + h

    b = np.linspace(-2, 2, 16).astype(ml_dtypes.bfloat16)
    h = np.linspace(0, 1, 16).astype(np.float16)
    arguments = [b, h, np.zeros(48, ml_dtypes.bfloat16)]
    _, halves, out = pitfalls.run(kernel, *arguments, grid=16, threads=16)
    np.testing.assert_array_equal(halves, b.astype(np.float16) + h)
    two = ml_dtypes.bfloat16
    np.testing.assert_array_equal(
        out[:16], np.where(b > two(0.25), b, two(0.5)) + np.floor(b * two(3))
    )
    body = body_of(text_of(kernel))
    assert "bfloat(float(h))" in body and "half(float(b))" in body and "bfloat(floor(float(" in body
    assert "test ? b : bfloat(0.5f)" in body


@covers("19: as_type of a sum of ushorts is that of an int")
def test_bits_are_read_in_the_type_that_they_have(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.u16, Out: enigma.f16, Bits: enigma.i32):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.as_type(X[i] + X[i], "half")
        Out[i + 16] = enigma.as_type(enigma.bf16(1.5), "half")
        Bits[i] = enigma.as_type(enigma.metal_cast(X[i], "float") * 2.0, "int") + 1

    x = np.arange(16000, 16016, dtype=np.uint16)
    arguments = [x, np.zeros(32, np.float16), np.zeros(16, np.int32)]
    _, out, bits = pitfalls.run(kernel, *arguments, grid=16, threads=16)
    same_bits(out[:16], (x + x).view(np.float16))
    np.testing.assert_array_equal(out[16:], np.array(1.5, ml_dtypes.bfloat16).view(np.float16))
    np.testing.assert_array_equal(bits, (x.astype(np.float32) * 2).view(np.int32) + 1)
    assert "as_type<half>(ushort(X[i] + X[i]))" in text_of(kernel)
    assert "as_type<half>(bfloat" not in text_of(kernel)  # a compiler was wrong about numbers there


@covers(
    "36: a byte that is neither 0 nor 1, read as bool, is undefined",
    "N: threadgroup memory of bools crashed compilers",
)
def test_bools_are_bytes_in_memory(pitfalls: Pitfalls) -> None:
    @enigma.kernel
    def kernel(X: enigma.b1, Flag: enigma.Scalar(enigma.b1), Out: enigma.b1):
        i = enigma.thread_position_in_grid
        tile = enigma.threadgroup_alloc("bool", 32)
        tile[enigma.thread_position_in_threadgroup()] = X[i]
        enigma.barrier()
        Out[i] = (tile[31 - enigma.thread_position_in_threadgroup()] == Flag) ^ (X[i] & Flag)

    x = np.random.default_rng(0).integers(0, 3, 64).astype(np.uint8)
    x[::2] = 0
    text = text_of(kernel)
    for line in ("device const uchar* X", "constant uchar& Flag", "device uchar* Out"):
        assert line in text
    assert "threadgroup uchar tile[32];" in text and not re.search(r"\bbool[*&]| bool tile", text)
    assert "Flag != 0" in text and re.search(r"Out\[i\] = uchar\(", text)
    out = pitfalls.run(kernel, x.view(np.bool_), np.bool_(True), np.zeros(64, np.bool_))[2]
    truth = x != 0
    np.testing.assert_array_equal(out, truth.reshape(2, 32)[:, ::-1].ravel() ^ truth)
    assert set(out.view(np.uint8)) <= {0, 1}


# ---- signatures ----------------------------------------------------------------------------------
@enigma.kernel
def everything(X: enigma.f32, scale: enigma.Scalar("float"), Out: enigma.u32):
    values = [enigma.thread_position_in_grid, enigma.thread_position_in_threadgroup("y")]
    values += [enigma.threadgroup_position_in_grid("z"), enigma.threads_per_threadgroup("x")]
    values += [enigma.threads_per_grid("y"), enigma.threadgroups_per_grid("x")]
    values += [enigma.thread_index_in_threadgroup(), enigma.thread_index_in_simdgroup()]
    values += [enigma.simdgroup_index_in_threadgroup(), enigma.threads_per_simdgroup()]
    values += [enigma.simdgroups_per_threadgroup(), enigma.metal_cast(X[0] * scale, "uint")]
    for k, value in enumerate(values):
        Out[enigma.thread_position_in_grid * len(values) + k] = value


@covers(
    "8: the attributes of a kernel stand before it",
    "9: an attribute that is misspelt is only a warning",
    "10: positions are all scalars, or all vectors of one size and type",
    "11: a scalar is no value but a reference to constant memory",
    "26: what is only read is const",
    "43: kernels of one name are one function",
)
def test_signatures(pitfalls: Pitfalls) -> None:
    text = text_of(everything)
    assert text.count("kernel void ") == 1 and re.search(r"\]\]\) \{$", text, re.M)
    parameters = re.findall(
        r"(.+?) (\w+) \[\[(\w+)(?:\((\d+)\))?\]\]", text[text.index("everything(") :]
    )
    parameters = [(kind.split("(")[-1].strip(), name, a, n) for kind, name, a, n in parameters]
    assert parameters[:3] == [
        ("device const float*", "X", "buffer", "0"),
        ("constant float&", "scale", "buffer", "1"),
        ("device uint*", "Out", "buffer", "2"),
    ]
    for kind, _, attribute, _ in parameters[3:]:
        scalar = (
            attribute.startswith(("thread_index", "simdgroup_index")) or "simdgroup" in attribute
        )
        assert kind == ("uint" if scalar else "uint3"), attribute
    x, out = np.full(1, 2.5, np.float32), np.zeros(64 * 12, np.uint32)
    got = pitfalls.run(everything, x, np.float32(2), out)[2].reshape(64, 12)
    np.testing.assert_array_equal(got[33], [33, 0, 0, 32, 1, 2, 1, 1, 0, 32, 1, 5])


@covers("12: buffer 31 does not exist")
def test_there_are_31_buffers(pitfalls: Pitfalls) -> None:
    def with_buffers(count: int) -> enigma.KernelDef:
        names = ", ".join(f"B{k}: enigma.i32" for k in range(count))
        lines = "".join(f"    B{k}[0] = {k}\n" for k in range(count))
        return define(f"@enigma.kernel\ndef f({names}):\n{lines}", f"<{count} buffers>")

    full = with_buffers(31)
    assert "B30 [[buffer(30)]]" in text_of(full)
    got = pitfalls.run(full, *(np.zeros(1, np.int32) for _ in range(31)), grid=1)
    assert [int(a[0]) for a in got] == list(range(31))
    with pytest.raises(enigma.EnigmaError, match="31"):
        enigma.compile(with_buffers(32))


@covers("1.: a threadgroup has 32 KiB, and arrays have elements")
def test_threadgroup_memory_has_a_size() -> None:
    def with_floats(count: int) -> enigma.KernelDef:
        @enigma.kernel
        def kernel(X: enigma.f32):
            tile = enigma.threadgroup_alloc("float", count)
            tile[0] = X[0]
            X[1] = tile[0]

        return kernel

    assert "threadgroup float tile[8192];" in text_of(with_floats(8192))
    for count in (8193, 0, -1):
        with pytest.raises(enigma.EnigmaError, match=r"32768|32 KiB|at least 1"):
            enigma.compile(with_floats(count))


@covers("38: Python's and, or and if on traced values are no text at all")
@pytest.mark.parametrize("line", ["x and x > 3", "x or x", "1 if x else 2", "not x", "0 < x < 3"])
def test_pythons_conditions_are_refused(line: str) -> None:
    text = f"@enigma.kernel\ndef f(X: enigma.i32):\n    x = X[0]\n    X[0] = {line}\n"
    with pytest.raises(enigma.EnigmaError, match="traced"):
        enigma.compile(define(text, f"<{line}>"))


# ---- the text as a whole -------------------------------------------------------------------------
@covers(
    "2: a pointer or reference without an address space, overloads by address space",
    "24: arrays are not handed over",
    "30: sizes and templates",
)
def test_helpers_take_and_give_values(root: Path) -> None:
    prelude = (root / "src" / "codegen" / "msl" / "prelude.metal").read_text()
    signatures = re.findall(r"^inline (\w+) (enigma_\w+)\((.*)\) \{$", prelude, re.M)
    assert len(signatures) > 15 and prelude.count("\ninline ") == len(signatures)
    for result, name, parameters in signatures:
        # Of addresses there are those of atomics, with a name for each space.
        first = r"S atomic_uint\* object" if name.endswith("_S") else r"(?:[TU]|float) \w+"
        assert re.fullmatch(rf"{first}(?:, (?:T|uint|float) \w+)*", parameters), (
            result,
            name,
            parameters,
        )
    assert not re.search(
        # T is a number's type: its size is known, a vector's is not what one thinks.
        r"\b(sizeof(?!\(T\))|template|thread|device|static)\b",
        re.sub(r"//.*", "", prelude),
    )


@covers(
    "3: a variable at program scope is constant",
    "5: no local variable is static",
    "6: lambdas need MSL 3.2",
    "7: restrict is no keyword",
    "23: hexadecimal floats are an extension",
    "32: there is no goto",
    "34: pragmas for loops go right before them",
    "44: a text has one kernel",
)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_texts_are_plain(kernel) -> None:
    text = text_of(kernel)
    assert text.startswith("#include <metal_stdlib>\nusing namespace metal;\n")
    assert text.count("kernel void ") == 1 and text.isascii()
    code = re.sub(r"//[^\n]*", "", text)
    assert not re.search(r"\b(static|restrict|goto|auto|template|struct|sizeof)\b|\[[=&]?\]", code)
    assert not re.search(r"0x[\w.]*p[+-]?\d", code)
    assert set(re.findall(r"#\w+ ?.*", code)) <= {
        "#include <metal_stdlib>",
        "#pragma STDC FP_CONTRACT OFF",
    }
    outside = re.sub(r"\{.*?^\}", "", code, flags=re.S | re.M)
    for statement in re.findall(r"^(?!using)\w.*;$", outside, re.M):
        assert statement.startswith("constant "), statement


NOT_OURS = {
    "M": "the table of operations has no SIMD-group matrices",
    "P": "memory is read and written by scalars: there are no vectors of 3",
    "Q": "memory is read and written by scalars: there are no vectors of 4",
    "17": "there are no vectors, so there is no geometry",
    "18": "there are no vectors",
    "25": "no structs are emitted, and arguments are bound one by one",
    "28": "the table of operations has no SIMD-group matrices",
    "29": "nothing prints",
    "31": "it is the runtime's: warnings with a library are no failure (tests/softmetal)",
    "35": "there are no vectors",
    "41": "there are no strings",
    "42": "functions are called with all their arguments",
}


def test_no_pitfall_is_without_a_test_or_a_reason() -> None:
    assert test_msl_pitfalls and test_msl_pitfalls_memory  # they fill COVERED
    numbers = {*"ABCDEFGHIJKLMNOPQRSTU", *map(str, range(1, 46))}
    tested = {number for number in COVERED if "." not in number}
    assert tested | NOT_OURS.keys() == numbers
    assert not tested & NOT_OURS.keys()
