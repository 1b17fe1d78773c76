"""The state of one trace on the Python side: what is carried, which values can still be seen."""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from enigma import _core
from enigma.errors import error

if TYPE_CHECKING:
    from enigma.carry import Cells
    from enigma.launch import JitSession
    from enigma.loops import Loop
    from enigma.region import Region
    from enigma.watch import Watched

# Where a Python number became a value: the region's number in the trace, its own number in there.
Origin = tuple[int, int]
# The types that such numbers need, as earlier traces found.
Hints = dict[Origin, _core.DType]


class Retrace(BaseException):
    """Ends a trace that has learnt something, so that the next one is right from the start.

    No Exception, since `except Exception` in a kernel must not catch it.
    """


class Session:
    """One trace of one kernel.

    A Python number that a region carries has no type of its own. It takes the type of its literal
    (int is i32), until a body gives it something that this type cannot hold; then `hints` notes
    the wider type, and the kernel is traced again. `soft` knows the values whose type is such a
    guess, and where the guess was made.
    """

    def __init__(self, trace: _core.Trace, hints: Hints, adopted: set[int]) -> None:
        self.trace = trace
        self.hints = hints
        self.adopted = adopted  # ids of the code of helpers that were rewritten for this kernel
        self._cells: list[weakref.ref[Cells]] = []  # in the order in which they were made
        self.regions = 0
        self.loops: list[Loop] = []  # open ones, innermost last
        self.unentered: list[Region] = []  # made, but not the subject of a `with` or `for` yet
        self.scalars: dict[str, _core.IRValue] = {}  # of a jit function, as far as it uses them
        self.negative: set[Origin] = set()  # numbers that no unsigned type can take
        self.failure: str | None = None
        self.watched: dict[int, Watched] = {}  # lists of numbers that regions watch, by id
        self._soft: dict[int, tuple[Any, Origin]] = {}  # by id; holds the value
        self._starts: list[int] = []  # closed regions as ranges of value numbers, outermost only
        self._ends: list[int] = []

    def origin(self, value: Any) -> Origin | None:
        """Where the type of a value was guessed; None when it was not."""
        found = self._soft.get(id(value))
        return found[1] if found else None

    def soften(self, value: Any, origin: Origin | None) -> None:
        """Notes that the type of a value is a guess."""
        if origin is not None:
            self._soft[id(value)] = (value, origin)

    def widen(self, origin: Origin | None, wanted: _core.DType) -> bool:
        """Asks for another type of a number; False when that would change nothing."""
        if origin is None or (wanted.is_unsigned and origin in self.negative):
            return False
        have = self.hints.get(origin)
        new = wanted if have is None else joined(have, wanted)
        if new == have:
            return False
        self.hints[origin] = new
        return True

    def hold(self, cells: Cells) -> None:
        """Has every region carry the numbers of `cells`, for as long as the kernel keeps it."""
        self._cells.append(weakref.ref(cells))

    def cells(self) -> list[Cells]:
        """Those that the kernel still keeps."""
        living = [(ref, cells) for ref in self._cells if (cells := ref()) is not None]
        self._cells = [ref for ref, _ in living]
        return [cells for _, cells in living]

    def close_range(self, start: int, end: int) -> None:
        """Values numbered from start up to end belong to a region that has ended."""
        while self._starts and self._starts[-1] >= start:
            self._starts.pop()
            self._ends.pop()
        self._starts.append(start)
        self._ends.append(end)

    def visible(self, value: Any) -> bool:
        """Whether a number can be used here: not a value of a region that has ended."""
        if not isinstance(value, _core.IRValue):
            return True
        return self.sees(value.id)

    def sees(self, number: int) -> bool:
        """The same for the number of a traced value."""
        k = bisect_right(self._starts, number) - 1
        return k < 0 or number >= self._ends[k]

    def abandon(self, reason: str) -> None:
        """Marks the trace as broken: an exception has left a region that was open."""
        if self.failure is None:
            self.failure = reason
            self.trace.abandon()

    def __enter__(self) -> Session:
        self.trace.__enter__()
        sessions().append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        sessions().pop()
        self.trace.__exit__(None, None, None)


def joined(a: _core.DType, b: _core.DType) -> _core.DType:
    """The type in which values of two types meet, as for operators; a bool gives way."""
    if a == b or b.is_bool:
        return a
    if a.is_bool:
        return b
    if a.is_float or b.is_float:
        if a.is_float and b.is_float:
            return _core.f32
        return a if a.is_float else b
    if a.width != b.width:
        return a if a.width > b.width else b
    return a if a.is_unsigned else b


_local = threading.local()


def sessions() -> list[Session]:
    """The traces that this thread is in, innermost last."""
    try:
        return _local.stack
    except AttributeError:
        _local.stack = []
        return _local.stack


def jits() -> list[JitSession]:
    """The jit functions that this thread runs, innermost last."""
    try:
        return _local.jits
    except AttributeError:
        _local.jits = []
        return _local.jits


def session(what: str) -> Session:
    """The trace that this thread is in; EnigmaError, which names `what`, when there is none."""
    stack = sessions()
    if not stack:
        _core.current_trace(f"enigma.{what}")
        raise error(f"enigma.{what} is used outside a kernel")
    return stack[-1]
