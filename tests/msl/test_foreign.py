"""MSL that others wrote runs in the lab and agrees with numpy: kernels of the mlx-metal wheel.

They are read from the wheel, which pip fetches; nothing of them is kept here.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from msl import lab as msl

WHEEL = "mlx-metal==0.32.4"
FOLDER = msl.BUILD / "mlx-metal-0.32.4"
KERNELS = "mlx/backend/metal/kernels"


@pytest.fixture(scope="module")
def headers() -> Path:
    """The folder that the wheel's includes start from."""
    root = FOLDER / "mlx" / "include"
    if not (root / KERNELS).is_dir():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", FOLDER]
        command += ["--only-binary=:all:", "--platform", "macosx_14_0_arm64", WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"{WHEEL} cannot be fetched: {done.stderr.strip()[-200:]}")
        wheel = next(FOLDER.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(f"mlx/include/{KERNELS}"):
                    archive.extract(name, FOLDER)
        wheel.unlink()
    return root


@pytest.fixture(scope="module")
def lab() -> Iterator[msl.Lab]:
    with msl.Lab() as opened:
        yield opened


# complex.h has overloads that differ in the address space alone, which the lab cannot tell apart;
# _disjunction is a name of Apple's own headers.
COMPLEX = """
namespace metal {
template <class... B>
struct _disjunction {
  static constexpr bool value = (B::value || ...);
};
}  // namespace metal
template <class T>
struct complex_t {
  T real, imag;
  constexpr complex_t(T r = T(0), T i = T(0)) : real(r), imag(i) {}
};
typedef complex_t<float> complex64_t;
#define COMPLEX_OPERATOR(op) \\
  inline complex64_t operator op(complex64_t, complex64_t) { return {}; }
#define COMPLEX_COMPARISON(op) \\
  inline bool operator op(complex64_t a, complex64_t b) { return a.real op b.real; }
COMPLEX_OPERATOR(+) COMPLEX_OPERATOR(-) COMPLEX_OPERATOR(*) COMPLEX_OPERATOR(/)
COMPLEX_COMPARISON(<) COMPLEX_COMPARISON(>) COMPLEX_COMPARISON(==) COMPLEX_COMPARISON(!=)
COMPLEX_COMPARISON(<=) COMPLEX_COMPARISON(>=)
inline complex64_t operator-(complex64_t a) { return {-a.real, -a.imag}; }
"""


def text_of(root: Path, *names: str) -> str:
    """The headers and all that they include, as one text."""
    seen: set[str] = set()

    def inlined(name: str) -> str:
        # bf16_math.h is written in names that only Apple's own headers have.
        if name in seen or name.endswith("bf16_math.h"):
            return ""
        seen.add(name)
        if name.endswith("/complex.h"):
            return COMPLEX
        if name.endswith("/logging.h"):  # its class has constructors for address spaces, too
            return ""
        text = (root / name).read_text()
        text = re.sub(r"#pragma once", "", text)
        return re.sub(r'#include "(mlx/[^"]+)"', lambda m: inlined(m[1]), text)

    parts = [inlined(f"{KERNELS}/{name}") for name in names]
    return "#include <metal_stdlib>\nusing namespace metal;\n" + "\n".join(parts)


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("columns", [64, 1000])
@pytest.mark.parametrize("kind", ["float", "half"])
def test_softmax(headers: Path, lab: msl.Lab, kind: str, columns: int, schedule: str) -> None:
    text = text_of(headers, "utils.h", "softmax.h")
    x = (
        np.random.default_rng(0)
        .normal(size=(3, columns))
        .astype(np.float32 if kind == "float" else np.float16)
    )
    threads = (columns + 127) // 128 * 32
    result = lab.run(
        text,
        [x, np.zeros_like(x), np.int32(columns)],
        threads * 3,
        threads,
        kernel="softmax_single_row",
        instance=f"<{kind}, float>",
        schedule=schedule,
        checked=schedule == "random",
    )
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    want = e / e.sum(1, keepdims=True)
    np.testing.assert_allclose(result.arrays[1], want, rtol=1e-5 if kind == "float" else 2e-3)


UNARY = {
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Sin": np.sin,
    "Tanh": np.tanh,
    "Erf": np.vectorize(math.erf),
    "Expm1": np.expm1,
    "Log1p": np.log1p,
    "Floor": np.floor,
    "Round": np.rint,
    "Negative": np.negative,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("kind", ["float", "half"])
@pytest.mark.parametrize("name", UNARY)
def test_unary(headers: Path, lab: msl.Lab, name: str, kind: str) -> None:
    text = text_of(headers, "utils.h", "unary_ops.h", "unary.h")
    x = (
        np.random.default_rng(0)
        .uniform(0.1, 3, 1001)
        .astype(np.float32 if kind == "float" else np.float16)
    )
    result = lab.run(
        text,
        [x, np.zeros_like(x), np.uint32(len(x))],
        len(x),
        64,
        kernel="unary_v",
        instance=f"<{kind}, {kind}, {name}>",
    )
    want = UNARY[name](x.astype(np.float64))
    tolerance = 2e-6 if kind == "float" else 2e-3
    if name == "Expm1":  # theirs subtracts one part of log(2) only, and is off by 1.4e-6 a step
        tolerance = max(tolerance, 1e-5)
    np.testing.assert_allclose(result.arrays[1], want, rtol=tolerance, atol=tolerance)


REDUCTIONS = {"Sum": np.sum, "Prod": np.prod, "Max": np.max, "Min": np.min}


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(headers: Path, lab: msl.Lab, name: str, schedule: str) -> None:
    text = text_of(headers, "utils.h", "reduce_utils.h", "reduction/reduce_all.h")
    x = np.random.default_rng(0).uniform(0.99, 1.01, 5000).astype(np.float32)
    result = lab.run(
        text,
        [x, np.zeros(1, np.float32), np.uint64(len(x)), np.uint64(len(x))],
        256,
        256,
        kernel="all_reduce",
        instance=f"<float, float, {name}<float>, long>",
        schedule=schedule,
        checked=schedule == "random",
    )
    np.testing.assert_allclose(result.arrays[1][0], REDUCTIONS[name](x.astype(float)), rtol=1e-5)
