"""Exponentials are as good on processors without AVX-512's scalef, whose code runs anywhere."""

from pathlib import Path

import numpy as np
import pytest

import enigma
from enigma import _llvm

WORST = {"exp": 0.9, "exp2": 0.8, "exp10": 1.0}  # units in the last place


@enigma.kernel
def exponentials(X: enigma.f32, Exp: enigma.f32, Exp2: enigma.f32, Exp10: enigma.f32):
    i = enigma.thread_position_in_grid
    Exp[i], Exp2[i], Exp10[i] = enigma.exp(X[i]), enigma.exp2(X[i]), enigma.exp10(X[i])


def arguments() -> np.ndarray:
    rng = np.random.default_rng(0)
    edges = [0.0, 1.0, 128.0, -126.0, 88.7228317, 88.722839, -87.3365402, 38.5318375, -37.9297791]
    edges += [1e7, 1e10, 1e20, 1e30, 1e38, 3.4e38, 1e-40]
    signed = np.array([*edges, np.inf, np.nan], np.float32)
    any_bits = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    near = rng.uniform(-160, 140, 40000).astype(np.float32)
    return np.concatenate([signed, -signed, any_bits, near])


@pytest.mark.parametrize("scalef", [True, False])
def test_exponentials(scalef: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = enigma.compile(exponentials)
    if not scalef:
        compile_ir, (text, *_) = _llvm.compile_ir, compiled.artifact.cpu_code(256, edges=True)
        assert "scalef" not in text
        monkeypatch.setattr(_llvm, "compile_ir", lambda _: compile_ir(text))
        monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path))
    x = arguments()
    out = {name: np.full_like(x, 7) for name in WORST}
    runtime = enigma.CpuRuntime(threads=1)
    compiled(x, *out.values(), grid=x.size, threads=256, runtime=runtime)
    functions = (np.exp, np.exp2, lambda x: np.power(10.0, x))
    for (name, got), function in zip(out.items(), functions, strict=True):
        with np.errstate(all="ignore"):
            want = function(x.astype(np.float64))
            rounded = want.astype(np.float32)
            apart = np.abs(got - want) / np.spacing(np.abs(rounded))
        normal = np.isfinite(rounded) & (rounded >= np.finfo(np.float32).tiny)
        assert apart[normal].max() <= WORST[name], name
        small = rounded < np.finfo(np.float32).tiny
        assert ((apart <= WORST[name]) | (got == 0))[small].all(), name
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        assert same[~normal & ~small].all(), name
