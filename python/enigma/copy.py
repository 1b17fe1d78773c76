"""copy: elements from one memory to another, each thread its own or all threads together."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from enigma import _core
from enigma.conditions import if_
from enigma.errors import error
from enigma.loops import for_range
from enigma.pipeline import Pipeline
from enigma.registers import RegisterTensor
from enigma.session import session

__all__ = ["copy"]

Memory = _core.TracingTensor | _core.Tensor | RegisterTensor
Offset = int | _core.IRValue


def copy(
    src: Memory,
    dst: Memory,
    count: int,
    src_offset: Offset = 0,
    dst_offset: Offset = 0,
    mask_fn: Callable[[_core.IRValue], Any] | None = None,
    coalesced_width: int = 1,
    cooperative: bool = False,
) -> None:
    """Copies elements: dst[dst_offset + i] = src[src_offset + i] for i from 0 to count - 1.

    Each thread copies them all, in a loop that the device runs. With ``cooperative=True`` the
    threads of a threadgroup share the work, neighbours taking neighbouring elements; all of them
    must reach the call. Either way a ``barrier()`` has to follow before other threads read what
    was copied.

    ``mask_fn(i)`` gives whether element i is copied; where it is not, the source is not read and
    the destination stays as it is. ``coalesced_width`` 2 or 4 moves that many elements per turn,
    and the rest of a count that is no multiple one by one. A turn is one access of a vector
    wherever offset and layout prove that the elements are aligned, and the mask holds for all of
    them: ``group * 256`` does as an offset, a scalar parameter does not. Values are converted to
    the type of the destination.

    Of a tensor with a layout the offsets count elements in the order of their coordinates, the
    first mode fastest. A register tensor as either side is copied by each thread for itself,
    without a loop, and its offset is an int.

    Errors: EnigmaError for a count or width that is no int known while tracing, for elements
    outside of a tensor whose size is known, and outside of a kernel.
    """
    session("copy")
    for what, tensor in (("src", src), ("dst", dst)):
        if not isinstance(tensor, (_core.TracingTensor, _core.Tensor, RegisterTensor)):
            one = "; give one of its tiles, as pipe.back()" if isinstance(tensor, Pipeline) else ""
            raise error(
                f"copy: {what} is a buffer, threadgroup memory or a register tensor, not "
                f"{tensor!r}{one}"
            )
    count = _number("count", count)
    if type(coalesced_width) is not int or coalesced_width not in (1, 2, 4):
        raise error(f"copy: coalesced_width is 1, 2 or 4, not {coalesced_width!r}")
    if type(cooperative) is not bool:
        raise error(f"copy: cooperative is True or False, not {cooperative!r}")
    if mask_fn is not None and not _takes_one(mask_fn):
        raise error(f"copy: mask_fn is a function of the element's number, not {mask_fn!r}")
    src_offset = _offset("src", src, src_offset, count)
    dst_offset = _offset("dst", dst, dst_offset, count)

    def move(elements: list[Any]) -> None:
        """Copies elements one by one, each where its mask holds."""
        if mask_fn is None:
            for i in elements:
                dst[_sum(dst_offset, i)] = src[_sum(src_offset, i)]
            return
        for i, wanted in [(i, _condition(mask_fn, i)) for i in elements]:
            with if_(wanted):
                dst[_sum(dst_offset, i)] = src[_sum(src_offset, i)]

    def move_row(i: Any) -> None:
        """Copies as many elements as a turn has, as vectors where that can be."""
        to, source = _sum(dst_offset, i), _sum(src_offset, i)
        row: tuple[Any, ...] = (dst, to, src, source, coalesced_width)
        elements = [_sum(i, k) for k in range(coalesced_width)]
        registers = isinstance(src, RegisterTensor) or isinstance(dst, RegisterTensor)
        if coalesced_width == 1:
            move(elements)
        elif mask_fn is None:
            if not _copy_row(*row):
                move(elements)
        elif registers or not _core.copies_vectors(*row):
            move(elements)
        else:
            wanted = [_condition(mask_fn, e) for e in elements]
            with if_(functools.reduce(operator.and_, wanted)) as (then, otherwise):
                with then:
                    _core.copy_row(*row)
                with otherwise:
                    move(elements)

    tail = count % coalesced_width
    if isinstance(src, RegisterTensor) or isinstance(dst, RegisterTensor):
        if cooperative:
            raise error(
                "copy: cooperative=True shares the elements among threads, and a register tensor "
                "belongs to one thread; leave it out"
            )
        for i in range(0, count - tail, coalesced_width):
            move_row(i)
        move(list(range(count - tail, count)))
        return

    start, step = (_thread(), _threads()) if cooperative else (0, 1)
    if coalesced_width > 1:
        start, step = start * coalesced_width, step * coalesced_width
    if count > tail:
        with for_range(start, count - tail, step, dtype="uint") as i:
            move_row(i)
    if tail and cooperative:
        thread = _thread()
        with if_(thread < tail):
            move([thread + (count - tail)])
    else:
        move(list(range(count - tail, count)))


def _condition(mask_fn: Callable[[_core.IRValue], Any], i: Any) -> Any:
    """Whether an element is copied."""
    wanted = mask_fn(_core.i32(i))
    traced = isinstance(wanted, _core.IRValue) and wanted.dtype == _core.b1
    if not traced and not isinstance(wanted, (bool, np.bool_)):
        raise error(
            "copy: mask_fn(i) gives whether element i is copied, a condition such as i < n, "
            f"not {wanted!r}"
        )
    return wanted


def _copy_row(dst: Memory, to: Any, src: Memory, source: Any, count: int) -> bool:
    """Copies elements that follow each other; False where they have to go one by one."""
    if isinstance(src, RegisterTensor):
        if isinstance(dst, RegisterTensor):
            return False
        return _core.store_row(dst, to, [src[source + k] for k in range(count)])
    if not isinstance(dst, RegisterTensor):
        return _core.copy_row(dst, to, src, source, count)
    values = _core.load_row(src, source, count)
    for k, value in enumerate(values or ()):
        dst[to + k] = value
    return values is not None


def _thread() -> Any:
    """The number of this thread in its threadgroup."""
    return _core.thread_index_in_threadgroup()


def _threads() -> Any:
    """The threads of this threadgroup."""
    x, y, z = (_core.threads_per_threadgroup(dim) for dim in ("x", "y", "z"))
    threads = x * y * z
    session("copy").trace.set_name(threads, "threads")
    return threads


def _sum(a: Offset, b: Offset) -> Any:
    """a + b, without an instruction where one of them is 0."""
    if type(a) is int and a == 0:
        return b
    return a if type(b) is int and b == 0 else a + b


def _takes_one(function: Any) -> bool:
    """Whether something can be called with one argument, as far as it tells."""
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return False
    except ValueError:  # a function of C's, which does not tell
        pass
    return True


def _number(what: str, x: Any) -> int:
    if isinstance(x, _core.IRValue):
        raise error(
            f"copy: {what} must be known while tracing, so it is an int, not a traced value; leave "
            "elements out with mask_fn, or copy them in a loop over enigma.for_range"
        )
    number = operator.index(x) if hasattr(x, "__index__") and type(x) is not bool else -1
    if number < 0:
        raise error(f"copy: {what} is an int that is not negative, not {x!r}")
    return number


def _offset(what: str, tensor: Memory, offset: Any, count: int) -> Offset:
    """Refuses an offset of the wrong kind, and elements that are provably outside."""
    if isinstance(offset, _core.IRValue):
        if isinstance(tensor, RegisterTensor):
            raise error(
                f"copy: {what}_offset must be an int, not a traced value, since {what} is a "
                "register tensor"
            )
        return offset
    known = _number(f"{what}_offset", offset)
    if isinstance(tensor, _core.TracingTensor) and tensor.space == "device":
        return known  # only a launch knows how long a buffer is
    size = tensor.size() if isinstance(tensor, _core.Tensor) else tensor.size
    if type(size) is int and known + count > size:
        name = f"'{tensor.name}'" if tensor.name else what
        raise error(
            f"copy: elements {known} to {known + count - 1} are outside of {name}, of size {size}"
        )
    return known
