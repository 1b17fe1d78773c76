"""Traced loops: for_range, while_ and range, which are regions of the IR."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from enigma import _core
from enigma.carry import Carry, is_literal, is_number, is_value
from enigma.errors import EnigmaError, error
from enigma.region import Region, Slot, Value, describe_slot
from enigma.session import Origin, Retrace, joined

__all__ = ["for_range", "range_constexpr", "traced_range", "while_"]


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
            raise Retrace


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
        if not isinstance(step, _core.IRValue) and is_number(step) and step == 0:
            raise error(f"{self.kind}: the step is 0, so the loop would never end")
        self.lo, self.hi, self.step = lo, hi, step
        self.dtype = _core.dtype(dtype)
        if init is not None and (is_value(init) or not hasattr(init, "__iter__")):
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
        from enigma.rewrite import is_rewritten

        self._caller = sys._getframe(1)
        if not self.managed and is_rewritten(self._caller.f_code):
            raise self.error(
                "enigma.range stands in a `for` statement by itself, since its body is traced once "
                "for all turns; in a comprehension, enumerate or zip use enigma.range_constexpr"
            )
        return self._once()

    def _once(self) -> Iterator[_core.IRValue]:
        index = self.__enter__()
        try:
            yield index
        except GeneratorExit:
            self.session.abandon(f"a break or an exception has left the enigma.range {self.at()}")
            raise
        self.__exit__(None, None, None)


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
    try:
        return range(*args)
    except (TypeError, ValueError) as why:
        raise error(f"range_constexpr takes 1 to 3 ints, as Python's range: {why}") from None
