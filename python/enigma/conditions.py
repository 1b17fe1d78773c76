"""Traced conditions: if_, whose one or two arms are regions of the IR."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from enigma import _core
from enigma.carry import Handle, is_literal, same_number
from enigma.errors import EnigmaError, error
from enigma.region import Region, Slot, Value, flat_names
from enigma.session import Origin

__all__ = ["if_"]


class Arm(Handle):
    """One arm of an if_, a context manager of its own: ``with then:``."""

    def __init__(self, region: if_, number: int) -> None:
        self._region = region
        self._number = number

    def __enter__(self) -> None:
        self._region._enter_arm(self._number)

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        if kind is None and not self._region.managed:
            self._region._leave_arm(self._number, {})


class if_(Region):
    """A body that runs only where the condition holds: ``with enigma.if_(c):``.

    Names that are rebound in it hold the new value where it ran, the old one elsewhere. Two arms::

        with enigma.if_(x > 0) as (then, otherwise):
            with then:
                y = x
            with otherwise:
                y = -x

    The condition is a b1 value. Errors: EnigmaError outside of a kernel, for statements outside
    of the arms, for a name that is a number in one arm and something else in the other.
    """

    kind = "if_"

    def __init__(self, condition: Value) -> None:
        super().__init__()
        self.condition = condition
        self._arms = False
        self._current = -1
        self._captured: list[dict[str, Any]] = [{}, {}]
        self._around: dict[str, Any] = {}

    def _open(
        self, scope: dict[str, Any], names: tuple[str, ...], stored: tuple[str, ...], target: Any
    ) -> None:
        super()._open(scope, names, stored, target)
        # The if_ around this one may call its arms by the same names, and needs them afterwards.
        self._around = {n: scope[n] for n in flat_names(target) if isinstance(scope.get(n), Arm)}

    def _bind_target(self, target: Any) -> None:
        self._arms = target is not None

    def _check_body(self, only_arms: bool) -> None:
        if self._arms and not only_arms:
            raise EnigmaError(
                "if_: where the arms have names, every statement belongs into one of them: "
                "`with then:` or `with otherwise:`",
                self.file,
                self.line,
            )

    def __enter__(self) -> tuple[Arm, Arm]:
        self._begin(sys._getframe(1))
        self._number = self.session.regions
        self.session.regions += 1
        self._first = self.session.trace.value_count
        self.session.trace.begin_if(self.condition)
        self._targets = (Arm(self, 0), Arm(self, 1))
        self._values_of_target = list(self._targets)
        return self._targets

    def _enter_arm(self, number: int) -> None:
        if number <= self._current:
            which = "`then` comes before `otherwise`, and each" if number == 0 else "`otherwise`"
            raise error(f"if_: {which} can be entered only once")
        self._current = number
        if number == 1:
            self.session.trace.begin_else()

    def _leave_arm(self, number: int, scope: dict[str, Any]) -> dict[str, Any]:
        """Notes what the names hold at the end of an arm; gives back what they held before it."""
        captured = self._captured[number]
        bound: dict[str, Any] = {}
        for slot in self.slots:
            slot.read(self, scope)
            captured[slot.key] = (slot.after, slot.shape_after)
            slot.restore(bound)
        for name in self.names:
            if name in scope and name not in self._slot_names:
                if all(map(self.session.visible, Slot(name, scope[name]).leaves)):
                    captured[name] = scope[name]
        self.session.close_range(self._first, self.session.trace.value_count)
        return bound

    def _leave(self, scope: dict[str, Any]) -> dict[str, Any]:
        self._left = True
        if self._current < 0:
            self._leave_arm(0, scope)
        self._check_watched()
        merged = [Merge(self, slot, *self._captured) for slot in self.slots]
        if self._current == 1:
            merged += self._new_in_both()
        pairs = [pair for merge in merged for pair in merge.pairs]
        origins = [self._origin(k, *pair) for k, pair in enumerate(pairs)]
        hints = self.session.hints
        for k, (pair, origin) in enumerate(zip(pairs, origins, strict=True)):
            if origin in hints and hints[origin].is_float:  # what is_literal is left in float
                a, b = pair
                pairs[k] = (float(a) if is_literal(a) else a, float(b) if is_literal(b) else b)
        end = self.session.trace.value_count
        results = self.session.trace.end_if([a for a, _ in pairs], [b for _, b in pairs])
        self.session.close_range(self._first, end)
        for result, origin in zip(results, origins, strict=True):
            self.session.soften(result, origin)
        bound = dict(self._around)
        rest = iter(results)
        for merge in merged:
            merge.finish(rest, bound)
        return bound

    def _origin(self, k: int, a: Value, b: Value) -> Origin | None:
        """Where the type of a merged pair is guessed: both sides must be literals, or guesses."""
        if is_literal(a) and is_literal(b):
            return (self._number, k)
        found = [self.session.origin(x) for x in (a, b) if not is_literal(x)]
        return None if None in found else found[0]

    def _new_in_both(self) -> list[Merge]:
        """Names that both arms have bound, and that nothing bound before."""
        found = []
        for name in self.names:
            if name in self._slot_names or not all(name in c for c in self._captured):
                continue
            then, otherwise = (captured[name] for captured in self._captured)
            if then is otherwise:  # `then` bound it, or both bound the same
                continue
            a = Slot(name, then)
            b = Slot(name, otherwise, like=a.shape)
            if a.shape != b.shape or a.container:
                continue
            captured = [{name: (s.leaves, s.shape)} for s in (a, b)]
            a.leaves = [None] * len(a.leaves)
            a.key = name
            found.append(Merge(self, a, *captured))
        return found


class Merge:
    """What the two arms of an if_ leave in one name or container."""

    def __init__(
        self, region: if_, slot: Slot, then: dict[str, Any], otherwise: dict[str, Any]
    ) -> None:
        self.slot = slot
        self.region = region
        before = (slot.leaves, slot.shape)
        a, shape = then.get(slot.key, before)
        b, other = otherwise.get(slot.key, before)
        slot.shape_after = shape if shape != slot.shape or other == slot.shape else other
        self.picked: list[Any] = []  # a value, or None where a result comes
        self.pairs: list[tuple[Value, Value]] = []
        for x, y in zip(a, b, strict=True):
            if same_number(x, y):
                self.picked.append((x,))
            else:
                self.picked.append(None)
                self.pairs.append((x, y))

    def finish(self, results: Iterator[_core.IRValue], bound: dict[str, Any]) -> None:
        values = [next(results) if pick is None else pick[0] for pick in self.picked]
        self.slot.finish(self.region.session, values, bound)
