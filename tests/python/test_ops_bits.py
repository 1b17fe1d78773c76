"""Bit operations on literals, and what they refuse; test_every_row.py has the rest."""

import numpy as np
import pytest
from reference import INTEGERS, NUMPY, REFERENCES, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_known_places(dtype: str) -> None:
    numpy = NUMPY[dtype]
    width = numpy.itemsize * 8
    places = [
        (0, width),
        (3, 4),
        (width - 1, 1),
        (width, 3),
        (width - 2, 5),
        (0, 0),
        (2**32 - 1, 9),
    ]

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Out: dtype):
        i = enigma.thread_position_in_grid
        for k, (offset, bits) in enumerate(places):
            Out[i + 512 * k] = enigma.extract_bits(X[i], offset, bits)
            Out[i + 512 * (len(places) + k)] = enigma.insert_bits(X[i], Y[i], offset, bits)
        Out[i + 1024 * len(places)] = enigma.rotate(X[i], width + 3)

    x, y = random_values(dtype, 512, 1), random_values(dtype, 512, 2)
    out = np.empty((2 * len(places) + 1) * 512, numpy)
    compiled = enigma.compile(kernel)
    compiled(x, y, out, grid=512, threads=128)
    limits = np.iinfo(numpy)
    calls = [("extract_bits", (x,), p) for p in places] + [
        ("insert_bits", (x, y), p) for p in places
    ]
    calls += [("rotate", (x,), (width + 3,))]
    for (name, arrays, numbers), got in zip(calls, out.reshape(-1, 512), strict=True):
        function = REFERENCES[f"math.{name}"].function
        rows = zip(*(a.tolist() for a in arrays), strict=True)
        want = [function(limits, *row, *numbers) % 2**width for row in rows]
        shown = f"{name}(..., {numbers})"
        np.testing.assert_array_equal(got.view(f"u{numpy.itemsize}"), want, err_msg=shown)
    # Metal has functions for fields within the width.
    assert "= extract_bits(" in compiled.metal_source
    assert "enigma_extract_bits(" in compiled.metal_source


def test_distances_are_unsigned() -> None:
    @enigma.kernel
    def kernel(X: enigma.i8, Y: enigma.i16, Out: enigma.u64):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.abs_diff(X[i], Y[i]) + 0
        Out[i + 4] = enigma.abs_diff_unary(X[i])

    x, y = np.array([-128, 127, 0, -1], np.int8), np.array([32767, -32768, 5, -1], np.int16)
    out = np.empty(8, np.uint64)
    enigma.compile(kernel)(x, y, out, grid=4, threads=4)
    assert out.tolist() == [32895, 32895, 5, 0, 128, 127, 0, 1]


def test_dequantize_without_a_zero_point() -> None:
    @enigma.kernel
    def kernel(X: enigma.i8, Out: enigma.f32, Shifted: enigma.f32):
        i = enigma.thread_position_in_grid
        Out[i] = enigma.dequantize_int8(X[i], 0.1)
        Shifted[i] = enigma.dequantize_int8(X[i], np.float16(0.5), zero_point=X[0])

    x = np.arange(-128, 128, dtype=np.int8)
    out, shifted = np.empty(256, np.float32), np.empty(256, np.float32)
    enigma.compile(kernel)(x, out, shifted, grid=256, threads=64)
    np.testing.assert_array_equal(out, x * np.float32(0.1))
    np.testing.assert_array_equal(shifted, (x.astype(np.float32) + 128) / 2)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda x, f: enigma.add_sat(f, f), ["add_sat takes integers, not ", "add_sat(integer"]),
        (lambda x, f: enigma.rotate(f, 1), ["rotate takes integers", "rotate(integer, uint)"]),
        (lambda x, f: enigma.rotate(x, 1.5), ["rotate takes a uint here", "1.5"]),
        (lambda x, f: enigma.rotate(x, -1), ["rotate takes a uint here", "-1"]),
        (lambda x, f: enigma.extract_bits(x, f, 1), ["extract_bits takes a uint here", "uint"]),
        (lambda x, f: enigma.abs_diff(x, 1.5), ["abs_diff(integer, integer) -> unsigned"]),
        (lambda x, f: enigma.dequantize_int8(f, 1.0), ["dequantize_int8(integer, float, float)"]),
    ],
)
def test_mistakes_are_named(mistake, words: list[str]) -> None:
    @enigma.kernel
    def kernel(X: enigma.i32, F: enigma.f32, Out: enigma.f32):
        Out[0] = mistake(X[0], F[0])

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.filename == __file__
    for text in words:
        assert text in caught.value.message
