"""EnigmaError, the one exception for every misuse; it shows the line of the user's code."""

from __future__ import annotations

import sys
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


class OutsideKernel(EnigmaError, AttributeError):
    """The error of an attribute that has a value only while a kernel is traced.

    It is an AttributeError as well, so that hasattr() and inspect work on the module.
    """


def user_line() -> tuple[str | None, int | None]:
    """File and line of the innermost running Python frame outside of this package."""
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__") or ""
        if module != "enigma" and not module.startswith("enigma."):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None, None


def error(message: str) -> EnigmaError:
    """An EnigmaError at the user's line that runs."""
    return EnigmaError(message, *user_line())
