"""EnigmaError, the one exception for every misuse; it shows the line of the user's code."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

__all__ = ["EnigmaError", "user_line"]


class EnigmaError(Exception):
    """A mistake in a kernel or its use: what was expected, what was given, what to write instead.

    ``filename`` and ``lineno`` say where in the user's code, or are None where no line is known.
    ``str()`` gives the message, then the place and its source line.
    """

    def __init__(
        self, message: str, filename: str | None = None, lineno: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        if not self.filename or not self.lineno:
            return self.message
        import linecache

        text = f'{self.message}\n  File "{self.filename}", line {self.lineno}'
        line = linecache.getline(self.filename, self.lineno).strip()
        return f"{text}\n    {line}" if line else text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.filename, self.lineno)


class NoAttribute(EnigmaError, AttributeError):
    """The error of a name that enigma does not have, or has only while a kernel is traced.

    It is an AttributeError as well, so that hasattr() and inspect work on the module.
    """


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package."""
    module = frame.f_globals.get("__name__") or ""
    return module == "enigma" or module.startswith("enigma.")


def user_line() -> tuple[str | None, int | None]:
    """File and line of the innermost running Python frame outside of this package."""
    frame = sys._getframe(1)
    while frame is not None:
        if not is_ours(frame):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None, None


def error(message: str) -> EnigmaError:
    """An EnigmaError at the user's line that runs."""
    return EnigmaError(message, *user_line())
