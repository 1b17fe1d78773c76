"""Python values as flat lists of traced values: what a region carries, and how it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from enigma._core import DType, IRValue
from enigma.errors import error
from enigma.session import session

# How deep in lists, tuples and dicts numbers are looked for.
DEPTH = 8

# The shape of a number; other shapes are tuples (kind, details...).
NUMBER = ("number",)
_NUMBERS = (IRValue, bool, int, float, np.generic)


class Handle:
    """What a region binds for its syntax's sake: it means nothing once the region has ended."""

    __slots__ = ()


# Python objects that are no values of a kernel, and of which the last one bound counts.
_DEFINITIONS = (FunctionType, BuiltinFunctionType, ModuleType, type, Handle)


class Opaque:
    """A part of a Python value that is no number: compared, never carried."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Opaque):
            return NotImplemented
        a, b = self.value, other.value
        if a is b or (isinstance(a, _DEFINITIONS) and isinstance(b, _DEFINITIONS)):
            return True
        return type(a) is type(b) and isinstance(a, (str, bytes, range, DType)) and a == b

    __hash__ = None  # type: ignore[assignment]


def is_number(x: object) -> bool:
    """Whether x is a traced value, or a number that can become one."""
    return isinstance(x, _NUMBERS)


def flatten(value: Any, leaves: list[Any], depth: int = DEPTH) -> tuple[Any, ...]:
    """Appends the numbers in `value` to `leaves`; gives the shape from which it can be rebuilt."""
    if isinstance(value, _NUMBERS):
        leaves.append(value)
        return NUMBER
    kind = type(value)
    if isinstance(value, Cells) and depth == DEPTH:  # within others it carries itself
        leaves += value._values
        return (kind, value._form(), *[NUMBER] * len(value._values))
    if depth:
        if isinstance(value, tuple) or kind is list:
            return (kind, *[flatten(x, leaves, depth - 1) for x in value])
        if kind is dict:
            items = [flatten(x, leaves, depth - 1) for x in value.values()]
            return (kind, tuple(map(Opaque, value)), *items)
    return (Opaque(value),)


def rebuild(shape: tuple[Any, ...], leaves: Iterator[Any]) -> Any:
    """The value of this shape with other numbers in it."""
    kind = shape[0]
    if kind == "number":
        return next(leaves)
    if isinstance(kind, Opaque):
        return kind.value
    if kind is dict:
        keys = [key.value for key in shape[1]]
        return dict(zip(keys, [rebuild(s, leaves) for s in shape[2:]], strict=True))
    if issubclass(kind, Cells):
        return kind._of([next(leaves) for _ in shape[2:]], shape[1])
    items = [rebuild(s, leaves) for s in shape[1:]]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)  # named tuples


def is_container(value: object) -> bool:
    """Whether numbers in `value` can be replaced in place."""
    return type(value) in (list, dict) or isinstance(value, Cells)


def refill(container: Any, value: Any) -> None:
    """Gives a container the contents of another one of the same shape."""
    if type(container) is dict:
        container.update(value)
    elif isinstance(container, Cells):
        container._values[:] = value._values
    else:
        container[:] = value


def same_number(a: object, b: object) -> bool:
    """Whether two Python numbers are the same constant: of one type, and equal bit by bit."""
    if isinstance(a, IRValue) or isinstance(b, IRValue):
        return a is b
    return type(a) is type(b) and repr(a) == repr(b)


def describe(shape: tuple[Any, ...]) -> str:
    """What a shape is called in messages."""
    kind = shape[0]
    if kind == "number":
        return "a number"
    if isinstance(kind, Opaque):
        return repr(kind.value) if kind.value is None else f"a {type(kind.value).__name__}"
    return f"a {kind.__name__} of {len(shape) - (1 if kind in (list, tuple) else 2)}"


class Cells:
    """Numbers that every region carries by itself, wherever the object is kept and passed to."""

    __slots__ = ("__weakref__", "_values")
    _values: list[Any]
    _literals: DType | None = None  # the type of Python numbers that a loop carries

    def _hold(self, values: list[Any]) -> None:
        """Takes the numbers, and belongs to the trace from here on."""
        self._values = values
        session(type(self).__name__).hold(self)

    @classmethod
    def _of(cls, values: list[Any], form: Any) -> Any:
        """Another one with these numbers, of that `form`."""
        self = cls.__new__(cls)
        self._shape(form)
        self._hold(values)
        return self

    def _form(self) -> Any:
        """What two of them must have in common to be carried one as the other."""
        return None

    def _shape(self, form: Any) -> None:
        """Takes what `_form` gives."""

    def _labels(self) -> list[str]:
        """The names of the numbers in the MSL; empty where nothing names them."""
        return []


class Carry(Cells):
    """Values that every region carries, whether or not Enigma can read the kernel's source.

    A name that is rebound in the body of a ``for_range``, ``while_`` or ``if_`` is carried by
    itself where the source of the kernel can be had. Where it cannot (``exec``, ``python -c``),
    keep such values in a Carry made in the kernel::

        acc = enigma.Carry(0.0)
        with enigma.for_range(0, n) as i:
            acc[0] = acc[0] + A[i]
        Out[tid] = acc[0]

    ``init=[a, b]`` with one name, ``as (i, c)``, binds a Carry as well. It has a length, can be
    unpacked, and is read after the loop for the results.
    """

    __slots__ = ()

    def __init__(self, *values: Any) -> None:
        for value in values:
            if not is_number(value):
                raise error(f"a Carry holds numbers and values of the kernel, not {value!r}")
        self._hold(list(values))

    def __getitem__(self, index: int) -> Any:
        return self._values[index]

    def __setitem__(self, index: int, value: Any) -> None:
        if not is_number(value):
            raise error(f"a Carry holds numbers and values of the kernel, not {value!r}")
        self._values[index] = value

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._values))

    def __repr__(self) -> str:
        return f"Carry({', '.join(map(repr, self._values))})"
