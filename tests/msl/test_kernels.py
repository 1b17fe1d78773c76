"""Kernels of the examples and algorithms, run as MSL in every schedule and looked at for races."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import enigma
from msl import lab as msl
from msl.lint import refused

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NAMES = sorted(p.stem for p in EXAMPLES.glob("*.py") if p.stem != "demo")


@pytest.mark.parametrize("name", NAMES)
def test_examples_pass_both_compilers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel that an example compiles on its way."""
    texts: list[str] = []
    compile = enigma.compile

    def recorded(*arguments: Any, **options: Any) -> enigma.CompiledKernel:
        compiled = compile(*arguments, **options)
        texts.append(compiled.metal_source)
        return compiled

    monkeypatch.setenv("ENIGMA_DEVICE", "cpu")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(enigma, "compile", recorded)
    load(name).main()
    assert texts, f"examples/{name}.py compiles no kernel"
    for text in texts:
        assert refused(text) == []


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("columns", [1, 33, 1000])
def test_softmax(lab: msl.Lab, schedule: str, columns: int) -> None:
    text = enigma.compile(load("softmax").softmax).metal_source
    x = np.random.default_rng(0).normal(size=(3, columns)).astype(np.float32)
    arguments = [x, np.zeros_like(x), np.uint32(columns)]
    got = lab.run(text, arguments, 3 * 256, 256, schedule=schedule, checked=True).arrays[1]
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(got, e / e.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("schedule", msl.SCHEDULES)
@pytest.mark.parametrize("columns", [1, 33, 1000])
def test_rms_norm(lab: msl.Lab, schedule: str, columns: int) -> None:
    text = enigma.compile(load("rmsnorm").rms_norm).metal_source
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, columns)).astype(np.float32)
    w = rng.normal(size=columns).astype(np.float32)
    arguments = [x, w, np.zeros_like(x), np.uint32(columns), np.float32(1e-6)]
    got = lab.run(text, arguments, 3 * 256, 256, schedule=schedule, checked=True).arrays[2]
    wide = x.astype(np.float64)
    want = wide / np.sqrt((wide**2).mean(1, keepdims=True) + 1e-6) * w
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)
