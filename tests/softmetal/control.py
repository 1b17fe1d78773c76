"""Software Metal for Python tests: which one enigma runs on, and how it is steered.

    from softmetal import control

    if control.available():      # enigma was built with ENIGMA_SOFTMETAL
        control.use_msl_lab()    # its kernels run as MSL text; before the first dispatch
        control.inject("pipeline error")

Nothing here does anything on a Mac, or where enigma was built without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import enigma._core

# The names that softmetal.h lists.
FAULTS = (
    "no device",
    "no queue",
    "no command buffer",
    "library error",
    "library warning",
    "function error",
    "pipeline error",
    "buffer allocation",
    "no-copy refused",
    "archive error",
    "command buffer error",
    "timeout",
    "page fault",
    "out of memory",
    "access revoked",
    "async copy refused",
    "async copy escaped only",
)


class Statistics(ctypes.Structure):
    """What has happened since the process began."""

    _fields_ = [
        *(
            (name, ctypes.c_uint64)
            for name in (
                "libraries",
                "pipelines",
                "archive_hits",
                "command_buffers",
                "dispatches",
                "shared_buffers",
            )
        ),
        ("msl_version", ctypes.c_uint32),
        ("fast_math", ctypes.c_int),
    ]


def folder() -> Path | None:
    """Where the build tree of the imported enigma has libsoftmetal.so; None when it has none."""
    at = Path(enigma._core.__file__).resolve().parents[2] / "tests" / "softmetal"
    return at if (at / "libsoftmetal.so").exists() else None


def available() -> bool:
    """Whether the imported enigma runs on software Metal."""
    return folder() is not None


@functools.cache
def _library() -> ctypes.CDLL:
    at = folder()
    if at is None:
        raise RuntimeError(f"{enigma._core.__file__} was built without software Metal")
    library = ctypes.CDLL(str(at / "libsoftmetal.so"))  # the one that _core has loaded
    library.softmetal_inject.argtypes = [ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32]
    library.softmetal_get_statistics.restype = Statistics
    library.softmetal_live_objects.restype = ctypes.c_uint64
    library.softmetal_describe_live_objects.restype = ctypes.c_void_p
    return library


def use_msl_lab() -> None:
    """Makes the MSL lab run the kernels, here and in child processes, unless another does."""
    at = folder()
    if at is None or os.environ.get("SOFTMETAL_COMPILER"):
        return
    path = str(at / "libmsl_lab.so")
    os.environ["SOFTMETAL_COMPILER"] = path
    # The variable has been read if software Metal was used before.
    compiler = ctypes.CDLL(path).softmetal_compile_kernel
    _library().softmetal_set_kernel_compiler(compiler)


def inject(fault: str, count: int = 1, skip: int = 0) -> None:
    """The next `count` times fail, after `skip` that do not."""
    if not _library().softmetal_inject(fault.encode(), count, skip):
        raise ValueError(f"software Metal has no fault {fault!r}")


def clear() -> None:
    """Forgets the faults that are still to come."""
    _library().softmetal_clear_faults()


def set_family(apple: int) -> None:
    """The generation of the GPU, 7 to 10; of runtimes that are made from now on."""
    _library().softmetal_set_family(apple)


def set_os(major: int, minor: int = 0) -> None:
    """The version of macOS; of runtimes that are made from now on."""
    _library().softmetal_set_os(major, minor)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, committed command buffers wait."""
    _library().softmetal_hold(1)
    try:
        yield
    finally:
        _library().softmetal_hold(0)


def statistics() -> Statistics:
    """Counts since the process began."""
    return _library().softmetal_get_statistics()


def live_objects() -> int:
    """Objective-C objects that live now."""
    return _library().softmetal_live_objects()


def describe() -> str:
    """Their classes and counts."""
    text = _library().softmetal_describe_live_objects()
    try:
        return ctypes.string_at(text).decode()
    finally:
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        free(text)
