"""Python values as flat lists of traced values: what a region carries, and how it is put back."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import chain, repeat
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from enigma._core import (
    DType,
    Fragment,
    IRValue,
    fragment_form,
    fragment_of,
    fragment_values,
)
from enigma.errors import error
from enigma.session import session

# How deep in lists, tuples and dicts numbers are looked for.
DEPTH = 8

# The shape of a number; other shapes are tuples (kind, details...).
Shape = tuple[Any, ...]
NUMBER: Shape = ("number",)
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


def is_literal(x: object) -> bool:
    """Whether x is a Python number, which has no type of its own."""
    return type(x) in (bool, int, float)


def is_value(x: object) -> bool:
    """Whether a region can carry x by itself: a number, or a fragment of them."""
    return isinstance(x, (*_NUMBERS, Fragment))


def flatten(value: Any, leaves: list[Any], depth: int = DEPTH, like: Shape | None = None) -> Shape:
    """Appends the numbers in `value` to `leaves`; gives the shape from which it can be rebuilt.

    Fragments are taken apart into vectors as those of the shape `like` are, where they fit.
    """
    if isinstance(value, _NUMBERS):
        leaves.append(value)
        return NUMBER
    kind = type(value)

    def parts(values: Any, skip: int) -> list[Shape]:
        wanted = like[skip:] if like and like[0] is kind else ()
        return [
            flatten(x, leaves, depth - 1, part)
            for x, part in zip(values, chain(wanted, repeat(None)), strict=False)
        ]

    if kind is Fragment:
        form = fragment_form(value, like[1] if like and like[0] is kind else None)
        values = fragment_values(value, form)
        leaves += values
        return (kind, form, *[NUMBER] * len(values))
    if isinstance(value, Cells) and depth == DEPTH:  # within others it carries itself
        return (kind, value._form(), *parts(value._values, 2))
    if depth:
        if isinstance(value, tuple) or kind is list:
            return (kind, *parts(value, 1))
        if kind is dict:
            return (kind, tuple(map(Opaque, value)), *parts(value.values(), 2))
    return (Opaque(value),)


def rebuild(shape: Shape, leaves: Iterator[Any]) -> Any:
    """The value of this shape with other numbers in it."""
    kind = shape[0]
    if kind == "number":
        return next(leaves)
    if isinstance(kind, Opaque):
        return kind.value
    if kind is dict:
        keys = [key.value for key in shape[1]]
        return dict(zip(keys, [rebuild(s, leaves) for s in shape[2:]], strict=True))
    if kind is Fragment:
        return fragment_of([next(leaves) for _ in shape[2:]], shape[1])
    if issubclass(kind, Cells):
        return kind._of([rebuild(s, leaves) for s in shape[2:]], shape[1])
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
    if isinstance(a, IRValue) and isinstance(b, IRValue):
        return a.id == b.id
    return type(a) is type(b) and repr(a) == repr(b)


def describe(shape: Shape) -> str:
    """What a shape is called in messages."""
    kind = shape[0]
    if kind == "number":
        return "a number"
    if isinstance(kind, Opaque):
        return repr(kind.value) if kind.value is None else f"a {type(kind.value).__name__}"
    if kind is Fragment:
        return f"a fragment of shape {shape[1][0]}"
    return f"a {kind.__name__} of {len(shape) - (1 if kind in (list, tuple) else 2)}"


class Cells:
    """Values that every region carries by itself, wherever the object is kept and passed to."""

    __slots__ = ("__weakref__", "_values")
    _values: list[Any]
    _literals: DType | None = None  # the type of Python numbers that a loop carries

    def _hold(self, values: list[Any]) -> None:
        """Takes the values, and belongs to the trace from here on."""
        self._values = values
        session(type(self).__name__).hold(self)

    @classmethod
    def _of(cls, values: list[Any], form: Any) -> Any:
        """Another one with these values, of that `form`."""
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
            self._check(value)
        self._hold(list(values))

    def __getitem__(self, index: int) -> Any:
        return self._values[self._at(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        self._check(value)
        self._values[self._at(index)] = value

    def _at(self, index: int) -> int:
        count = len(self._values)
        if not hasattr(index, "__index__") or not -count <= operator.index(index) < count:
            raise error(
                f"a Carry of {count} values is indexed by an int from 0 to {count - 1}, not "
                f"{index!r}"
            )
        return operator.index(index)

    @staticmethod
    def _check(value: Any) -> None:
        if not is_value(value):
            raise error(f"a Carry holds numbers and values of the kernel, not {value!r}")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._values))

    def __repr__(self) -> str:
        return f"Carry({', '.join(map(repr, self._values))})"
