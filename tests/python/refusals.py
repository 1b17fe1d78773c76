"""What Enigma refuses: the error of a call, at the line of the test that is at fault."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

import enigma


def refused(kernel: enigma.KernelDef, *, marked: bool = True) -> str:
    """The message of the error that compiling gives; the line at fault is marked HERE."""
    if not marked:
        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(kernel)
        return caught.value.message
    error = _error(sys._getframe(1).f_code.co_filename, enigma.compile, kernel)
    assert "# HERE" in str(error).splitlines()[-1], str(error)
    return error.message


def error_of(call: Callable[..., Any], *arguments: Any) -> enigma.EnigmaError:
    """The error of a call, in the file that asks for it."""
    return _error(sys._getframe(1).f_code.co_filename, call, *arguments)


def messages(calls: dict[str, Callable[[], Any]]) -> str:
    """The text of a golden file: what is done, and below it what the error of that says."""
    file = sys._getframe(1).f_code.co_filename
    return "".join(f"{what}\n    {_error(file, call).message}\n" for what, call in calls.items())


def lines(text: str, names: dict[str, Any], file: str) -> dict[str, Callable[[], Any]]:
    """A call for each line of a text, which is its name."""
    found = text.strip().splitlines()
    return {x: functools.partial(eval, compile(x, file, "eval"), names) for x in found}


def _error(file: str, call: Callable[..., Any], *arguments: Any) -> enigma.EnigmaError:
    with pytest.raises(enigma.EnigmaError) as caught:
        call(*arguments)
    assert caught.value.filename == file, caught.value
    return caught.value
