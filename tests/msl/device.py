"""Runs what the Python suite runs on the CPU device a second time, as MSL text in the lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from .lab import Lab, LabError

# The CPU device and the lab sum in different orders, and both may be some ulps from the exact
# result (4 for the transcendental functions); what is larger than this is a disagreement.
TOLERANCE = {"float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}


def disagreement(name: str, cpu: np.ndarray, executed: np.ndarray) -> str | None:
    """What differs between two results, or None."""
    if cpu.dtype.name not in TOLERANCE:
        wrong = cpu != executed
    else:
        relative = TOLERANCE[cpu.dtype.name]
        with np.errstate(all="ignore"):
            a, b = cpu.astype(np.float64), executed.astype(np.float64)
            tiny = float(ml_dtypes.finfo(cpu.dtype).tiny)
            near = np.abs(a - b) <= relative * np.maximum(np.abs(a), np.abs(b)) + tiny
        wrong = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{name}{list(at)}: CPU device {cpu[at]!r}, executed MSL {executed[at]!r} "
        f"({int(wrong.sum())} of {wrong.size} differ)"
    )


class MslDevice:
    """Runs direct calls of compiled kernels once more, looking for races and bad accesses."""

    def __init__(self, schedule: str = "forward") -> None:
        self.lab = Lab(timeout=120.0)
        self.schedule = schedule

    def close(self) -> None:
        self.lab.close()

    def verify(
        self,
        compiled: Any,
        before: list[Any],
        after: list[Any],
        grid: Any,
        threads: Any,
        constants: Mapping[int, Any] | None = None,
        scalars: dict[str, int] | None = None,
    ) -> None:
        """The lab's results from `before` must be `after`. Errors: AssertionError."""
        sizes = compiled.artifact.solve(before, scalars)
        before, after = (_with_sizes(compiled, given, sizes) for given in (before, after))
        values = [
            _scalar(value, p.dtype.numpy) if p.is_scalar else value
            for p, value in zip(compiled.params, before, strict=True)
        ]
        given = {
            c.index: _scalar(constants[c.index], c.dtype.numpy)[()] for c in compiled.constants
        }
        whole = (compiled.artifact, range(len(values)), grid, threads)
        for kernel, numbers, total, group in compiled.artifact.launches or [whole]:
            if sizes:
                total = tuple(n if isinstance(n, int) else n.at(sizes) for n in total)
            # The lab takes arguments in the order of their buffer indices.
            order = sorted(zip(kernel.params, numbers, strict=True), key=lambda p: p[0].index)
            try:
                result = self.lab.run(
                    kernel.msl,
                    [values[k] for _, k in order],
                    total,
                    group,
                    schedule=self.schedule,
                    checked=True,
                    constants=given,
                )
            except LabError as error:
                raise AssertionError(
                    f"MSL execution of {compiled!r}:\n{error}\n{kernel.msl}"
                ) from None
            for (_, k), array in zip(order, result.arrays, strict=True):
                values[k] = array
        for parameter, cpu, executed in zip(compiled.params, after, values, strict=True):
            if parameter.is_scalar or not parameter.written:
                continue
            wrong = disagreement(parameter.name, cpu, executed)
            if wrong:
                raise AssertionError(
                    f"MSL and CPU device disagree: {wrong}\n{compiled.metal_source}"
                )


def _with_sizes(compiled: Any, given: list[Any], sizes: dict[str, int]) -> list[Any]:
    """The arguments of a call, and the sizes of its tensors where their parameters stand."""
    rest = iter(given)
    names = (p.name for p in compiled.params)
    return [sizes[name] if name in sizes else next(rest) for name in names]


def _scalar(value: Any, numpy: np.dtype[Any]) -> np.ndarray:
    if numpy == np.bool_:
        return np.array(bool(value), np.uint8)
    with np.errstate(all="ignore"):
        return np.array(value).astype(numpy)


def host_copy(value: Any) -> Any:
    """The argument's values now; arrays that are no numpy arrays through the buffer protocol."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if np.isscalar(value) or isinstance(value, (bool, int, float)):
        return value
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value).copy()
    return np.array(memoryview(value))
