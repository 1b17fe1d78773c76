"""Packed vectors against numpy, bit for bit: every code, edge values and random ones."""

from collections.abc import Callable

import numpy as np
import pytest
from reference import NUMPY, edge_values, random_values

import enigma

pytestmark = pytest.mark.usefixtures("device")

FORMATS = {
    "unorm4x8": (8, 8, 8, 8),
    "snorm4x8": (8, 8, 8, 8),
    "unorm2x16": (16, 16),
    "snorm2x16": (16, 16),
    "unorm10a2": (10, 10, 10, 2),
    "srgb_unorm4x8": (8, 8, 8, 8),
}
UNPACK = {
    "unorm4x8": enigma.unpack_unorm4x8_to_float,
    "snorm4x8": enigma.unpack_snorm4x8_to_float,
    "unorm2x16": enigma.unpack_unorm2x16_to_float,
    "snorm2x16": enigma.unpack_snorm2x16_to_float,
    "unorm10a2": enigma.unpack_unorm10a2_to_float,
    "srgb_unorm4x8": enigma.unpack_srgb_unorm4x8_to_float,
}
PACK = {name: getattr(enigma, f"pack_float_to_{name}") for name in FORMATS}
PLAIN = [name for name in FORMATS if name != "srgb_unorm4x8"]
# Values at which rounding is decided, and beyond the ends.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, np.nan, np.inf, -np.inf, 1.0000001, 0.99999994, 2.0]


def largest(name: str) -> np.ndarray:
    """What 1.0 becomes in each field."""
    bits = np.array(FORMATS[name])
    return 2.0 ** (bits - name.startswith("snorm")) - 1


def components(name: str) -> np.ndarray:
    """Rows of components: halves between codes and their neighbours among them."""
    rng = np.random.default_rng(3)
    width, top = len(FORMATS[name]), largest(name)
    ties = (rng.integers(-1, 256, (3000, width)) + 0.5) / top
    toward = np.where(rng.random(ties.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
    ties[1000:] = np.nextafter(ties[1000:].astype(np.float32), toward[1000:])
    spread = rng.uniform(-1.2, 1.2, (6000, width))
    wild = random_values("f32", 1000 * width).reshape(-1, width)
    special = rng.choice([*SPECIAL, *edge_values("f32")], (1000, width))
    return np.concatenate([ties, spread, wild, special]).astype(np.float32)


def unpacked_fields(name: str, words: np.ndarray) -> np.ndarray:
    """The fields of words as integers, one row each."""
    fields, shift = [], 0
    for bits in FORMATS[name]:
        field = (words >> np.uint32(shift)).astype(np.int64) & (2**bits - 1)
        if name.startswith("snorm"):
            field = np.where(field >= 2 ** (bits - 1), field - 2**bits, field)
        fields.append(field)
        shift += bits
    return np.stack(fields, axis=1)


def run_pack(pack: Callable, x: np.ndarray, dtype: str = "f32", apart: bool = False) -> np.ndarray:
    n, width = x.shape

    @enigma.kernel
    def kernel(X: dtype, Out: enigma.u32):
        i = enigma.thread_position_in_grid
        parts = [X[i * width + k] for k in range(width)]
        Out[i] = pack(*parts) if apart else pack(enigma.make_vec(*parts))

    out = np.empty(n, np.uint32)
    enigma.compile(kernel)(np.ascontiguousarray(x).ravel(), out, grid=n, threads=64)
    return out


def run_unpack(unpack: Callable, words: np.ndarray, width: int, result: str) -> np.ndarray:
    @enigma.kernel
    def kernel(X: enigma.u32, Out: result):
        i = enigma.thread_position_in_grid
        v = unpack(X[i])
        assert v.dtype == getattr(enigma, result) and len(v) == width
        for k in range(width):
            Out[i * width + k] = v[k]

    out = np.empty((len(words), width), NUMPY[result])
    enigma.compile(kernel)(words, out.ravel(), grid=len(words), threads=64)
    return out


@pytest.mark.parametrize("name", PLAIN)
def test_pack(name: str) -> None:
    x = components(name)
    words = run_pack(PACK[name], x)
    lowest = -1.0 if name.startswith("snorm") else 0.0
    held = np.clip(np.where(np.isnan(x), 0, x).astype(np.float64), lowest, 1)
    # The product is exact in float64, and rounded once.
    np.testing.assert_array_equal(unpacked_fields(name, words), np.rint(held * largest(name)))


def every_code(name: str) -> np.ndarray:
    rng = np.random.default_rng(4)
    wide = np.arange(65536, dtype=np.uint32) * np.uint32(65537)  # each 16 bits twice
    edges = np.array([0, 2**32 - 1, 0x80808080, 0x7F7F7F7F, 0x80008000, 0x81818181], np.uint32)
    return np.concatenate([edges, wide, rng.integers(0, 2**32, 2000, dtype=np.uint32)])


@pytest.mark.parametrize("name", PLAIN)
def test_unpack(name: str) -> None:
    words = every_code(name)
    unpack = UNPACK[name]
    got = run_unpack(unpack, words, len(FORMATS[name]), "f32")
    fields = unpacked_fields(name, words).astype(np.float32)
    want = np.maximum(fields / largest(name).astype(np.float32), np.float32(-1))
    np.testing.assert_array_equal(got, want)


def to_linear(code: np.ndarray) -> np.ndarray:
    x = code / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def test_srgb() -> None:
    x = components("srgb_unorm4x8")
    words = run_pack(enigma.pack_float_to_srgb_unorm4x8, x)
    linear = np.clip(np.where(np.isnan(x), 0, x).astype(np.float64), 0, 1)
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    curve[:, 3] = linear[:, 3]
    apart = np.abs(unpacked_fields("srgb_unorm4x8", words) - curve * 255)
    assert apart.max() <= 0.5 + 2e-4  # of a tie the curve's last bits decide
    codes = np.arange(256, dtype=np.uint32) * np.uint32(0x01010101)
    got = run_unpack(enigma.unpack_srgb_unorm4x8_to_float, codes, 4, "f32")
    want = to_linear(np.arange(256))
    for k in range(3):
        distance = np.abs(got[:, k] - want) / np.spacing(want.astype(np.float32))
        assert distance.max() <= 8
    np.testing.assert_array_equal(got[:, 3], np.arange(256, dtype=np.float32) / np.float32(255))
    np.testing.assert_array_equal(run_pack(enigma.pack_float_to_srgb_unorm4x8, got), codes)
    assert enigma.unpack_unorm4x8_srgb_to_float is enigma.unpack_srgb_unorm4x8_to_float


@pytest.mark.parametrize("name", PLAIN)
def test_every_code_makes_the_round_trip(name: str) -> None:
    pack = PACK[name]
    unpack = UNPACK[name]
    words = every_code(name)
    again = run_pack(pack, run_unpack(unpack, words, len(FORMATS[name]), "f32"))
    fields = unpacked_fields(name, words)
    if name.startswith("snorm"):
        fields = np.maximum(fields, -largest(name).astype(np.int64))  # two codes are -1
    np.testing.assert_array_equal(unpacked_fields(name, again), fields)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_narrow_floats_and_components_apart(dtype: str) -> None:
    x = np.random.default_rng(0).uniform(-1.1, 1.1, (256, 4)).astype(NUMPY[dtype])
    pack = enigma.pack_float_to_snorm4x8
    want = run_pack(pack, x.astype(np.float32))
    np.testing.assert_array_equal(run_pack(pack, x, dtype), want)
    np.testing.assert_array_equal(run_pack(pack, x, dtype, apart=True), want)


@pytest.mark.parametrize("dtype", ["i8", "u8", "i32", "u32", "i64"])
def test_integers(dtype: str) -> None:
    x = random_values(dtype, 4 * 256).reshape(-1, 4)
    low = x.astype(np.int64) & 255
    want = (low * [1, 2**8, 2**16, 2**24]).sum(axis=1)
    for apart in (False, True):
        np.testing.assert_array_equal(run_pack(enigma.pack_uint8x4, x, dtype, apart), want)
    nibbles = x[:, :2].astype(np.int64) & 15
    want = nibbles[:, 0] | nibbles[:, 1] << 4
    for apart in (False, True):
        np.testing.assert_array_equal(run_pack(enigma.pack_int4x2, x[:, :2], dtype, apart), want)


def test_integers_unpacked() -> None:
    words = every_code("unorm4x8")
    got = run_unpack(enigma.unpack_uint8x4, words, 4, "u32")
    np.testing.assert_array_equal(got, unpacked_fields("unorm4x8", words))
    got = run_unpack(enigma.unpack_int4x2, words, 2, "i32")
    nibbles = np.stack([words & np.uint32(15), words >> np.uint32(4) & np.uint32(15)], 1)
    np.testing.assert_array_equal(got, nibbles.astype(np.int32) - 16 * (nibbles > 7))


def test_constants_and_narrow_words() -> None:
    @enigma.kernel
    def kernel(B: enigma.u8, Out: enigma.u32):
        Out[0] = enigma.pack_float_to_unorm4x8(0, 0.5, 1, float("nan"))
        Out[1] = enigma.pack_uint8x4(1, 2, 3, 255)
        pair = enigma.unpack_int4x2(B[0])
        Out[2] = enigma.pack_int4x2(pair)
        Out[3] = pair.x + 8
        Out[4] = pair.y + 8
        B[1] = enigma.pack_int4x2(-1, 7)

    b = np.array([0x3D, 0], np.uint8)
    out = np.empty(5, np.uint32)
    enigma.compile(kernel)(b, out, grid=1, threads=1)
    np.testing.assert_array_equal(out, [0x00FF8000, 0xFF030201, 0x3D, 5, 11])
    assert b[1] == 0x7F
