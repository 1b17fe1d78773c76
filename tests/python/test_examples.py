"""Every example runs as it stands and agrees with numpy."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(p.name for p in EXAMPLES.glob("*.py") if p.name != "demo.py")


@pytest.mark.parametrize("name", NAMES)
def test_example(name: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    error = re.search(r"largest error: (\S+)", done.stdout)
    assert error and float(error[1]) < 1e-5, done.stdout
