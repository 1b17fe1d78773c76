"""Enigma: GPU kernels for Apple Metal, written as Python functions, run on Metal or on the CPU."""

from typing import TYPE_CHECKING, Any

from enigma import _core, arch
from enigma._core import *
from enigma._core import IRValue, TracingTensor
from enigma.carry import Carry
from enigma.compile import CompiledKernel, compile
from enigma.control import for_range, if_, range_constexpr, while_
from enigma.control import traced_range as range
from enigma.errors import EnigmaError
from enigma.grid import grid_size, thread_position_in_grid_xyz
from enigma.kernel import KernelDef, kernel
from enigma.runtime import CpuRuntime, MetalRuntime, PreparedKernel, Runtime, default_runtime
from enigma.types import (
    BFloat16,
    Bool,
    Float16,
    Float32,
    Int8,
    Int16,
    Int32,
    Int64,
    Scalar,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)

__version__ = "0.1.0"

if TYPE_CHECKING:
    thread_position_in_grid: IRValue
else:
    # An attribute, not a function: __getattr__ gives it anew each time that it is read.
    globals().pop("thread_position_in_grid", None)


def __getattr__(name: str) -> Any:
    if name == "thread_position_in_grid":
        if not _core.has_trace():
            from enigma.errors import OutsideKernel, user_line

            raise OutsideKernel(
                "enigma.thread_position_in_grid is used outside a kernel: it has a value only while "
                "enigma.compile traces a function decorated with @enigma.kernel",
                *user_line(),
            )
        return _core.query(name, 0)
    if name == "testing":
        import importlib

        return importlib.import_module("enigma.testing")
    raise AttributeError(f"module 'enigma' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "thread_position_in_grid", "testing"})
