"""Regions: what a traced `with` or `for` does to the Python names around it, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np

from enigma import _core
from enigma.carry import (
    Cells,
    Handle,
    Shape,
    describe,
    flatten,
    is_container,
    is_number,
    rebuild,
    refill,
    same_number,
)
from enigma.errors import EnigmaError, is_ours, user_line
from enigma.session import Retrace, session
from enigma.watch import Watched, watched

Value = Any  # IRValue, a Python number or a numpy scalar
# Names of the rewritten source that are none of the user's.
TEMPORARY = "__enigma_"


def stood_for(value: Any) -> Any:
    """The value of the kernel that a scalar or a size of a jit function stands for."""
    resolve = getattr(type(value), "__enigma_value__", None)
    return value if resolve is None else resolve(value)


class Slot:
    """A name, or a container, whose numbers a region may change."""

    def __init__(self, name: str | None, value: Any, like: Shape | None = None) -> None:
        self.name = name
        self.key: Any = name if name is not None else id(value)
        self.value = value
        self.container = is_container(value)
        self.literals = value._literals if isinstance(value, Cells) else None
        self.leaves: list[Any] = []
        self.shape = flatten(value, self.leaves, like=like)
        self.args: list[Any] = []
        self.inside: Any = value
        self.after: list[Any] = []
        self.shape_after = self.shape
        self.rebound = False

    def labels(self) -> list[str]:
        """The names of the numbers; empty where they have none."""
        if isinstance(self.value, Cells) and (labels := self.value._labels()):
            return labels
        if self.name is None:
            return []
        count = len(self.leaves)
        return [self.name] if count == 1 else [f"{self.name}_{k}" for k in range(count)]

    def enter(self, trace: _core.Trace, args: list[Any]) -> None:
        """Puts the values that the region knows in the place of those before it."""
        self.args = args
        if not args:
            return
        for arg, label in zip(args, self.labels(), strict=False):
            trace.set_name(arg, label)
        value = rebuild(self.shape, iter(args))
        if self.container:
            refill(self.value, value)
        else:
            self.inside = value

    def read(self, region: Region, scope: dict[str, Any]) -> None:
        """Reads what the region's body leaves behind."""
        value = self.value if self.container else self.inside
        if self.name is not None:
            if self.name in scope:
                value = stood_for(scope[self.name])
            elif region.managed:
                raise region.error(f"'{self.name}' is deleted in the {region.kind} {region.at()}")
        self.rebound = self.container and value is not self.value
        self.after = []
        self.shape_after = flatten(value, self.after, like=self.shape)
        if self.shape_after != self.shape:
            advice = "use another name"
            if isinstance(value, _core.Fragment) and is_number(self.value):
                fill = self.name if isinstance(self.value, _core.IRValue) else self.value
                advice = (
                    f"start it as a fragment, of enigma.register_tensor({value.shape}, "
                    f'"{value.dtype.name}", {fill}).load()'
                )
            raise region.error(
                f"{describe_slot(self)} is {describe(self.shape)} before the {region.kind} "
                f"{region.at()} and {describe(self.shape_after)} at the end of its body: a traced "
                f"region can change numbers only; {advice}"
            )

    def holds_args(self) -> bool:
        leaves: list[Any] = []
        flatten(self.value, leaves)
        return len(leaves) == len(self.args) and all(map(same_number, leaves, self.args))

    def unchanged(self, k: int) -> bool:
        """Whether number k ends each turn as it began, so that it is still what it was before."""
        return same_number(self.after[k], self.args[k]) or (
            not isinstance(self.leaves[k], _core.IRValue)
            and same_number(self.leaves[k], self.after[k])
        )

    def restore(self, bound: dict[str, Any]) -> None:
        """Undoes what a body has bound, for another body that starts from the same state."""
        if self.container:
            refill(self.value, rebuild(self.shape, iter(self.leaves)))
        if self.name is not None:
            bound[self.name] = self.value

    def finish(self, current: Any, values: list[Any], bound: dict[str, Any]) -> None:
        """Binds the region's results."""
        for value, label in zip(values, self.labels(), strict=False):
            if isinstance(value, _core.IRValue):
                current.trace.set_name(value, label)
        if self.container and not self.rebound:
            refill(self.value, rebuild(self.shape, iter(values)))
            if self.name is not None:
                bound[self.name] = self.value
            return
        if self.container:
            refill(self.value, rebuild(self.shape, iter(self.leaves)))
        if self.name is not None:
            bound[self.name] = rebuild(self.shape_after, iter(values))


def describe_slot(slot: Slot) -> str:
    return f"'{slot.name}'" if slot.name else f"a {type(slot.value).__name__}"


class Region(Handle):
    """A traced `with` or `for`. Made by the user, driven by the rewritten source (rewrite.py):

    ``_open`` before it, with the names that its body binds; ``__enter__``; ``_phases``, each of
    which gives names to bind; the body; ``_leave``, which ends the region in the IR and gives the
    names to bind after it; ``__exit__``. Where the source could not be rewritten, ``__enter__``
    and ``__exit__`` do it all, and what would be lost is an error.
    """

    kind = "region"

    def __init__(self) -> None:
        self.session = session(self.kind.removeprefix("enigma."))
        self.session.unentered.append(self)
        self.file, self.line = user_line()
        self.managed = False
        self.names: tuple[str, ...] = ()
        self.slots: list[Slot] = []
        self._slot_names: set[str] = set()
        self._watched: list[tuple[str, Watched]] = []
        self._arrays: list[tuple[str, np.ndarray[Any, Any], bytes]] = []
        self._left = False
        self._first = self._last = 0
        self._index_name: str | None = None
        self._values_of_target: list[Any] = []
        self._before: dict[str, Any] = {}
        self._frame: FrameType | None = None
        self._caller: FrameType | None = None

    def at(self) -> str:
        return f"at line {self.line}" if self.line else "here"

    def named(self) -> tuple[str, str]:
        return self.kind, self.at()

    def error(self, message: str) -> EnigmaError:
        return EnigmaError(message, self.file, self.line)

    # ---- driven by rewritten source ----
    def _open(
        self, scope: dict[str, Any], names: tuple[str, ...], stored: tuple[str, ...], target: Any
    ) -> None:
        """Collects what is carried: `names` that the body binds, containers that it stores into."""
        self.managed = True
        self.names = names
        self._bind_target(target)
        own = set(flat_names(target))
        own.update(slot.name for slot in self.slots if slot.name)
        for name in names + stored:
            if name in scope and name not in own:
                value = stood_for(scope[name])
                if name in names or is_container(value):
                    self._add(Slot(name, value))
                own.add(name)
        self._add_cells()
        self._watch(scope, stored)

    def _watch(self, scope: dict[str, Any], stored: tuple[str, ...]) -> None:
        """Notes what a body could change in a way that is not carried: see _check_watched."""
        mine = {id(slot.value) for slot in self.slots}
        for name, value in scope.items():
            if name in stored and isinstance(value, np.ndarray):
                self._arrays.append((name, value, value.tobytes()))
            elif name in stored and not is_container(value):
                value = getattr(value, "__dict__", None)  # of an object with attributes
            if is_container(value) and id(value) not in mine and not name.startswith(TEMPORARY):
                note = watched(self.session, value)
                if note.is_visible(self.session):
                    self._watched.append((name, note))

    def _check_watched(self) -> None:
        """An error for a number that the body has changed behind the back of the rewritten source:
        by a method, a function that it calls, an attribute. What is appended may stay."""
        for name, note in self._watched:
            if note.is_changed():
                raise self._not_carried(name)
        for name, array, before in self._arrays:
            if array.tobytes() != before:
                raise self._not_carried(name)

    def _not_carried(self, name: str) -> EnigmaError:
        return self.error(
            f"'{name}' is changed in the {self.kind} {self.at()} in a way that cannot be carried, "
            "since the body is traced once: a region carries names, and elements of lists and "
            "dicts that its body itself assigns; keep the value in a name or an enigma.Carry"
        )

    def _bind_target(self, target: Any) -> None:
        """Takes the names after `as`."""

    def _check_body(self, only_arms: bool) -> None:
        """Takes whether the body consists of `with` statements only."""

    def _phases(self) -> Iterator[dict[str, Any]]:
        yield self._bindings()

    def _leave(self, scope: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    # ---- shared ----
    def _add(self, slot: Slot) -> None:
        if slot.container and any(s.container and s.value is slot.value for s in self.slots):
            return
        if all(map(self.session.visible, slot.leaves)):  # else: left over from an earlier region
            self.slots.append(slot)
            if slot.name:
                self._slot_names.add(slot.name)

    def _add_cells(self) -> None:
        for cells in self.session.cells():
            self._add(Slot(None, cells))

    def _distribute(self, args: list[Any]) -> None:
        start = 0
        for slot in self.slots:
            end = start + len(slot.leaves)
            slot.enter(self.session.trace, args[start:end])
            start = end

    def _bindings(self) -> dict[str, Any]:
        return {slot.name: slot.inside for slot in self.slots if slot.name and not slot.container}

    def _begin(self, frame: FrameType) -> None:
        """First act of __enter__. Without rewritten source, notes what the frame's names hold."""
        self.session.unentered.remove(self)
        if self.managed:
            return
        from enigma import rewrite

        frame = self._caller or frame
        if not is_ours(frame):
            if rewrite.adopt(frame, self.session.adopted):
                raise Retrace
            self._frame = frame
            self._before = dict(frame.f_locals)
            self._contents = {
                k: Slot(k, v) for k, v in self._before.items() if type(v) in (list, dict)
            }
        self._add_cells()

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        if kind is not None:
            self.session.abandon(f"an exception has left the {self.kind} {self.at()}")
        elif not self.managed:
            self._leave({})
            self._check_lost()
        elif not self._left:
            raise self.error(f"the {self.kind} {self.at()} is left before its end")

    def _check_lost(self) -> None:
        """Without rewritten source: an error for a name whose new value the region would lose."""
        if self._frame is None:
            return
        after = self._frame.f_locals
        for name, old in self._before.items():
            new = after.get(name, old)
            changed = Slot(name, new)
            slot = self._contents.get(name)
            if slot is not None and slot.value is new:
                slot = self._contents[name]
            elif new is old or any(new is value for value in self._values_of_target):
                continue
            else:
                slot = Slot(name, old)
            if not all(map(self.session.visible, slot.leaves)):
                continue  # left over from an earlier region
            same = slot.shape == changed.shape and all(
                map(same_number, slot.leaves, changed.leaves)
            )
            if not same:
                raise self.error(
                    f"'{name}' is changed in the {self.kind} {self.at()}, but its new value would "
                    "be lost: Enigma cannot read the source of this function, which it needs to "
                    f"carry names; keep it in a Carry: `c = enigma.Carry({name})` before, and "
                    "`c[0] = ...` in the body"
                )


def flat_names(target: Any) -> Iterator[str]:
    if isinstance(target, str):
        yield target
    elif isinstance(target, tuple):
        for part in target:
            yield from flat_names(part)
