"""Builds the C++ tests under AddressSanitizer and UBSan, and runs them through ctest."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*command: str) -> str:
    result = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        pytest.fail(f"$ {' '.join(command)}\n{result.stdout}", pytrace=False)
    return result.stdout


@pytest.mark.no_asan
def test_cpp_tests_pass_under_the_sanitizers():
    # The build folder of `make asan`: nothing is left to compile when that has run before.
    assert shutil.which("cmake"), "cmake is missing: it comes with `pip install enigma[test]`"
    python = "ON" if sys.platform == "linux" else "OFF"
    run(
        "cmake",
        "--preset",
        "asan",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DENIGMA_PYTHON={python}",
    )
    run("cmake", "--build", "--preset", "asan", "--target", "enigma_tests")
    summary = run("ctest", "--preset", "asan", "--output-on-failure", "-j", str(os.cpu_count()))
    assert "100% tests passed" in summary, summary
    assert "No tests were found" not in summary, summary
