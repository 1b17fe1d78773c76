"""Compiled kernels of the CPU device on disk: what a process finds there, and what it mends."""

import os
import subprocess
import sys

import pytest

from enigma import _llvm

PROGRAM = """
import sys
import numpy as np
import enigma

@enigma.kernel
def scale(A: enigma.f32, B: enigma.f32):
    i = enigma.thread_position_in_grid
    B[i] = A[i] * {factor}

runtime = enigma.CpuRuntime(threads=1)
a, b = np.arange(100, dtype=np.float32), np.empty(100, np.float32)
enigma.compile(scale)(a, b, grid=100, threads=32, runtime=runtime)
assert np.array_equal(b, a * {factor})
print("compiled" if "llvmlite" in sys.modules else "found")
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a process that compiles and runs a kernel, with a cache of its own."""
    monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path))

    def start(factor: int = 2) -> subprocess.Popen:
        # A file, since the kernel's text is read from where it was written.
        program = tmp_path / f"scale{factor}.py"
        if not program.exists():
            program.write_text(PROGRAM.format(factor=factor))
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, program], stdout=pipe, stderr=pipe, text=True)

    return start


def answer(process: subprocess.Popen) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out.strip()


def test_a_hit_needs_no_llvmlite(start, tmp_path):
    assert answer(start()) == "compiled"
    assert answer(start()) == "found"
    assert answer(start(3)) == "compiled"
    assert len(list(tmp_path.glob("cpu/*"))) == 2


def test_damaged_objects_are_compiled_anew(start, tmp_path):
    answer(start())
    (file,) = tmp_path.glob("cpu/*")
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for content in (b"", whole[:middle], flipped, os.urandom(len(whole))):
        file.write_bytes(content)
        assert answer(start()) == "compiled"
        assert file.read_bytes() == whole
    assert answer(start()) == "found"


def test_an_object_of_another_kernel_is_not_run(start, tmp_path):
    answer(start(2))
    (two,) = tmp_path.glob("cpu/*")
    answer(start(3))
    (three,) = set(tmp_path.glob("cpu/*")) - {two}
    two.write_bytes(three.read_bytes())
    assert answer(start(2)) == "compiled"


def test_eight_processes_at_once(start, tmp_path):
    for _ in range(2):
        answers = [answer(p) for p in [start(2 + k % 2) for k in range(8)]]
    assert answers == ["found"] * 8
    assert len(list(tmp_path.glob("cpu/*"))) == 2


def test_without_a_folder_that_can_be_written(start, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ENIGMA_CACHE_DIR", str(tmp_path / "file"))
    assert answer(start()) == "compiled"
    assert answer(start()) == "compiled"


def test_objects_belong_to_a_version_of_llvmlite(tmp_path, monkeypatch):
    first = _llvm.identity()
    import llvmlite

    assert llvmlite.__version__ in first
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "_version.py").write_text("version_version = '0.49'")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "0.49" in _llvm.identity()
    monkeypatch.setattr(sys, "path", [])
    assert _llvm.identity() == ""
