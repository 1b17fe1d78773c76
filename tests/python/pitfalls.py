"""What the tests of MSL's pitfalls share: kernels that run in the lab as well, and the numbers."""

from __future__ import annotations

import contextlib
import linecache
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from msl import lab as msl
from msl import source
from msl.lint import refused

import enigma

F = TypeVar("F", bound=Callable[..., Any])

#: The number of each pitfall that has a test, and what it is about.
COVERED: dict[str, list[str]] = {}


def covers(*pitfalls: str) -> Callable[[F], F]:
    """Names the pitfalls that a test is about, as "A: why a naive text would be wrong"."""
    for pitfall in pitfalls:
        number, _, words = pitfall.partition(": ")
        COVERED.setdefault(number, []).append(words)
    return lambda test: test


def text_of(kernel: enigma.KernelDef, **options: Any) -> str:
    """The MSL of a kernel, which both compilers of the lab take."""
    text = enigma.compile(kernel, **options).metal_source
    assert refused(text) == [], text
    return text


def body_of(text: str) -> str:
    """The kernel without the functions before it."""
    return text[text.index("kernel void ") :]


class Pitfalls:
    """Runs kernels on the CPU device and in the lab, which must agree."""

    def __init__(self, lab: msl.Lab) -> None:
        self.lab = lab

    def run(
        self,
        kernel: enigma.KernelDef,
        *arguments: Any,
        grid: int = 64,
        threads: int = 32,
        schedules: Sequence[str] = ("forward", "random"),
        close: float = 0.0,
        **options: Any,
    ) -> list[np.ndarray]:
        """The arguments after the call; those that were given are not changed.

        Results may differ by `close` of their size: for functions that are not exact.
        """
        text = text_of(kernel, **options)
        results = [np.array(a, copy=True) for a in arguments]
        enigma.compile(kernel, **options)(
            *results, grid=grid, threads=threads, runtime=enigma.CpuRuntime()
        )
        for schedule in schedules:
            executed = self.lab.run(text, arguments, grid, threads, schedule=schedule).arrays
            for cpu, msl_result in zip(results, executed, strict=True):
                if close and cpu.dtype.kind not in "biu":
                    wide = cpu.astype(np.float64), msl_result.astype(np.float64)
                    np.testing.assert_allclose(*wide, rtol=close, err_msg=text)
                else:
                    same_bits(msl_result, cpu, text)
        return results


def same_bits(got: np.ndarray, want: np.ndarray, message: str = "") -> None:
    """Equal numbers, zeros of one sign included; all NaN are one."""
    assert got.dtype == want.dtype
    if got.dtype.kind not in "biu":
        got, want = got.astype(np.float64), want.astype(np.float64)
        np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(want[want == 0]))
    np.testing.assert_array_equal(got, want, err_msg=message)


def warnings_of(text: str, *names: str) -> list[str]:
    """What clang says about the text as the lab runs it, with these warnings on."""
    code = source.translate(source.scan(text))
    meaning = [flag for flag in msl.MEANING if flag != "-w"]
    command = [msl.compiler(), *msl.STANDARD, *meaning, "-O1", "-include", "metal_stdlib"]
    command += ["-Wno-everything", *(f"-W{name}" for name in names), "-x", "c++", "-", "-o-", "-S"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    return [line for line in done.stderr.splitlines() if "warning:" in line]


@contextlib.contextmanager
def opened() -> Iterator[Pitfalls]:
    """The lab for the tests of a file."""
    with msl.Lab() as lab:
        yield Pitfalls(lab)


def define(text: str, filename: str) -> enigma.KernelDef:
    """The kernel `kernel` of a text, as that of a module's whose source can be looked up."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"__name__": "pitfalls_kernel", "enigma": enigma}
    exec(compile(text, filename, "exec"), scope)
    return next(v for v in scope.values() if isinstance(v, enigma.KernelDef))
