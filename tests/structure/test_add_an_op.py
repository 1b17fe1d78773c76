"""The diff that docs/add-an-op.md shows touches two files, and applies to them as they are."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_diff_of_the_page_applies():
    page = ROOT.joinpath("docs", "add-an-op.md").read_text()
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", page, re.M | re.S)
    files = re.findall(r"^\+\+\+ b/(.*)$", diff, re.M)
    assert files == ["include/enigma/ops.def", "tests/python/reference.py"]
    command = ["git", "apply", "--check", "--verbose", "-"]
    done = subprocess.run(command, cwd=ROOT, input=diff, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
