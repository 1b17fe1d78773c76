"""Asynchronous copies between device and threadgroup memory: begun, and waited for later."""

from __future__ import annotations

from typing import Any

from enigma import _core
from enigma.copy import copy
from enigma.errors import error
from enigma.registers import RegisterTensor

__all__ = [
    "async_copy_1d_d2t",
    "async_copy_1d_t2d",
    "async_copy_2d_d2t",
    "async_copy_2d_t2d",
    "async_copy_commit",
    "async_copy_to_threadgroup",
    "async_copy_wait",
]

Memory = _core.TracingTensor | _core.Tensor | RegisterTensor | str
Number = _core.IRValue | int
Event = _core.IRValue


def async_copy_1d_d2t(
    dst: Memory, dst_offset: Number, src: Memory, src_offset: Number, count: Number
) -> Event:
    """Begins to copy `count` elements from device to threadgroup memory; gives an event.

    The whole SIMD-group that calls it makes one copy together, so that its arguments and the
    conditions around it must be the same for all lanes. A SIMD-group that is enough for a
    threadgroup is asked for by its number::

        with enigma.if_(enigma.simdgroup_index_in_threadgroup() == 0):
            event = enigma.async_copy_1d_d2t(tile, 0, A, start, 256)
            enigma.async_copy_wait(event)
        enigma.barrier()

    `dst` and `src` are memory, or the name of a buffer parameter. A tensor with a layout is the
    memory that it fills: offsets count elements there from its first one on, whatever the order of
    its coordinates. Its elements must lie side by side, or, for a tile, in rows at the distance
    that is given. Where Metal's undocumented
    asynchronous copies work (``DeviceCapabilities.async_copy``) it is one of them, elsewhere the
    lanes share the elements at once: the numbers are the same. A register tensor is copied by each
    thread for itself, at once.

    Errors: EnigmaError for memory of the wrong kind or another type, for an event that is not
    waited for on some way to the kernel's end, for a destination that is used before, or a second
    copy of the same elements, and outside of a kernel.
    """
    return _begin("async_copy_1d_d2t", dst, dst_offset, None, src, src_offset, None, count, 1)


def async_copy_1d_t2d(
    dst: Memory, dst_offset: Number, src: Memory, src_offset: Number, count: Number
) -> Event:
    """Begins to copy `count` elements from threadgroup to device memory; gives an event.

    See async_copy_1d_d2t.
    """
    return _begin("async_copy_1d_t2d", dst, dst_offset, None, src, src_offset, None, count, 1)


def async_copy_2d_d2t(
    dst: Memory,
    dst_off: Number,
    dst_epr: Number,
    src: Memory,
    src_off: Number,
    src_epr: Number,
    tile_cols: Number,
    tile_rows: Number,
) -> Event:
    """Begins to copy a tile from device to threadgroup memory; gives an event.

    The tile has `tile_rows` rows of `tile_cols` elements, which begin `dst_epr` elements apart in
    the destination and `src_epr` apart in the source. See async_copy_1d_d2t.
    """
    return _begin(
        "async_copy_2d_d2t", dst, dst_off, dst_epr, src, src_off, src_epr, tile_cols, tile_rows
    )


def async_copy_2d_t2d(
    dst: Memory,
    dst_off: Number,
    dst_epr: Number,
    src: Memory,
    src_off: Number,
    src_epr: Number,
    tile_cols: Number,
    tile_rows: Number,
) -> Event:
    """Begins to copy a tile from threadgroup to device memory; gives an event.

    See async_copy_2d_d2t.
    """
    return _begin(
        "async_copy_2d_t2d", dst, dst_off, dst_epr, src, src_off, src_epr, tile_cols, tile_rows
    )


def async_copy_wait(*events: Event) -> None:
    """Waits for copies, in the SIMD-group that began them; to wait again does nothing.

    Other SIMD-groups see what was copied after a ``barrier()``.
    """
    _core.current_trace("enigma.async_copy_wait")
    for event in events:
        if not isinstance(event, _core.IRValue):
            raise error(f"async_copy_wait takes events, which async_copy_* gives, not {event!r}")
        _core.async_wait(event)


def async_copy_to_threadgroup(
    src: Memory, dst: Memory, count: Number, src_offset: Number = 0, dst_offset: Number = 0
) -> Event:
    """An older name of async_copy_1d_d2t, with the source first."""
    return async_copy_1d_d2t(dst, dst_offset, src, src_offset, count)


def async_copy_commit(token: Event) -> Event:
    """Does nothing, and gives its argument: a copy begins when it is called."""
    return token


def _begin(
    what: str,
    dst: Memory,
    dst_offset: Number,
    dst_pitch: Number | None,
    src: Memory,
    src_offset: Number,
    src_pitch: Number | None,
    columns: Number,
    rows: Number,
) -> Event:
    _core.current_trace(f"enigma.{what}")
    to_device = what.endswith("t2d")
    line = dst_pitch is None
    numbers = {
        "dst_offset" if line else "dst_off": dst_offset,
        "src_offset" if line else "src_off": src_offset,
        "count" if line else "tile_cols": columns,
        "tile_rows": rows,
        "dst_epr": 0 if line else dst_pitch,
        "src_epr": 0 if line else src_pitch,
    }
    for name, x in numbers.items():
        if isinstance(x, _core.IRValue):
            whole = not (x.dtype.is_float or x.dtype.is_bool)
        else:
            whole = hasattr(x, "__index__") and not isinstance(x, bool)
        if not whole:
            raise error(f"{what}: {name} is an int or a traced integer, not {x!r}")

    def memory(x: Memory, device: bool, source: bool, pitch: Number | None) -> Any:
        if isinstance(x, RegisterTensor):
            return x
        return _core.async_memory(what, x, device, source, pitch, columns, rows)

    to = memory(dst, to_device, False, dst_pitch)
    source = memory(src, not to_device, True, src_pitch)
    if dst_pitch is None or src_pitch is None:
        dst_pitch = src_pitch = columns
    if isinstance(to, _core.TracingTensor) and isinstance(source, _core.TracingTensor):
        return _core.async_begin(
            to, dst_offset, dst_pitch, source, src_offset, src_pitch, columns, rows
        )
    values: dict[str, Any] = {"columns": columns, "rows": rows}
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise error(
                f"{what}: with a register tensor the tile's sizes are positive ints, and {name} is "
                f"{value!r}"
            )
    for row in range(values["rows"]):
        copy(
            source,
            to,
            values["columns"],
            src_offset + row * src_pitch,
            dst_offset + row * dst_pitch,
        )
    return _core.u32(_core.COPY_DONE)
