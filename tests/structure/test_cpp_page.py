"""What docs/cpp.md shows of the C++ example is what the example says."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_quotes_are_of_the_example():
    page = ROOT.joinpath("docs", "cpp.md").read_text()
    example = "".join(
        squeezed(file.read_text()) for file in ROOT.joinpath("examples", "cpp").iterdir()
    )
    quotes = re.findall(r"^```(?:cpp|cmake)\n(.*?)^```$", page, re.M | re.S)
    assert len(quotes) >= 7
    for quote in quotes:
        assert squeezed(quote) in example, quote


def squeezed(text: str) -> str:
    """The text with one space for all space: how far it is indented is the quotation's affair."""
    return " ".join(text.split())
