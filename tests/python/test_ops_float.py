"""Float operations on literals, Python's numbers and numpy's; test_every_row.py has the rest."""

import math

import numpy as np
import pytest
from reference import FLOATS, NUMPY, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")


@pytest.mark.parametrize("dtype", FLOATS)
def test_literals_take_the_type_beside_them(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Clamped: dtype, Scaled: dtype, Less: enigma.b1):
        i = enigma.thread_position_in_grid
        Clamped[i] = enigma.clamp(X[i], -1.5, 2)
        Scaled[i] = enigma.fma(X[i], 2, 0.5) / 4
        Less[i] = 1 > X[i]

    x = np.append(random_values(dtype, 1000), np.array([math.nan, math.inf], NUMPY[dtype]))
    outs = [np.empty_like(x), np.empty_like(x), np.empty(len(x), np.bool_)]
    enigma.compile(kernel)(x, *outs, grid=len(x), threads=128)
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        doubled = (wide * 2 + 0.5).astype(x.dtype)
    wants = [np.where(np.isnan(wide), -1.5, np.clip(wide, -1.5, 2)), doubled / x.dtype.type(4)]
    for got, want in zip(outs, [*wants, wide < 1], strict=True):
        np.testing.assert_array_equal(got.astype(float), want.astype(got.dtype).astype(float))


def test_numbers_alone_are_float() -> None:
    @enigma.kernel
    def kernel(Out: enigma.f32):
        Out[0] = enigma.sqrt(2)
        Out[1] = enigma.sqrt(np.float32(2))
        Out[2] = enigma.pow(2.0, 0.5)
        Out[3] = enigma.abs(-3.5)

    out = np.empty(4, np.float32)
    enigma.compile(kernel)(out, grid=1, threads=1)
    root = np.sqrt(np.float32(2))
    np.testing.assert_array_equal(out[[0, 1, 3]], [root, root, 3.5])
    assert abs(out[2] - root) <= np.spacing(root)
