"""What a region watches: containers that its body could change in a way that is not carried."""

from __future__ import annotations

from typing import Any

from enigma import _core
from enigma.carry import NUMBER, flatten, same_number
from enigma.session import Session


class Watched:
    """The contents of a container at the beginning of a region.

    A kernel may keep all that it computes in one list, and open a region for each of it. So what
    has been looked at in a list of numbers, `before`, is neither looked at again nor copied.
    """

    __slots__ = ("count", "leaves", "newest", "shape", "usable", "value")
    count: int

    def __init__(self, session: Session, value: Any, before: Watched | None) -> None:
        self.value = value
        new: list[Any] = []
        if before is None:
            shape = flatten(value, new)
            self.shape = None if type(value) is list and is_flat(shape) else shape
            self.leaves = new
            self.usable = True
        else:
            shape = flatten(value[before.count :], new)
            self.shape = None if is_flat(shape) else flatten(value, [])
            # Others that have this list count its first numbers only.
            shared = before.leaves
            self.leaves = shared if len(shared) == before.count else shared[: before.count]
            self.leaves += new
            self.usable = before.usable
        self.count = len(self.leaves)
        self.usable = self.usable and all(map(session.visible, new))
        # As long as this number's region is open, so are those of all numbers in here.
        numbers = [leaf.id for leaf in new if isinstance(leaf, _core.IRValue)]
        self.newest = max(numbers, default=-1)
        if before is not None:
            self.newest = max(self.newest, before.newest)

    def is_kept(self) -> bool:
        """Whether this is a list of numbers which still has them all at its beginning."""
        return self.shape is None and _core.same_objects(self.leaves, self.value, self.count)

    def is_visible(self, session: Session) -> bool:
        """Whether all numbers can be used here: none is left over from an earlier region."""
        return self.usable and session.sees(self.newest)

    def is_changed(self) -> bool:
        """Whether other numbers are there now. What is appended is no change."""
        if self.is_kept():
            return False
        before = self.leaves[: self.count]
        noted = flatten(before, []) if self.shape is None else self.shape
        after: list[Any] = []
        shape = flatten(self.value, after)
        return shape[: len(noted)] != noted or not all(map(same_number, before, after))


def is_flat(shape: tuple[Any, ...]) -> bool:
    """Whether there are numbers only, and None for the shape will do."""
    return all(part is NUMBER for part in shape[1:])


def watched(session: Session, value: Any) -> Watched:
    """The contents of a container as they are now."""
    before = session.watched.get(id(value))
    if before is None or not before.is_kept():
        now = Watched(session, value, None)
    elif before.count == len(value):
        return before
    else:
        now = Watched(session, value, before)
    if now.shape is None:  # others may hold what must not live as long as the trace
        session.watched[id(value)] = now
    return now
