"""The grid in CUDA's and CuTe's words: each query as a tuple (x, y, z) of u32."""

from __future__ import annotations

from enigma import _core

Triple = tuple[_core.IRValue, _core.IRValue, _core.IRValue]


def _triple(name: str) -> Triple:
    return _core.query(name, "x"), _core.query(name, "y"), _core.query(name, "z")


def thread_idx() -> Triple:
    """Position of this thread in its threadgroup."""
    return _triple("thread_position_in_threadgroup")


def block_idx() -> Triple:
    """Position of this threadgroup in the grid of threadgroups."""
    return _triple("threadgroup_position_in_grid")


def block_dim() -> Triple:
    """Threads of this threadgroup."""
    return _triple("threads_per_threadgroup")


def grid_dim() -> Triple:
    """Threadgroups in the grid."""
    return _triple("threadgroups_per_grid")
