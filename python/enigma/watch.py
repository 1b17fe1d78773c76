"""What a region watches: containers that its body could change in a way that is not carried."""

from __future__ import annotations

from typing import Any

from enigma import _core
from enigma.carry import flatten, same_number
from enigma.session import Session


class Watched:
    """The contents of a container at the beginning of a region.

    A kernel may keep all that it computes in one list, and open a region for each of it: what
    has been looked at `before` in a list of numbers is not looked at again.
    """

    __slots__ = ("leaves", "newest", "shape", "usable", "value")

    def __init__(self, session: Session, value: Any, before: Watched | None) -> None:
        self.value = value
        new: list[Any] = []
        if before is not None and before.value is value and before.is_kept():
            known = before.leaves
            self.shape = before.shape + flatten(value[len(known) :], new)[1:]
        else:
            before, known = None, []
            self.shape = flatten(value, new)
        self.leaves = known + new
        self.usable = all(map(session.visible, new)) and (before is None or before.usable)
        # As long as this number's region is open, so are those of all numbers in here.
        numbers = [leaf.id for leaf in new if isinstance(leaf, _core.IRValue)]
        self.newest = max(numbers, default=-1)
        if before is not None:
            self.newest = max(self.newest, before.newest)

    def is_plain(self) -> bool:
        """Whether this may be a list of numbers only; then `is_kept` finds out."""
        return type(self.value) is list and len(self.shape) == 1 + len(self.leaves)

    def is_kept(self) -> bool:
        """Whether this is a list of numbers which still has them all at its beginning."""
        return self.is_plain() and _core.same_objects(self.leaves, self.value) == len(self.leaves)

    def is_visible(self, session: Session) -> bool:
        """Whether all numbers can be used here: none is left over from an earlier region."""
        return self.usable and session.sees(self.newest)

    def is_changed(self) -> bool:
        """Whether other numbers are there now. What is appended is no change."""
        if self.is_kept():
            return False
        after: list[Any] = []
        shape = flatten(self.value, after)
        return shape[: len(self.shape)] != self.shape or not all(
            map(same_number, self.leaves, after)
        )


def watched(session: Session, value: Any) -> Watched:
    """The contents of a container as they are now."""
    before = session.watched.get(id(value))
    if before is not None and before.is_kept() and len(before.leaves) == len(value):
        return before
    now = Watched(session, value, before)
    if now.is_plain():  # others may hold what must not live as long as the trace
        session.watched[id(value)] = now
    return now
