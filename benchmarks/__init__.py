"""Benchmarks of Enigma: python -m benchmarks, or make bench. The examples are imported by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
