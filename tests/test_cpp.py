"""Builds the C++ tests under the sanitizers and runs them through ctest.

On Linux that includes the Metal runtime, unchanged, on software Metal. It shows that the runtime
uses the API as the model in tests/softmetal has it, and nothing about a real Mac.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINUX = sys.platform == "linux"

pytestmark = pytest.mark.no_asan


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


def build_and_test(preset: str, *programs: str, **environment: str) -> None:
    assert shutil.which("cmake"), "cmake is missing: it comes with `pip install enigma[test]`"
    if LINUX and shutil.which("clang++-19") is None:
        pytest.fail("clang++-19 is missing: software Metal needs it; run .ci/system-packages test")
    run("cmake", "--preset", preset, f"-DPython_EXECUTABLE={sys.executable}")
    run("cmake", "--build", "--preset", preset, "--target", *programs)
    jobs = str(os.cpu_count())
    summary = run("ctest", "--preset", preset, "-L", "|".join(programs), "-j", jobs, **environment)
    assert "100% tests passed" in summary, summary
    assert "No tests were found" not in summary, summary


def test_cpp_tests_under_asan_and_ubsan():
    # The build folder of `make asan`: nothing is left to compile when that has run before.
    if LINUX:
        build_and_test("softmetal-asan", "enigma_tests", "softmetal_tests")
    else:
        build_and_test("asan", "enigma_tests")


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="software Metal is made for Linux")
def test_metal_runtime_with_eight_threads_for_a_minute_under_tsan():
    build_and_test("softmetal-tsan", "softmetal_tests", ENIGMA_STRESS_SECONDS="60")
