"""The README's kernels run as they are written, and the MSL that it shows is what they become."""

import linecache
import re
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
METAL = re.findall(r"```metal\n(.*?)```", README, re.S)


def run(text: str) -> dict[str, object]:
    name = "saxpy.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope: dict[str, object] = {"__name__": "readme"}
    exec(compile(text, name, "exec"), scope)
    return scope


def test_the_first_kernel_and_its_msl(capsys) -> None:
    scope = run(PYTHON[0])
    np.testing.assert_allclose(scope["out"], 2.5 * scope["x"] + scope["y"], rtol=1e-6)
    assert capsys.readouterr().out.strip() == METAL[0].strip()


@pytest.mark.usefixtures("device")
def test_the_reduction() -> None:
    scope = run("import enigma\n" + PYTHON[1])
    a = np.arange(1024, dtype=np.float32)
    sums = np.empty(4, np.float32)
    scope["enigma"].compile(scope["total"])(a, sums, grid=1024, threads=256)
    np.testing.assert_array_equal(sums, a.reshape(4, 256).sum(axis=1))
