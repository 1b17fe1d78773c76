"""The kernels of examples/ as library functions: every float type, sizes that nothing divides."""

import sys
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import attention
import layernorm
import rope
import stencil

# Sums that cancel: two devices are near the reference, but not near each other by their own size.
pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.reference_only]

KERNELS = [attention.kernel, layernorm.kernel, rope.kernel, stencil.kernel_1d, stencil.kernel_2d]
TYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}


@pytest.fixture(autouse=True, scope="module")
def forget_kernels() -> Iterator[None]:
    """What the examples remember would count as leaked at the process's end."""
    yield
    for kernel in KERNELS:
        kernel.cache_clear()


@pytest.fixture(params=TYPES)
def dtype(request: pytest.FixtureRequest) -> type:
    return TYPES[request.param]


def normal(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_near(got: np.ndarray, exact: np.ndarray, terms: int = 1) -> None:
    """Within the rounding of a float sum of `terms`, and of the result's own type."""
    size = np.abs(exact).max()
    float_rounding = np.finfo(np.float32).eps * (8 + terms**0.5)
    own_rounding = float(ml_dtypes.finfo(got.dtype).eps) / 2
    np.testing.assert_allclose(
        got.astype(float), exact, rtol=own_rounding, atol=size * float_rounding
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 31), (2, 256), (5, 777)])
def test_layer_norm(shape: tuple[int, int], dtype: type) -> None:
    x, (weight, bias) = normal(shape, dtype), normal((2, shape[1]), dtype, 1)
    exact = layernorm.reference(*(a.astype(float) for a in (x, weight, bias)), 1e-5)
    assert_near(layernorm.layer_norm(x, weight, bias), exact, shape[1])


@pytest.mark.parametrize(("shape", "first"), [((1, 1, 2), 0), ((7, 3, 80), 0), ((5, 2, 128), 91)])
def test_rope(shape: tuple[int, int, int], first: int, dtype: type) -> None:
    x = normal(shape, dtype)
    exact = rope.reference(x, first)
    # The angle is rounded to float, and so is off by up to its own size in units of float's.
    assert_near(rope.rope(x, first), exact, (first + shape[0]) ** 2)


@pytest.mark.parametrize(
    ("shape", "side"),
    [((1,), 1), ((9,), 5), ((1000,), 3), ((1, 1), 3), ((17, 33), 5), ((40, 16), 1)],
)
def test_stencil(shape: tuple[int, ...], side: int, dtype: type) -> None:
    x, weights = normal(shape, dtype), normal((side,) * len(shape), dtype, 1)
    assert_near(stencil.stencil(x, weights), stencil.reference(x, weights), weights.size)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("queries", "keys", "heads", "kv_heads", "size"),
    [(1, 1, 1, 1, 8), (5, 77, 4, 2, 16), (40, 33, 2, 1, 20), (33, 64, 1, 1, 80)],
)
def test_attention(
    queries: int, keys: int, heads: int, kv_heads: int, size: int, causal: bool, dtype: type
) -> None:
    q = normal((queries, heads, size), dtype)
    k, v = normal((2, keys, kv_heads, size), dtype, 1)
    exact = attention.reference(q, k, v, causal)
    assert_near(attention.attention(q, k, v, causal), exact, keys + size)
