"""Traced control flow: for_range, while_, if_ and range, the regions of the IR."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from enigma import _core
from enigma.carry import Carry, Handle, is_number, is_value, same_number
from enigma.errors import EnigmaError, error
from enigma.region import Region, Slot, describe_slot, flat_names
from enigma.session import Origin, joined

__all__ = ["for_range", "if_", "range_constexpr", "traced_range", "while_"]

Value = Any  # IRValue, a Python number or a numpy scalar


class Loop(Region):
    """What counting loops and while_ share: every carried value enters, and comes back changed."""

    _number = 0

    def _inits(self) -> list[Value]:
        """The carried values before the loop; numbers in the types that earlier traces found."""
        current = self.session
        self._number = current.regions
        current.regions += 1
        inits: list[Value] = []
        self._origins: list[Origin | None] = []
        for slot in self.slots:
            for k, leaf in enumerate(slot.leaves):
                origin = self._origin(slot, k, leaf, len(inits))
                dtype = slot.literals
                if dtype is None and is_literal(leaf) and origin:
                    dtype = current.hints.get(origin)
                inits.append(dtype(leaf) if dtype and is_literal(leaf) else leaf)
                self._origins.append(origin)
        current.loops.append(self)
        return inits

    def _origin(self, slot: Slot, k: int, leaf: Value, index: int) -> Origin | None:
        """Where the type of a carried number is guessed: here, or in a region before or around."""
        if is_literal(leaf):
            origin = (self._number, index)
            if leaf < 0:
                self.session.negative.add(origin)
            return origin
        found = self.session.origin(leaf)
        for loop in reversed(self.session.loops) if found is None and slot.name else ():
            start = 0
            for other in loop.slots:
                if other.name == slot.name and k < len(other.leaves):
                    return loop._origins[start + k]
                start += len(other.leaves)
        return found

    def _distribute(self, args: list[_core.IRValue]) -> None:
        super()._distribute(args)
        for arg, origin in zip(args, self._origins, strict=True):
            self.session.soften(arg, origin)

    def _end(self, next_values: list[Value]) -> list[_core.IRValue]:
        raise NotImplementedError

    def _leave(self, scope: dict[str, Any]) -> dict[str, Any]:
        self._left = True
        after: list[Value] = []
        for slot in self.slots:
            slot.read(self, scope)
            after += slot.after
        self._check_watched()
        self._widen(after)
        results = self._end(after)
        self.session.close_range(self._first, self._last)
        self.session.loops.pop()
        for result, origin in zip(results, self._origins, strict=True):
            self.session.soften(result, origin)
        bound: dict[str, Any] = {}
        rest = iter(results)
        for slot in self.slots:
            changed = [(leaf, next(rest)) for leaf in slot.leaves]
            kept = [
                entry if slot.unchanged(k) else result for k, (entry, result) in enumerate(changed)
            ]
            slot.finish(self.session, kept, bound)
        return bound

    def _widen(self, after: list[Value]) -> None:
        """Asks for another trace when a number needs a wider type than its literal has."""
        args = [(slot, arg) for slot in self.slots for arg in slot.args]
        retrace = False
        for (slot, arg), value, origin in zip(args, after, self._origins, strict=True):
            have = arg.dtype
            wanted = widened(have, value)
            if wanted == have:
                continue
            if self.session.widen(origin, wanted):
                retrace = True
            elif wanted.is_float and not have.is_float and not have.is_bool:
                self.session.trace.warn(
                    f"{describe_slot(slot)} is {have.name} before the {self.kind} {self.at()} and "
                    f"becomes {wanted.name} in it, so that its fraction is dropped in every turn: "
                    f"start it as enigma.{wanted.name}(...), or convert it with enigma.metal_cast"
                )
        if retrace:
            self._retrace()


def is_literal(x: Value) -> bool:
    """Whether x is a Python number, which has no type of its own."""
    return type(x) in (bool, int, float)


def widened(have: _core.DType, value: Value) -> _core.DType:
    """The type that holds both a number of type `have` and `value`; the literal rules otherwise."""
    if isinstance(value, _core.IRValue):
        return joined(have, value.dtype)
    if isinstance(value, float):  # numpy's float64 too
        return have if have.is_float else _core.f32
    return have if isinstance(value, (bool, int)) else joined(have, _core.dtype(value.dtype))


class for_range(Loop):
    """A loop that the device runs: ``with enigma.for_range(lo, hi) as i:``.

    ``i`` is lo, lo + step, ... while it is below ``hi`` (above, for a negative step), as in
    Python's range. Bounds and step are ints or integer values of the kernel; ``dtype`` is the
    type of ``i``. A step of 0 is an error when it is known while tracing, and means no turns
    otherwise.

    Names that are bound before the loop and rebound in its body are carried from turn to turn, and
    hold the results after it::

        acc = 0.0
        with enigma.for_range(0, n) as i:
            acc = acc + A[i]
        Out[tid] = acc

    ``init=[a, b]`` gives carried values of its own: ``as (i, x, y)``, ``as (i, (x, y))``, or
    ``as (i, c)`` with one name for several, which binds a Carry.

    Errors: EnigmaError for a step of 0, for bounds that are no integers, outside of a kernel.
    """

    kind = "for_range"

    def __init__(
        self,
        lo: Value,
        hi: Value,
        step: Value = 1,
        dtype: _core.DType | str | type = "int",
        init: Sequence[Value] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(step, _core.IRValue) and is_number(step) and int(step) == 0:
            raise error(f"{self.kind}: the step is 0, so the loop would never end")
        self.lo, self.hi, self.step = lo, hi, step
        self.dtype = _core.dtype(dtype)
        if init is not None and is_value(init):
            raise error(f"{self.kind}: init takes a list of values: init=[...]")
        self.init = None if init is None else list(init)
        for value in self.init or ():
            if not is_value(value):
                raise error(
                    f"{self.kind}: init takes numbers and values of the kernel, not {value!r}"
                )
        self._carry: Carry | None = None
        self._nested = False

    def _bind_target(self, target: Any) -> None:
        self._index_name = target if isinstance(target, str) else None
        if self.init is None:
            return
        count = len(self.init)
        names: Any = target[1:] if isinstance(target, tuple) else ()
        if isinstance(target, tuple) and target:
            self._index_name = target[0] if isinstance(target[0], str) else None
        if len(names) == 1 and isinstance(names[0], tuple):
            names, self._nested = names[0], True
        elif len(names) == 1 and count != 1 and names[0] is not None:
            self._carry = Carry(*self.init)
            return
        plain = [name for name in names if isinstance(name, str)]
        if len(plain) != count or len(names) != count or len(set(plain)) != count:
            wanted = ", ".join(["i", *[f"c{k}" for k in range(count)]])
            raise EnigmaError(
                f"{self.kind}: init has {count} value{'s' * (count != 1)}, so bind them as "
                f"`as ({wanted})`, each to a name of its own",
                self.file,
                self.line,
            )
        for name, value in zip(plain, self.init, strict=True):
            self.slots.append(Slot(name, value))

    def __enter__(self) -> Any:
        self._begin(sys._getframe(1))
        if not self.managed and self.init is not None:
            self.slots = [Slot(None, value) for value in self.init] + self.slots
        trace = self.session.trace
        self._first = trace.value_count
        index, args = trace.begin_for(self.lo, self.hi, self.step, self.dtype, self._inits())
        self._values_of_target = [index, self._carry]
        if self._index_name:
            trace.set_name(index, self._index_name)
        self._distribute(args)
        if self.init is None:
            return index
        if self._carry is not None:
            return index, self._carry
        bound = [slot.inside for slot in self.slots[: len(self.init)]]
        self._values_of_target += bound
        return (index, tuple(bound)) if self._nested else (index, *bound)

    def __iter__(self) -> Iterator[_core.IRValue]:
        raise error(
            "for_range is the subject of a `with`: write `with enigma.for_range(...) as i:`, or "
            "`for i in enigma.range(...):`"
        )

    def _end(self, next_values: list[Value]) -> list[_core.IRValue]:
        self._last = self.session.trace.value_count
        return self.session.trace.end_for(next_values)


class while_(Loop):
    """A loop that the device runs while a condition holds.

    ::

        with enigma.while_(lambda: enigma.cmp_lt(i, n)):
            i = i + 1

    The condition is a function without arguments. It is evaluated before each turn, with what the
    names are bound to then. Names that are rebound in the body are carried, as in for_range.

    Errors: EnigmaError when the condition is no function, or outside of a kernel.
    """

    kind = "while_"

    def __init__(self, condition: Callable[[], Value]) -> None:
        super().__init__()
        if not callable(condition):
            raise error(
                "while_ takes a function that gives the condition, since it is evaluated again "
                "before each turn: write `enigma.while_(lambda: ...)`"
            )
        self.condition = condition

    def __enter__(self) -> None:
        self._begin(sys._getframe(1))
        inits = self._inits()
        self._first = self.session.trace.value_count
        self._distribute(self.session.trace.begin_while(inits))
        if not self.managed:
            self._body()

    def _body(self) -> None:
        condition = self.condition()
        for slot in self.slots:
            if slot.container and not slot.holds_args():
                raise EnigmaError(
                    f"while_: the condition changes {describe_slot(slot)}; change it in the body",
                    self.file,
                    self.line,
                )
        self._distribute(self.session.trace.while_body(condition))

    def _phases(self) -> Iterator[dict[str, Any]]:
        yield self._bindings()  # the condition reads these
        self._body()
        yield self._bindings()

    def _end(self, next_values: list[Value]) -> list[_core.IRValue]:
        self._last = self.session.trace.value_count
        return self.session.trace.end_while(next_values)


class traced_range(for_range):
    """``for i in enigma.range(n):`` is for_range as a for statement.

    It takes what Python's range takes, ints or integer values of the kernel. The loop runs on the
    device: its body is traced once, and `break` and `continue` have no meaning in it.
    """

    kind = "enigma.range"

    def __init__(
        self,
        start: Value,
        stop: Value | None = None,
        step: Value = 1,
        *,
        dtype: _core.DType | str | type = "int",
    ) -> None:
        if stop is None:
            start, stop = 0, start
        super().__init__(start, stop, step, dtype)

    def __iter__(self) -> Iterator[_core.IRValue]:
        self._caller = sys._getframe(1)
        return self._once()

    def _once(self) -> Iterator[_core.IRValue]:
        index = self.__enter__()
        try:
            yield index
        except GeneratorExit:
            self.session.abandon(f"a break or an exception has left the enigma.range {self.at()}")
            raise
        self.__exit__(None, None, None)


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


def range_constexpr(*args: int) -> range:
    """Python's range, unrolled while tracing: ``for j in enigma.range_constexpr(4):``.

    The arguments are Python ints. For a count that only the device knows use enigma.for_range.
    """
    for arg in args:
        if isinstance(arg, _core.IRValue):
            raise error(
                "range_constexpr is unrolled while tracing, so it takes ints, not a traced value; "
                "use enigma.for_range or enigma.range"
            )
    return range(*args)
