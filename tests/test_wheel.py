"""The wheel alone is enough: it installs and runs a kernel where there is no compiler."""

import pathlib
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

PROGRAM = """
import numpy as np
import enigma

@enigma.kernel
def scale(A: enigma.f32, B: enigma.f32):
    i = enigma.thread_position_in_grid
    B[i] = A[i] * 2.0

a = np.arange(1000, dtype=np.float32)
b = np.zeros_like(a)
enigma.compile(scale)(a, b, grid=1000, threads=256, runtime=enigma.CpuRuntime())
assert (b == 2 * a).all()
print("enigma", enigma.__file__)
"""


@pytest.mark.slow
@pytest.mark.no_asan
def test_wheel_runs_a_kernel_without_a_compiler(tmp_path):
    # Not isolated: the build folder of the installed package has everything compiled already.
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w",
        tmp_path, ROOT)  # fmt: skip
    (wheel,) = tmp_path.glob("enigma-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    extra = [n for n in names if not n.startswith("enigma/") and ".dist-info/" not in n]
    assert not extra, "the wheel holds more than the package"
    assert {"enigma/py.typed", "enigma/_core.pyi"} <= set(names)

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", f"enigma[cpu] @ {wheel.as_uri()}")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    output = run(python, program, cwd=tmp_path, env={"PATH": str(python.parent)})
    assert str(tmp_path) in output, "another installation of enigma was used"


def run(*command: object, **options: object) -> str:
    result = subprocess.run(
        [str(part) for part in command],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(map(str, command))}\n{result.stdout}", pytrace=False)
    return result.stdout
