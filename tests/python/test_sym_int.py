"""Sizes that only a run knows: one compiled object for arrays of any shape."""

import numpy as np
import pytest
from test_jit import explicit_add, tiled_add

import enigma
from enigma import Tensor, sym_int

pytestmark = pytest.mark.usefixtures("device")

M, N = sym_int("M"), sym_int("N")
ROWS = ((M, N), (N, 1))
SIZES = [(256, 512), (1, 1), (17, 33), (100, 700), (1, 300)]
rng = np.random.default_rng(0)


def random(*shape):
    return rng.standard_normal(shape, np.float32)


def tensors(names, layout=ROWS):
    return [Tensor(name, k, "float", layout) for k, name in enumerate(names)]


@pytest.fixture(scope="module")
def added():
    return enigma.compile(tiled_add, *tensors("ABC"))


def test_page_with_one_compiled_object(added):
    for m, n in SIZES:
        a, b, c = random(m, n), random(m, n), random(m, n)
        added(a, b, c)
        assert np.array_equal(c, a + b)


def test_it_compiles_once(added):
    again = enigma.compile(tiled_add, *tensors("ABC"))
    assert again.artifact.launches[0][0].msl == added.artifact.launches[0][0].msl
    assert len(tiled_add.artifacts) <= 32
    assert [p.name for p in added.params] == ["A", "B", "C", "M", "N"]
    assert str(added.grid) == "(256*ceil_div(M, 16)*ceil_div(N, 256), 1, 1)"
    assert added.block == (256, 1, 1)


def test_explicit_launch(added):
    compiled = enigma.compile(explicit_add, *tensors("ABC"))
    a, b, c = random(19, 257), random(19, 257), np.zeros((19, 257), np.float32)
    compiled(a, b, c)
    assert np.array_equal(c, a + b)


def test_vectors_exactly_where_divisibility_proves_them():
    for divisibility, vector in ((1, None), (2, "float2"), (4, "float4"), (6, "float2")):
        n = sym_int("N", divisibility=divisibility)
        compiled = enigma.compile(tiled_add, *tensors("ABC", ((M, n), (n, 1))))
        source = compiled.metal_source
        assert ("*)(A + " in source) == (vector is not None)
        assert vector is None or f"*(device const {vector}*)(A + " in source
        a, b = random(21, 60 * divisibility), random(21, 60 * divisibility)
        c = np.zeros_like(a)
        compiled(a, b, c)
        assert np.array_equal(c, a + b)
