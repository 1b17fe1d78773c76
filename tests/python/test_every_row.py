"""Every row of the operation table: its numbers, what it refuses, and that nothing is left out."""

import pathlib

import every_row
import pytest
from reference import CONVERSIONS, NUMPY, REFERENCES


def test_every_row_is_judged() -> None:
    rows = [row for row in every_row.ROWS.values() if every_row.is_value_row(row)]
    known = REFERENCES.keys() | CONVERSIONS.keys()
    missing = [
        row.mnemonic
        for row in rows
        if not every_row.is_elsewhere(row) and row.mnemonic not in known
    ]
    assert not missing, f"tests/python/reference.py has no entry for {missing}"
    stale = known - {row.mnemonic for row in rows}
    assert not stale, f"include/enigma/ops.def has no row for {stale}"
    for prefix, file in every_row.ELSEWHERE.items():
        assert any(row.mnemonic.startswith(prefix) for row in rows), prefix
        assert pathlib.Path(__file__).with_name(file).exists(), file


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", NUMPY)
def test_values(dtype: str) -> None:
    results = every_row.run(dtype)
    assert results.keys() == set(every_row.cases_of(dtype))
    verdicts = [every_row.judge(case, got) for case, got in results.items()]
    wrong = [v.wrong for v in verdicts if v.wrong]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
