"""Register tensors: small arrays of each thread's own, whose elements are values of the kernel."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from enigma import _core
from enigma.carry import Cells, is_number
from enigma.errors import error
from enigma.session import session

__all__ = ["RegisterTensor", "register_tensor"]

# What a thread has on Apple's GPUs: 128 registers of 32 bits, of which the kernel's other values
# need some too.
REGISTER_BYTES = 512

Form = tuple[tuple[int, ...], _core.DType]


def register_tensor(
    shape: int | tuple[Any, ...],
    dtype: _core.DType | str | type = "float",
    fill: _core.IRValue | float | np.generic = 0,
) -> RegisterTensor:
    """A tensor in the registers of each thread: fast, small, and indexed by constants only.

    `shape` is an int or a tuple of ints, nested or not, row-major; every element begins as `fill`.
    A write converts to `dtype`. What the body of a ``for_range``, ``while_`` or ``if_`` writes is
    carried::

        acc = enigma.register_tensor((4, 4))
        with enigma.for_range(0, K) as k:
            for i in enigma.range_constexpr(4):
                for j in enigma.range_constexpr(4):
                    acc[i, j] = enigma.fma(a[i, k], b[k, j], acc[i, j])

    A thread has some 512 bytes of registers on Apple's GPUs, and what does not fit is kept in
    memory. Register tensors that together need more give a warning.

    ``load()`` gives all elements as the Fragment that a tensor's ``load()`` gives, and ``store``
    takes one, element for element of the same coordinate.

    Errors: EnigmaError for a shape that is not made of positive ints, for an index that is traced
    or outside of the shape, and outside of a kernel.
    """
    current = session("register_tensor")
    extents = tuple(_extents(shape))
    if not extents:
        raise error("register_tensor: the shape is empty")
    if not is_number(fill):
        raise error(f"register_tensor: fill is a number or a value of the kernel, not {fill!r}")
    element = _core.dtype(dtype)
    first = element(fill)
    made: RegisterTensor = RegisterTensor._of([first] * math.prod(extents), (extents, element))
    _warn_of_spills(current)
    return made


def _extents(shape: Any) -> Iterator[int]:
    """The sizes of a shape, nested tuples taken apart."""
    if isinstance(shape, (tuple, list)):
        for part in shape:
            yield from _extents(part)
        return
    if isinstance(shape, _core.IRValue):
        raise error(
            "register_tensor: the shape must be known while tracing, so it is made of ints, not "
            "of traced values"
        )
    try:
        extent = operator.index(shape)
    except TypeError:
        raise error(
            f"register_tensor: the shape is an int or a tuple of ints, not {shape!r}"
        ) from None
    if extent < 1:
        raise error(f"register_tensor: the shape has the size {extent}: it must be at least 1")
    yield extent


def _warn_of_spills(current: Any) -> None:
    living = [cells for cells in current.cells() if isinstance(cells, RegisterTensor)]
    held = [t for t in living if all(map(current.visible, t._values))]
    size = sum(t.size * t.dtype.itemsize for t in held)
    before = size - held[-1].size * held[-1].dtype.itemsize
    if before <= REGISTER_BYTES < size:
        names = ", ".join(str(t) for t in held)
        current.trace.warn(
            f"register_tensor: this kernel's register tensors, {names}, need {size} bytes, and a "
            f"thread has {REGISTER_BYTES} bytes of registers on Apple's GPUs: the rest spills to "
            "memory; use smaller tiles, or more threads for the same work"
        )


class RegisterTensor(Cells):
    """What register_tensor gives: elements in registers, by constant indices."""

    __slots__ = ("_name", "dtype", "shape")
    shape: tuple[int, ...]
    dtype: _core.DType
    _name: str

    def __init__(self) -> None:
        raise error("a RegisterTensor is made by enigma.register_tensor(shape, dtype, fill)")

    def _form(self) -> Form:
        return self.shape, self.dtype

    def _shape(self, form: Form) -> None:
        self.shape, self.dtype = form
        self._name = ""

    def _labels(self) -> list[str]:
        if not self.name:
            return []
        if self.size == 1:
            return [self.name]
        indices = np.ndindex(self.shape)
        return ["_".join([self.name, *map(str, index)]) for index in indices]

    @property
    def name(self) -> str:
        """The Python name, "" when none is known; the first one given stays."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = self._name or name

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def offset(self, index: Any) -> int:
        """The row-major number of the element at an index; EnigmaError when there is none."""
        at = list(self._indices(index))
        if len(at) == 1 and len(self.shape) > 1:
            return self._checked(at[0], self.size)
        if len(at) != len(self.shape):
            raise error(
                f"{self._called()} has {len(self.shape)} dimension{'s' * (len(self.shape) > 1)}, "
                f"but is indexed by {len(at)}; give an index for each"
            )
        number = 0
        for i, extent in zip(at, self.shape, strict=True):
            number = number * extent + self._checked(i, extent)
        return number

    def _indices(self, index: Any) -> Iterator[int]:
        if isinstance(index, tuple):
            for part in index:
                yield from self._indices(part)
            return
        if isinstance(index, _core.IRValue):
            raise error(
                f"{self._called()} is in registers, which have no addresses: its indices must be "
                "ints known while tracing, not traced values; loop over them with "
                "enigma.range_constexpr, or keep the values in threadgroup memory"
            )
        try:
            yield operator.index(index)
        except TypeError:
            raise error(f"the index of {self._called()} must be an int, but is {index!r}") from None

    def _checked(self, i: int, extent: int) -> int:
        if not 0 <= i < extent:
            raise error(f"index {i} is outside of {self._called()}, of size {extent}")
        return i

    def _called(self) -> str:
        return f"'{self.name}'" if self.name else "a register tensor"

    def __getitem__(self, index: Any) -> _core.IRValue:
        return self._values[self.offset(index)]

    def __setitem__(self, index: Any, value: _core.IRValue | float | np.generic) -> None:
        self._values[self.offset(index)] = self._converted(value)

    def _converted(self, value: _core.IRValue | float | np.generic) -> _core.IRValue:
        if not is_number(value):
            raise error(f"an element of {self._called()} is a number, not {value!r}")
        if isinstance(value, _core.IRValue) and value.dtype == self.dtype:
            return value
        return self.dtype(value)

    def load(self) -> _core.Fragment:
        """All elements, as a tensor's load() gives them: to compute with, or to store to a view."""
        order = self._order()
        groups = tuple((k,) for k in range(self.size))
        return _core.fragment_of([self._values[at] for at in order], (self.shape, groups))

    def store(self, value: _core.Fragment | _core.IRValue | float | np.generic) -> None:
        """Writes a fragment of the same shape, or one number to all elements."""
        if not isinstance(value, _core.Fragment):
            values = [value] * self.size
        elif _core.flatten(value.shape) == self.shape or (len(value),) == self.shape:
            values = list(value)
        else:
            raise error(
                f"store(): a fragment of shape {value.shape} does not fit {self._called()}, of "
                f"shape {self.shape}"
            )
        for at, x in zip(self._order(), values, strict=True):
            self._values[at] = self._converted(x)

    def _order(self) -> list[int]:
        """The row-major numbers of the elements, with the first dimension fastest, as fragments."""
        return [int(n) for n in np.arange(self.size).reshape(self.shape).ravel("F")]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> NoReturn:
        raise error(
            f"{self._called()} cannot be iterated over; use `for i in enigma.range_constexpr(n):` "
            "and index it"
        )

    def __str__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        return f"{self.name + ': ' * bool(self.name)}{sizes} x {self.dtype.name}"

    def __repr__(self) -> str:
        return f"<RegisterTensor {self}>"


def _refuse(self: RegisterTensor, other: object) -> NoReturn:
    index = ", ".join("0" * len(self.shape))
    raise error(
        f"{self._called()} is a register tensor, not a value; read an element of it, as "
        f"{self.name or 'acc'}[{index}], or all of them, as {self.name or 'acc'}.load()"
    )


# Left to Python, `acc == 3` would be False, and the others errors without advice.
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge",
              "eq", "ne"):  # fmt: skip
    setattr(RegisterTensor, f"__{_name}__", _refuse)
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(RegisterTensor, f"__r{_name}__", _refuse)
