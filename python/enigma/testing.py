"""For test suites of programs that use Enigma: what this machine can run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from enigma import _core
from enigma.errors import EnigmaError

__all__ = [
    "is_apple_silicon",
    "is_darwin",
    "is_metal_available",
    "requires_apple_silicon",
    "requires_metal",
    "skip_if_no_metal",
]

Test = TypeVar("Test", bound=Callable[..., Any])

_NO_METAL = "needs a Metal GPU"


def is_darwin() -> bool:
    """Whether this is macOS."""
    return sys.platform == "darwin"


def is_apple_silicon() -> bool:
    """Whether this is a Mac with an Apple chip."""
    return is_darwin() and platform.machine() == "arm64"


def is_metal_available() -> bool:
    """Whether kernels can run on a Metal GPU here, whatever ENIGMA_DEVICE says."""
    try:
        _core.metal_runtime()
    except EnigmaError:
        return False
    return True


def requires_metal(test: Test) -> Test:
    """Marks a pytest test or class that is skipped where there is no Metal GPU."""
    import pytest

    return pytest.mark.skipif(not is_metal_available(), reason=_NO_METAL)(test)


def requires_apple_silicon(test: Test) -> Test:
    """Marks a pytest test or class that is skipped on other machines than Apple's."""
    import pytest

    return pytest.mark.skipif(not is_apple_silicon(), reason="needs Apple silicon")(test)


def skip_if_no_metal() -> None:
    """Skips the pytest test that calls it where there is no Metal GPU."""
    import pytest

    if not is_metal_available():
        pytest.skip(_NO_METAL)
