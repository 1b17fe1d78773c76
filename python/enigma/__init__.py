"""Enigma: GPU kernels for Apple Metal, written as Python functions, run on Metal or on the CPU."""

from typing import TYPE_CHECKING, Any

from enigma import _core, arch, tuple
from enigma._core import (
    ConstantInfo,
    DeviceCapabilities,
    DType,
    Fragment,
    IRValue,
    Layout,
    ParamInfo,
    ScaledBasis,
    Swizzle,
    SwizzledLayout,
    SymInt,
    Tensor,
    TracingTensor,
    dtype,
)
from enigma.async_copy import (
    async_copy_1d_d2t,
    async_copy_1d_t2d,
    async_copy_2d_d2t,
    async_copy_2d_t2d,
    async_copy_commit,
    async_copy_to_threadgroup,
    async_copy_wait,
)
from enigma.carry import Carry
from enigma.compile import CompiledKernel, compile
from enigma.conditions import if_
from enigma.copy import copy
from enigma.errors import EnigmaError
from enigma.gemm import gemm
from enigma.grid import grid_size, thread_position_in_grid_xyz
from enigma.jit import JitDef, jit, make_layout_tv, tensor_zipped_divide
from enigma.kernel import KernelDef, kernel
from enigma.loops import for_range, range_constexpr, while_
from enigma.loops import traced_range as range
from enigma.pipeline import Pipeline, pipeline
from enigma.registers import RegisterTensor, register_tensor
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

__version__ = _core.VERSION

__all__ = [
    "kernel", "KernelDef", "jit", "JitDef", "Tensor", "SymInt", "Fragment", "Scalar",
    "compile", "CompiledKernel", "ParamInfo", "ConstantInfo",
    "DType", "dtype", "Float32", "Float16", "BFloat16", "Bool",
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
    "IRValue", "TracingTensor", "EnigmaError",
    "for_range", "while_", "if_", "range", "range_constexpr", "Carry",
    "register_tensor", "RegisterTensor", "copy", "pipeline", "Pipeline", "gemm",
    "async_copy_1d_d2t", "async_copy_1d_t2d", "async_copy_2d_d2t", "async_copy_2d_t2d",
    "async_copy_wait", "async_copy_to_threadgroup", "async_copy_commit",
    "thread_position_in_grid", "thread_position_in_grid_xyz", "grid_size", "arch",
    "MetalRuntime", "CpuRuntime", "Runtime", "default_runtime", "PreparedKernel",
    "DeviceCapabilities", "make_layout_tv", "tensor_zipped_divide", "Layout",
    "ScaledBasis", "Swizzle", "SwizzledLayout",
]  # fmt: skip

# The types, and every row of the operation table that has a name. The rest of the core is for the
# package itself, or in enigma.tuple; the attribute that each reading traces anew comes from
# __getattr__.
if TYPE_CHECKING:
    thread_position_in_grid: IRValue
    from enigma._core import *  # type: ignore[assignment]  # noqa: F403
else:
    _INTERNAL = {
        "COPY_DONE", "MAX_CPU_THREADS", "MAX_PARAMETERS", "VERSION",
        "Artifact", "Module", "Operation", "Prepared", "Ring", "Trace", "async_begin",
        "async_memory", "async_wait", "call", "cpu_runtime", "current_trace", "has_trace", "join",
        "metal_runtime", "operations", "parse_module", "query",
        "copies_vectors", "copy_row", "load_row", "same_objects", "store_row",
        "fragment_form", "fragment_of", "fragment_values", "gemm_own", "gemm_shared",
        "name_fragment", *tuple.__all__,
    }  # fmt: skip
    for _name in dir(_core):
        if not _name.startswith("_") and _name not in _INTERNAL and _name not in __all__:
            globals()[_name] = getattr(_core, _name)
            __all__ += [_name]
    __all__.remove("thread_position_in_grid")  # `from enigma import *` would read it
    del _name


def __getattr__(name: str) -> Any:
    if name == "thread_position_in_grid":
        if _core.has_trace():
            return _core.query(name, 0)
        missing = (
            "enigma.thread_position_in_grid is used outside a kernel: it has a value only while "
            "enigma.compile traces a function decorated with @enigma.kernel"
        )
    elif name == "testing":
        import importlib

        return importlib.import_module("enigma.testing")
    else:
        from enigma.mistakes import suggested

        missing = f"module 'enigma' has no attribute '{name}'{suggested(name, __dir__())}"
    from enigma.errors import NoAttribute, user_line

    raise NoAttribute(missing, *user_line())


def __dir__() -> list[str]:
    return sorted({*__all__, "thread_position_in_grid", "testing", "tuple", "__version__"})
