"""The kernels of examples/ as library functions: every float type, sizes that nothing divides."""

from collections.abc import Iterator

import attention
import decoder
import dequantize
import layernorm
import matmul
import ml_dtypes
import numpy as np
import pytest
import rmsnorm
import rope
import softmax
import stencil

# Sums that cancel: two devices are near the reference, but not near each other by their own size.
pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.reference_only]

KERNELS = [
    *(m.kernel for m in (attention, dequantize, layernorm, matmul, rmsnorm, rope, softmax)),
    decoder.kernels, stencil.kernel_1d, stencil.kernel_2d,
]  # fmt: skip
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


@pytest.mark.parametrize("shape", [(1, 1), (3, 31), (2, 256), (5, 777)])
def test_rows(shape: tuple[int, int], dtype: type) -> None:
    x, weight = normal(shape, dtype), normal((shape[1],), dtype, 1)
    exact = rmsnorm.reference(x.astype(float), weight.astype(float), 1e-6)
    assert_near(rmsnorm.normalize(x, weight), exact, shape[1])
    assert_near(softmax.probabilities(x), softmax.reference(x.astype(float)), shape[1])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (3, 70, 33), (40, 17, 96)])
def test_quantized_matmul(m: int, n: int, k: int, bits: int, dtype: type) -> None:
    x, weights = normal((m, k), dtype), normal((n, k), dtype, 1)
    q, scales = dequantize.quantize(weights, bits)
    exact = x.astype(float) @ dequantize.dequantize(q, scales, bits, k).T
    assert np.abs(exact - x.astype(float) @ weights.astype(float).T).max() < k * 2.0 ** (2 - bits)
    assert_near(dequantize.matmul(x, q, scales, bits), exact, k)


def test_decoder_layer(dtype: type) -> None:
    heads, kv_heads, tokens, steps = 4, 2, 3, 3
    weights = decoder.random_weights(48, heads, kv_heads, 16, 100, dtype)
    x = normal((tokens * steps, 48), dtype)
    layer = decoder.DecoderLayer(weights, heads, kv_heads, tokens, 16)
    got = np.concatenate([layer.step(part) for part in np.split(x, steps)])
    layer.release()
    exact = decoder.reference(x, weights, heads, kv_heads)
    # Each of the chain's twenty results is rounded to the type once.
    tolerance = 20 * float(ml_dtypes.finfo(dtype).eps) * np.abs(exact).max()
    assert np.abs(got.astype(float) - exact).max() < max(tolerance, 2e-5)
