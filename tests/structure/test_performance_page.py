"""docs/performance.md is what the kernels' IR says; --update-golden writes it."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_page(golden):
    from benchmarks import economy

    golden("performance.md", economy.page(), folder=ROOT / "docs")
