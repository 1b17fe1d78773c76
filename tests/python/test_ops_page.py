"""docs/ops.md is what the operation table says and what was measured; --update-golden writes it."""

import math
import pathlib
import re
from typing import Any

import every_row
import pytest
from reference import CONVERSIONS, FLOATS, NUMPY, REFERENCES, Real

import enigma

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = """\
# Operations

Every operation that has a name in Python, by the rows of `include/enigma/ops.def`. This page is
written by `tests/python/test_ops_page.py` (`pytest --update-golden`), which fails where it is not
true.

* **Types.** *float* is f32, f16 or bf16, *integer* is i8 to i64 or u8 to u64, *bool* is b1, *any*
  is all of these. Operands of one operation meet in one type before it is chosen, and numbers take
  the type beside them. On vectors an operation works on each component, a scalar beside a vector
  counts for all of them.
* **Floats.** f16 and bf16 are computed as f32 and rounded once. Denormals of f32 and bf16 may be
  flushed to zero, those of f16 are kept. The least and greatest do not promise the sign of a zero.
* **Positions and sizes** are of one dimension, `dim="x"`, `"y"` or `"z"`; indices have none.
* **MSL** is what the generated text calls, with the operands x, y, z; T is their type, U the
  unsigned type of its width. `enigma_...` are functions of ours, which the text brings along. Metal
  has no library for bfloat: its values go through float.
* **Accuracy** is the largest distance from the exact result that the CPU device showed on edge
  values and 10 000 random ones, in units in the last place, rounded up to a tenth; trigonometry
  within ±10 000. *exact* means correctly rounded. The tests hold executed MSL to the same bounds
  (at most 4 units); what a GPU's own library does, only the GPU can show. Under `math="fast"`
  nothing of this is promised.
"""


# How Python calls what is made by a function of its own.
ROWS_OF_OWN_ARGUMENTS = {
    "FunctionConstant": "{}(dtype, index) -> dtype",
    "XYZ": "{}(dim) -> uint",
    "Barrier": "{}(mem_flags)",
    "Make": "{}(part, part, ...) -> whole",
    "Extract": "{}(whole, index) -> part",
}


def sections() -> list[tuple[str, list[Any]]]:
    """The rows that Python names, under the headings of ops.def."""
    table = ROOT.joinpath("include", "enigma", "ops.def").read_text()
    written = set(re.findall(r"^OP\((\w+),", table, re.M))
    rows = {row.name: row for row in every_row.ROWS.values() if row.python}
    found: list[tuple[str, list[Any]]] = []
    for line in table.splitlines():
        if heading := re.fullmatch(r"// ---- (.*?) -+", line):
            found.append((heading[1], []))
        elif row := re.match(r"OP\((\w+),", line):
            names = [row[1]]
        elif macro := re.match(r"[A-Z]+\(\w+, (\w+),", line):  # of rows whose names begin so
            names = [n for n in rows if n not in written and n.startswith(macro[1])]
        else:
            continue
        if not heading:
            found[-1][1].extend(rows.pop(name) for name in names if name in rows)
    assert not rows, f"these rows stand under no heading: {list(rows)}"
    return [(heading, there) for heading, there in found if there]


def signature(row: Any) -> str:
    """As a call, or around its symbol."""
    if row.python not in every_row.OPERATORS:
        kind = "XYZ" if "XYZ" in row.flags else row.shape
        return ROWS_OF_OWN_ARGUMENTS.get(kind, row.signature).format(row.python)
    operands, result = re.fullmatch(r"\S+\((.*)\) -> (.*)", row.signature).groups()
    left, _, right = operands.partition(", ")
    return (
        f"{left} {row.python} {right} -> {result}" if right else f"{row.python}{left} -> {result}"
    )


def emitted(row: Any) -> str:
    """The MSL of a row that is spelled by hand, for the first type that it takes."""
    dtype = every_row.dtypes_of(row)[0] if row.python != "metal_cast" else "f32"
    to = "i32" if row.result == "?" else every_row.result_dtype(row, dtype)

    @enigma.kernel
    def kernel(X: dtype, Y: dtype, Z: dtype, S: enigma.f32, N: enigma.u32, C: enigma.b1, R: to):
        i = enigma.thread_position_in_grid
        x, y, z, scale, n, m, condition = X[i], Y[i], Z[i], S[i], N[i], N[i + 1], C[i]
        given = every_row.Operands((x, y, z), (scale, scale), (n, m), (condition,)).of(row)
        R[i] = every_row.function_of(row)(*given, *([to] if row.result == "?" else []))

    text = enigma.compile(kernel).metal_source
    return re.search(r"R\[i\] = (.*);", text)[1]


def msl(row: Any) -> str:
    if row.msl or row.shape not in ("Map", "Cast"):
        return row.msl
    return emitted(row)


def accuracy(row: Any, ulps: dict[str, dict[str, float]]) -> str:
    reference = REFERENCES.get(row.mnemonic)
    if isinstance(reference, Real) and reference.ulps:
        # What is a tenth but for numpy's own last bits stays that tenth.
        rounded = {t: math.ceil(u * 10 - 1e-3) / 10 for t, u in ulps[row.mnemonic].items()}
        return ", ".join(f"{t} {u:.1f}" for t, u in rounded.items())
    return "exact" if reference or row.mnemonic in CONVERSIONS else ""


def prose(text: str) -> str:
    return re.sub(r"([|*])", r"\\\1", text)


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def measured() -> dict[str, dict[str, float]]:
    """By row and type, how far the results of the CPU device are from the reference."""
    ulps: dict[str, dict[str, float]] = {}
    for dtype in FLOATS:
        for case, got in every_row.run(dtype).items():
            if case.row.mnemonic in REFERENCES:
                ulps.setdefault(case.row.mnemonic, {})[dtype] = every_row.judge(case, got).ulps
    return ulps


def test_page(golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENIGMA_DEVICE", "cpu")
    assert list(NUMPY)[:3] == list(FLOATS)
    ulps = measured()
    page = HEAD
    for heading, rows in sections():
        title, _, remark = heading.partition("; ")
        page += f"\n## {title[0].upper()}{title[1:]}\n\n"
        page += f"{remark[0].upper()}{remark[1:]}.\n\n" if remark else ""
        page += "| operation | gives | MSL | accuracy |\n|---|---|---|---|\n"
        for row in rows:
            cells = [code(signature(row)), prose(row.doc), code(msl(row))]
            page += f"| {' | '.join([*cells, accuracy(row, ulps)])} |\n"
    golden("ops.md", page, folder=ROOT / "docs")
