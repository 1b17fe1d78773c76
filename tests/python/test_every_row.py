"""Every row of the operation table: its numbers, what it refuses, and that nothing is left out."""

import linecache
import pathlib
from typing import Any

import every_row
import pytest
from reference import CONVERSIONS, NUMPY, REFERENCES

import enigma


def test_every_row_is_judged() -> None:
    """Each row that Python names has an entry in reference.py, or a file of tests that names it."""
    rows = [row for row in every_row.ROWS.values() if row.python]
    known = REFERENCES.keys() | CONVERSIONS.keys()
    missing = [
        row.mnemonic
        for row in rows
        if not every_row.is_elsewhere(row) and row.mnemonic not in known
    ]
    assert not missing, f"tests/python/reference.py has no entry for {missing}"
    stale = known - {row.mnemonic for row in rows}
    assert not stale, f"include/enigma/ops.def has no row for {stale}"
    folder = pathlib.Path(__file__).parent
    for prefix, files in every_row.ELSEWHERE.items():
        names = {row.python for row in rows if row.mnemonic.startswith(prefix)}
        assert names, f"no row begins with {prefix}"
        text = "".join((folder / file).read_text() for file in files)
        # In whole, or what is left of it behind the words that its neighbours share.
        lost = [n for n in names if n not in text and f'"{n.rsplit("_", 1)[-1]}"' not in text]
        assert not lost, f"{files} do not name {lost}"


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", NUMPY)
def test_values(dtype: str) -> None:
    results = every_row.run(dtype)
    assert results.keys() == set(every_row.cases_of(dtype))
    verdicts = [every_row.judge(case, got) for case, got in results.items()]
    wrong = [v.wrong for v in verdicts if v.wrong]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def refusals(dtype: str) -> list[tuple[Any, list[str]]]:
    """Rows and operands, by the names of values in a kernel, that no row of that name takes."""
    found = []
    names: dict[str, list[Any]] = {}
    for row in every_row.ROWS.values():
        if every_row.is_value_row(row):
            names.setdefault(row.python, []).append(row)
    for rows in names.values():
        taken = {t for row in rows for t in every_row.CLASSES.get(every_row.class_of(row), ())}
        letters = rows[0].operands
        right = [{"u": "count", "b": "condition"}.get(letter, "x") for letter in letters]
        if dtype not in taken:
            found.append((rows[0], right))
            continue
        for k, letter in enumerate(letters):
            if letter in "ub":
                found.append((rows[0], [*right[:k], "real", *right[k + 1 :]]))
    return found


def line_of(error: enigma.EnigmaError) -> str:
    return linecache.getline(error.filename, error.lineno)


@pytest.mark.parametrize("dtype", NUMPY)
def test_refusals(dtype: str) -> None:
    """A row says what it takes, what it was given, what to write, and where."""
    messages = []

    @enigma.kernel
    def kernel(X: dtype, N: enigma.u32, C: enigma.b1, R: enigma.f32):
        i = enigma.thread_position_in_grid
        x, count, condition, real = X[i], N[i], C[i], R[i]
        values = {"x": x, "count": count, "condition": condition, "real": real}
        for row, names in refusals(dtype):
            extra = ["f32"] if row.result == "?" else []
            with pytest.raises(enigma.EnigmaError) as raised:
                every_row.function_of(row)(*(values[name] for name in names), *extra)
            messages.append((row, names, raised.value))
        X[i] = X[i]

    enigma.compile(kernel)
    assert len(messages) == len(refusals(dtype)) > 0
    for row, names, error in messages:
        said = error.message
        assert said.startswith(f"{row.python} takes ") and row.signature in said, said
        assert "; write " in said, said
        given = "real (f32)" if "real" in names else f"x ({dtype})"
        assert given in said, said
        assert error.filename == __file__ and "function_of(row)" in line_of(error), said
