"""A wrong spelling in the operation table does not compile, and the compiler says why."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPU, MSL, IR = "codegen/cpu/table.cpp", "codegen/msl/table.cpp", "ir/ops.cpp"
ROW = 'OP(Saturate, "math.saturate", Map, "F:T", 0, "saturate($0)", "= fmin(fmax($0, 0), 1)"'

# The file that checks, what of the row is replaced by what, and the reason.
WRONG = [
    (CPU, "fmin(fmax($0, 0)", "fmin(fmaximum($0, 0)", "no row of this name takes these operands"),
    (CPU, "fmin(fmax($0, 0)", "fmin(2", "an expression misses an operand"),
    (CPU, "fmin(fmax($0, 0), 1)", "isnan($0)", "an expression gives another type than its row"),
    (CPU, "fmin(fmax($0, 0), 1)", "saturate($0)", "expressions use each other in a circle"),
    (MSL, "saturate($0)", "saturate(x)", "the MSL template of Saturate misses an operand"),
    (IR, '"F:T"', '"F"', "signature of math.saturate is not well formed"),
]


@pytest.mark.parametrize(("checks", "right", "wrong", "reason"), WRONG, ids=lambda x: x)
def test_refused(checks, right, wrong, reason, tmp_path):
    table = ROOT.joinpath("include", "enigma", "ops.def").read_text()
    assert ROW in table and right in ROW
    tmp_path.joinpath("enigma").mkdir()
    tmp_path.joinpath("enigma", "ops.def").write_text(table.replace(ROW, ROW.replace(right, wrong)))
    compiler = shutil.which("clang++-19") or shutil.which("clang++") or shutil.which("c++")
    folders = [f"-I{folder}" for folder in (tmp_path, ROOT / "include", ROOT / "src")]
    command = [compiler, "-std=c++20", "-fsyntax-only", *folders, str(ROOT / "src" / checks)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and reason in done.stderr, done.stderr
