"""Rotary position embedding: pairs of dimensions turn by an angle that grows with the place."""

import functools
import math

import numpy as np

import enigma


@functools.cache
def kernel(dtype: str) -> enigma.CompiledKernel:
    """The kernel for float32, float16 or bfloat16: a thread per pair, x the pair, y the row."""

    @enigma.kernel
    def rope(
        X: dtype,
        Out: dtype,
        heads: enigma.Scalar(enigma.u32),
        half: enigma.Scalar(enigma.u32),
        first: enigma.Scalar(enigma.u32),
        log_base: enigma.Scalar(enigma.f32),
    ):
        pair = enigma.thread_position_in_grid
        row = enigma.thread_position_in_grid_xyz("y")
        place = enigma.metal_cast(first + row / heads, "float")
        share = enigma.metal_cast(pair, "float") / enigma.metal_cast(half, "float")
        angle = place * enigma.exp(-share * log_base)
        cosine, sine = enigma.cos(angle), enigma.sin(angle)

        low = row * half * 2 + pair
        x = enigma.metal_cast(X[low], "float")
        y = enigma.metal_cast(X[low + half], "float")
        Out[low] = x * cosine - y * sine
        Out[low + half] = x * sine + y * cosine

    return enigma.compile(rope)


def rope(x: np.ndarray, first: int = 0, base: float = 10_000.0) -> np.ndarray:
    """x of shape (places, heads, dimensions) turned; place k of x is place first + k of the text.

    Dimension i goes with dimension i + dimensions / 2, and the pair turns by
    place * base ** (-2 i / dimensions) radians.
    """
    places, heads, dimensions = x.shape
    if dimensions % 2:
        raise ValueError(f"a head has an even number of dimensions, not {dimensions}")
    out = np.empty_like(x)
    half = dimensions // 2
    grid = half, places * heads
    kernel(str(x.dtype))(x, out, heads, half, first, math.log(base), grid=grid, threads=(32, 8))
    return out


def reference(x: np.ndarray, first: int = 0, base: float = 10_000.0) -> np.ndarray:
    """The same in numpy, in float64."""
    half = x.shape[-1] // 2
    angle = np.multiply.outer(first + np.arange(len(x)), base ** (-np.arange(half) / half))
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    low, high = x[..., :half].astype(float), x[..., half:].astype(float)
    return np.concatenate([low * cosine - high * sine, low * sine + high * cosine], axis=-1)


def main() -> None:
    x = np.random.default_rng(0).standard_normal((37, 4, 80), dtype=np.float32)
    print("largest error:", np.abs(rope(x) - reference(x)).max())


if __name__ == "__main__":
    main()
