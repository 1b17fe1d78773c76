"""Files have about 500 lines, 600 at the very most, of up to 100 columns, and say what they are."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("include", "src", "python", "tests", "examples", "benchmarks", "cmake", ".ci")
SUFFIXES = {".h", ".cpp", ".mm", ".metal", ".py", ".cmake"}
MAX_LINES = 600
MAX_COLUMNS = 100

SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if (path.suffix in SUFFIXES or path.name == "CMakeLists.txt")
    and "golden" not in path.parts
    and "__pycache__" not in path.parts
)


@pytest.mark.parametrize("source", SOURCES)
def test_file(source):
    text = (ROOT / source).read_text()
    lines = text.splitlines()
    assert len(lines) <= MAX_LINES, f"{source} has {len(lines)} lines: it is two files"
    wide = [i for i, line in enumerate(lines, 1) if len(line) > MAX_COLUMNS]
    assert not wide, f"{source}:{wide[0]} is longer than {MAX_COLUMNS} columns"
    assert opens_with_a_sentence(source, text), f"{source} does not open with what it promises"


def opens_with_a_sentence(source: str, text: str) -> bool:
    if source.endswith(".py"):
        return bool(ast.get_docstring(ast.parse(text)))
    if source.endswith((".cmake", "CMakeLists.txt")):
        return text.startswith("#")
    return text.startswith(("//", "/*"))
