"""Running compiled kernels: MetalRuntime, CpuRuntime, and kernels prepared with their arguments."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from enigma import _core
from enigma.compile import CompiledKernel, Size
from enigma.errors import EnigmaError, error

__all__ = ["CpuRuntime", "MetalRuntime", "PreparedKernel", "Runtime", "default_runtime"]

_lock = threading.Lock()
_cpu: dict[int, _core.Runtime] = {}
_default: dict[str, Runtime] = {}


def _cpu_runtime(threads: int = 0) -> _core.Runtime:
    """The CPU device with this many threads; one for each number, since it owns them."""
    with _lock:
        if threads not in _cpu:
            from enigma._llvm import compile_ir, identity

            _cpu[threads] = _core.cpu_runtime(compile_ir, threads, identity())
        return _cpu[threads]


def _device() -> str:
    """What ENIGMA_DEVICE asks for: "metal", "cpu", or "" for the best that there is."""
    device = os.environ.get("ENIGMA_DEVICE", "").strip().lower()
    if device not in ("", "metal", "cpu"):
        raise error(f"ENIGMA_DEVICE must be 'metal' or 'cpu', but is {device!r}")
    return device


class Runtime:
    """What MetalRuntime and CpuRuntime share: running compiled kernels on a device."""

    __slots__ = ("_core",)

    def __init__(self, core: _core.Runtime) -> None:
        self._core = core

    def device_capabilities(self) -> _core.DeviceCapabilities:
        """What the device is and can hold."""
        return self._core.capabilities

    def execute(
        self,
        compiled: CompiledKernel,
        inputs: Sequence[object],
        output_size: int | None = None,
        grid: Size | None = None,
        threads: Size | None = None,
        *,
        scalars: Sequence[object] | Mapping[str, object] | None = None,
        output_sizes: Sequence[int] | None = None,
        constants: Mapping[int, object] | None = None,
    ) -> bytes | list[bytes]:
        """Runs a kernel once and gives the bytes of its output; a list of them for several.

        ``inputs`` are the arguments in parameter order, numbers for scalars among them unless
        ``scalars`` gives those (in order, or by name). Sizes of ``enigma.sym_int`` are those of the
        arrays, or given by name. The last buffers are the outputs:
        ``output_size`` bytes for one, ``output_sizes`` for several, filled with zeros. When every
        parameter has an argument, the outputs are the buffers that the kernel writes. Arguments
        stay as they are: the kernel writes to copies. ``grid`` is the number of threads in all,
        ``threads`` that of a threadgroup (256 along x when left out). ``constants`` has a number
        for each function constant of the kernel, by its index.

        Errors: EnigmaError that names the parameter, before anything runs. Example::

            raw = rt.execute(saxpy, inputs=[x, 2.0, y], output_size=n * 4, grid=n, threads=256)
        """
        with self.prepare(
            compiled,
            inputs,
            output_size,
            scalars=scalars,
            output_sizes=output_sizes,
            constants=constants,
        ) as prepared:
            prepared.dispatch(grid, threads)
            outputs = [prepared._core.read(p) for p in prepared._outputs]
        return outputs[0] if len(outputs) == 1 else outputs

    def prepare(
        self,
        compiled: CompiledKernel,
        inputs: Sequence[object],
        output_size: int | None = None,
        *,
        scalars: Sequence[object] | Mapping[str, object] | None = None,
        output_sizes: Sequence[int] | None = None,
        constants: Mapping[int, object] | None = None,
    ) -> PreparedKernel:
        """Binds a kernel to its arguments, once, for any number of dispatches; see execute().

        Arrays that the kernel only reads are used where they lie, if the device can: for other
        contents give another array to set_input(), instead of changing them.
        """
        if not isinstance(compiled, CompiledKernel):
            raise error(f"expected a compiled kernel, from enigma.compile, but got {compiled!r}")
        if constants is not None and not isinstance(constants, Mapping):
            raise error(
                f"kernel '{compiled.kernel_name}': constants is a dict of numbers by index, not "
                f"{constants!r}"
            )
        arguments, sizes, outputs = _bound(compiled, inputs, output_size, scalars, output_sizes)
        core = self._core.prepare(compiled.artifact, arguments, sizes, dict(constants or {}))
        return PreparedKernel(compiled, core, outputs)

    def dispatch_batch(self, launches: Iterable[tuple[PreparedKernel, Size, Size]]) -> None:
        """Runs prepared kernels in order, as one submission: [(prepared, grid, threads), ...]."""
        batch = []
        if not isinstance(launches, Iterable):
            raise error(
                f"dispatch_batch takes a list of tuples (prepared, grid, threads), not {launches!r}"
            )
        for launch in launches:
            if not (isinstance(launch, tuple) and len(launch) == 3) or not isinstance(
                launch[0], PreparedKernel
            ):
                raise error(
                    f"dispatch_batch takes tuples (prepared, grid, threads), not {launch!r}"
                )
            compiled, grid = launch[0].compiled, launch[1]
            own = grid is None or (grid is compiled.grid and compiled.artifact.sizes)
            batch.append((launch[0]._core, compiled._grid() if own else grid, launch[2]))
        self._core.dispatch_batch(batch)

    def synchronize(self) -> None:
        """Waits until everything that was dispatched with wait=False has run."""
        self._core.synchronize()

    def __repr__(self) -> str:
        return f"<enigma {type(self).__name__} on {self._core.capabilities.name}>"


class CpuRuntime(Runtime):
    """The CPU device: kernels run on the machine's own vector units, by way of LLVM.

    ``threads`` is the number of threads that it uses, all cores when None.
    """

    __slots__ = ()

    def __init__(self, threads: int | None = None) -> None:
        most = _core.MAX_CPU_THREADS
        if threads is not None and (type(threads) is not int or not 1 <= threads <= most):
            raise error(f"CpuRuntime: threads must be an int from 1 to {most}, but is {threads!r}")
        super().__init__(_cpu_runtime(threads or 0))


class MetalRuntime(Runtime):
    """The Metal GPU of this Mac.

    With ENIGMA_DEVICE=cpu in the environment it is the CPU device instead, so that programs
    written for a Mac run anywhere. Errors: EnigmaError where there is no Metal.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_cpu_runtime() if _device() == "cpu" else _core.metal_runtime())


def default_runtime() -> Runtime:
    """The device that ENIGMA_DEVICE names ("metal" or "cpu"); else Metal, else the CPU."""
    device = _device()
    found = _default.get(device)
    if found is None:
        if device == "cpu":
            found = CpuRuntime()
        else:
            try:
                found = MetalRuntime()
            except EnigmaError:
                if device == "metal":
                    raise
                found = CpuRuntime()
        _default[device] = found
    return found


class PreparedKernel:
    """A kernel bound to its arguments. As a context manager it releases them at the end."""

    __slots__ = ("_core", "_outputs", "compiled")

    def __init__(
        self, compiled: CompiledKernel, core: _core.Prepared, outputs: Sequence[int]
    ) -> None:
        self.compiled = compiled
        self._core = core
        self._outputs = list(outputs)

    def dispatch(
        self, grid: Size | None = None, threads: Size | None = None, wait: bool = True
    ) -> None:
        """Runs the kernel over ``grid`` threads in threadgroups of ``threads``.

        With ``wait=False`` it may run on after this; a read or synchronize() waits.
        Errors: EnigmaError for sizes that are wrong, before anything runs, and for faults of the
        kernel, with its line.
        """
        if grid is None or threads is None:
            grid = self.compiled._grid() if grid is None else grid
            threads = self.compiled._threads(threads)
        self._core.dispatch(grid, threads, wait)

    def dispatch_timed(self, grid: Size | None = None, threads: Size | None = None) -> float:
        """Runs the kernel and waits; the milliseconds that it took on the device."""
        grid = self.compiled._grid() if grid is None else grid
        return self._core.dispatch_timed(grid, self.compiled._threads(threads))

    def output(self, index: int = 0) -> np.ndarray[Any, Any]:
        """Output number ``index`` as an input for other kernels: an array on the memory itself.

        One dimension, the parameter's type, read-only, and valid for as long as it is held. Kernels
        that were prepared with it read there what this kernel has written last, without a copy::

            hidden = runtime.prepare(first, inputs=[x, w1], output_size=size)
            result = runtime.prepare(second, inputs=[hidden.output(), w2], output_size=size)
            runtime.dispatch_batch([(hidden, grid, threads), (result, grid, threads)])

        It waits for all dispatches so far; to look at what a later one wrote, use read_output().
        """
        return self._core.output(self._output(index))

    def _output(self, index: int) -> int:
        if type(index) is not int or not 0 <= index < len(self._outputs):
            raise error(
                f"kernel '{self.compiled.kernel_name}' has {_count(self._outputs, 'output')}, and "
                f"none has the number {index!r}"
            )
        return self._outputs[index]

    def read_output(self, index: int = 0, dtype: Any = None) -> Any:
        """Output number ``index``: its bytes, or with ``dtype`` an array of one dimension.

        ``dtype`` is numpy's or Enigma's. It waits for all dispatches so far.
        """
        raw = self._core.read(self._output(index))
        if dtype is None:
            return raw
        wanted = _numpy_dtype(dtype)
        if wanted is None or wanted.hasobject:
            raise error(f"read_output: dtype is a type of numpy's or Enigma's, not {dtype!r}")
        if len(raw) % wanted.itemsize:
            raise error(
                f"output {index} of kernel '{self.compiled.kernel_name}' has {len(raw)} bytes, "
                f"which is no multiple of the {wanted.itemsize} of {wanted}"
            )
        # Through bytes, since numpy reads no buffer of bfloat16.
        return np.frombuffer(bytearray(raw), np.uint8).view(wanted)

    def set_input(self, name_or_index: str | int, array: object) -> None:
        """Gives a parameter, by name or number, another array or number."""
        index: Any = name_or_index
        if isinstance(name_or_index, str):
            names = [p.name for p in self.compiled.params]
            if name_or_index not in names:
                raise error(
                    f"kernel '{self.compiled.kernel_name}' has no parameter '{name_or_index}'; "
                    f"it has: {', '.join(names)}"
                )
            index = names.index(name_or_index)
        self._core.set_input(index, array)

    def release(self) -> None:
        """Gives back the memory; nothing else can be done with it afterwards."""
        self._core.release()

    def __enter__(self) -> PreparedKernel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return repr(self._core)


def _numpy_dtype(dtype: Any) -> np.dtype[Any] | None:
    if isinstance(dtype, (str, _core.DType)):
        try:
            return _core.dtype(dtype).numpy
        except EnigmaError:
            pass  # a name of numpy's own
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError):
        return None


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


def _bound(
    compiled: CompiledKernel,
    inputs: Sequence[object],
    output_size: int | None,
    scalars: Sequence[object] | Mapping[str, object] | None,
    output_sizes: Sequence[int] | None,
) -> tuple[list[object], dict[int, int], list[int]]:
    """Arguments in parameter order (None for outputs), sizes of outputs, and which they are."""
    name, params = compiled.kernel_name, compiled.params
    if not isinstance(inputs, (list, tuple)):
        raise error(f"kernel '{name}': inputs is a list of arguments, not {type(inputs).__name__}")
    if output_sizes is not None and not isinstance(output_sizes, (list, tuple)):
        raise error(
            f"kernel '{name}': output_sizes is a list of numbers of bytes, not {output_sizes!r}"
        )
    if output_size is not None and output_sizes is not None:
        raise error(f"kernel '{name}': give output_size for one output or output_sizes for several")
    sizes = [output_size] if output_size is not None else list(output_sizes or ())
    buffers = [k for k, p in enumerate(params) if not p.is_scalar]
    if len(sizes) > len(buffers):
        raise error(
            f"kernel '{name}' has {_count(buffers, 'buffer')}, but output_sizes has {len(sizes)}"
        )
    outputs = buffers[len(buffers) - len(sizes) :]
    sized = compiled.artifact.sizes
    values: dict[int, object] = dict.fromkeys([*outputs, *sized])
    if scalars is not None:
        values.update(_scalars(name, params, scalars, sized))
    rest = [k for k in range(len(params)) if k not in values]
    if len(inputs) != len(rest):
        missing = [params[k].name for k in rest[len(inputs) :]]
        wanted = ", ".join(params[k].name for k in rest) or "none"
        advice = ""
        if missing and not sizes and not params[rest[-1]].is_scalar:
            advice = "; for an output that the runtime allocates give output_size="
        raise error(
            f"kernel '{name}' takes {_count(rest, 'input')} ({wanted}), but "
            f"{len(inputs)} {'is' if len(inputs) == 1 else 'are'} given"
            + (f": parameter '{missing[0]}' is missing" if missing else "")
            + advice
        )
    values.update(zip(rest, inputs, strict=True))
    if not sizes:
        outputs = [k for k in buffers if params[k].written]
    return (
        [values[k] for k in range(len(params))],
        dict(zip(outputs, sizes, strict=False)),
        outputs,
    )


def _scalars(
    name: str,
    params: Sequence[_core.ParamInfo],
    scalars: Sequence[object] | Mapping[str, object],
    sized: Sequence[int],
) -> dict[int, object]:
    """Values by the numbers of their parameters. Those of sizes may be left to the arrays."""
    indices = {p.name: k for k, p in enumerate(params) if p.is_scalar}
    if isinstance(scalars, Mapping):
        for key in scalars:
            if key not in indices:
                known = ", ".join(indices) or "none"
                raise error(f"kernel '{name}' has no scalar parameter {key!r}; it has: {known}")
        for key in indices:
            if key not in scalars and indices[key] not in sized:
                raise error(f"kernel '{name}': scalars lacks parameter '{key}'")
        return {indices[key]: value for key, value in scalars.items()}
    if isinstance(scalars, (str, bytes)) or not hasattr(scalars, "__len__"):
        raise error(
            f"kernel '{name}': scalars is a list of numbers, or a dict of them by name, not "
            f"{scalars!r}"
        )
    indices = {key: k for key, k in indices.items() if k not in sized}
    if len(scalars) != len(indices):
        raise error(
            f"kernel '{name}' has {_count(list(indices), 'scalar parameter')} "
            f"({', '.join(indices) or 'none'}), but scalars has {len(scalars)}"
        )
    return dict(zip(indices.values(), scalars, strict=True))
