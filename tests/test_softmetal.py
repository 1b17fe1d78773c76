"""The Metal runtime, unchanged, on software Metal, under ASan and UBSan, and under TSan.

This shows that the runtime uses the API as the model in tests/softmetal has it, and nothing about
a real Mac.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.no_asan,
    pytest.mark.skipif(sys.platform != "linux", reason="software Metal is made for Linux"),
]


def run(*command: str, **environment: str) -> str:
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(command)}\n{result.stdout}", pytrace=False)
    return result.stdout


def build_and_test(preset: str, **environment: str) -> None:
    if shutil.which("clang++-19") is None:
        pytest.fail("clang++-19 is missing: software Metal needs it; run .ci/system-packages test")
    run("cmake", "--preset", preset, f"-DPython3_EXECUTABLE={sys.executable}")
    run("cmake", "--build", "--preset", preset)
    summary = run("ctest", "--preset", preset, **environment)
    assert "100% tests passed" in summary, summary
    assert "No tests were found" not in summary, summary


def test_runtime_faults_and_misuse_under_asan_and_ubsan():
    build_and_test("softmetal")


def test_eight_threads_under_tsan():
    build_and_test("softmetal-tsan", ENIGMA_STRESS_SECONDS="10")
