"""docs/performance.md is what the kernels' IR says; --update-golden writes it."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def test_page(golden):
    from benchmarks import economy

    golden("performance.md", economy.page(), folder=ROOT / "docs")
