"""The MSL of the golden kernels, byte for byte; `--update-golden` rewrites the files."""

import os
import subprocess
import sys

import pytest
from golden_kernels import KERNELS

import enigma


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_msl(kernel, golden) -> None:
    golden(f"msl/{kernel.__name__}.metal", enigma.compile(kernel).metal_source)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_ir(kernel, golden) -> None:
    folder = os.path.dirname(__file__) + os.sep
    golden(f"ir/{kernel.__name__}.ir", enigma.compile(kernel).ir.replace(folder, ""))


def test_the_text_is_the_same_in_every_process() -> None:
    program = (
        "import golden_kernels, enigma\n"
        "for k in golden_kernels.KERNELS: print(enigma.compile(k).metal_source)"
    )
    texts = set()
    for seed in ("0", "1", "2"):
        path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        texts.add(done.stdout)
    assert len(texts) == 1
