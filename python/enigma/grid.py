"""Grid queries beside those of the operation table: other names for the same values."""

from __future__ import annotations

from typing import Literal

from enigma import _core

__all__ = ["grid_size", "thread_position_in_grid_xyz"]

Dim = Literal["x", "y", "z", 0, 1, 2]


def thread_position_in_grid_xyz(dim: Dim = "x") -> _core.IRValue:
    """Position of this thread in the grid along ``dim``, a u32.

    ``enigma.thread_position_in_grid``, without parentheses, is the same along x.
    Errors: EnigmaError for another dim than "x", "y", "z", and outside of a kernel.
    """
    return _core.query("thread_position_in_grid", dim)


def grid_size(dim: Dim = "x") -> _core.IRValue:
    """Threadgroups in the grid along ``dim``, a u32: the same as ``threadgroups_per_grid``."""
    return _core.query("threadgroups_per_grid", dim)
