"""Kernels so large that LLVM leaves passes out mean the same, and others stay as they are."""

import numpy as np
import pytest

import enigma
from enigma import _llvm


@pytest.mark.no_asan
def test_a_huge_kernel_means_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path))
    made = []

    def noted(text, compile_ir=_llvm.compile_ir):
        made.append((text, compile_ir(text)))
        return made[-1][1]

    @enigma.kernel
    def sums(A: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.u32)):
        i = enigma.thread_position_in_grid
        total = 0.0
        with enigma.for_range(0, n, dtype="uint") as k:
            with enigma.for_range(0, 4, dtype="uint") as j:
                total = total + A[(i * n + k) * 4 + j] * A[j]
        Out[i] = total

    compiled = enigma.compile(sums)
    a = np.random.default_rng(0).random((64, 12), np.float32)
    results = []
    for lines, level in ((0, 2), (0, 0), (_llvm._HUGE, 2)):
        monkeypatch.setattr(_llvm, "_HUGE", lines)
        monkeypatch.setattr(_llvm, "_level", lambda *_, level=level: level)
        device = enigma._core.cpu_runtime(noted, 1, "")
        out = np.zeros(64, np.float32)
        enigma._core.call(device, compiled.artifact, (a, out, 3), 64, 32)
        results.append(out)
    want = (a.reshape(64, 3, 4) * a[0, :4]).sum(axis=(1, 2))
    for out in results:
        np.testing.assert_allclose(out, want, rtol=1e-5)
    texts, objects = zip(*made, strict=True)
    assert len(set(texts)) == 1 and len(set(objects)) == 3
    assert _llvm.compile_ir(texts[0]) == objects[-1]


def test_only_vast_texts_with_few_loops_are_not_optimised():
    line, loop = "  ret void\n", "a:\n  br label %a\n"
    ahead = "  br i1 %x, label %y, label %z\ny:\nz:\n"
    vast = line * _llvm._VAST
    assert [_llvm._level(text, text.count("\n")) for text in (line, loop, ahead)] == [2, 2, 2]
    assert _llvm._level(vast + loop + ahead * 9, _llvm._VAST) == 0
    assert _llvm._level(vast + loop * 1000, _llvm._VAST) == 2
