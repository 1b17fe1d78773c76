"""Integer operations on literals and in known ranges; test_every_row.py has the rest."""

import numpy as np
import pytest
from reference import INTEGERS, NUMPY, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_literals_take_the_type_beside_them(dtype: str) -> None:
    @enigma.kernel
    def kernel(X: dtype, Clamped: dtype, Shifted: dtype, Powers: dtype, Quotients: enigma.f32):
        i = enigma.thread_position_in_grid
        Clamped[i] = enigma.iclamp(X[i], 3, 100)
        Shifted[i] = (X[i] << 3) | 5
        Powers[i] = X[i] ** 2
        Quotients[i] = X[i] / 2.0

    x = random_values(dtype, 1000)
    outs = [np.empty_like(x) for _ in range(3)] + [np.empty(1000, np.float32)]
    enigma.compile(kernel)(x, *outs, grid=len(x), threads=256)
    wants = [np.clip(x, 3, 100), (x << 3) | 5, x * x, x.astype(np.float32) / 2]
    for got, want in zip(outs, wants, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", [name for name in INTEGERS if not name.endswith("64")])
def test_quotients_in_a_range_of_0(name: str) -> None:
    @enigma.kernel
    def kernel(X: name, Y: name, Least: name, Clamped: name):
        i = enigma.thread_position_in_grid
        Least[i] = enigma.imin(X[i] / Y[i], 0)
        zero = (X[i] << (NUMPY[name].itemsize * 8 - 2)) & 3
        Clamped[i] = enigma.imax(enigma.imin(X[i] / Y[i], zero), 0)

    x, y = np.arange(64, dtype=NUMPY[name]), np.full(64, 3, NUMPY[name])
    least, clamped = np.ones_like(x), np.ones_like(x)
    enigma.compile(kernel)(x, y, least, clamped, grid=64, threads=32)
    assert not least.any() and not clamped.any()
