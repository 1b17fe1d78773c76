"""compile(): from a kernel's definition to a CompiledKernel, which shows its MSL and runs."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enigma import _core
from enigma.errors import EnigmaError, error
from enigma.jit import JitDef
from enigma.kernel import KernelDef
from enigma.launch import Grid, JitSession
from enigma.mistakes import called

if TYPE_CHECKING:
    from enigma.runtime import Runtime

Size = int | tuple[int, ...]

_CACHED = 32  # compiled forms that a kernel keeps: one per set of closure values and options
_EMIT = (None, "ir", "msl")
_MSL_VERSIONS = (None, "3.1", "3.2", "4.0")


class CompiledKernel:
    """A kernel that can be run: by calling it, or with a runtime's execute() and prepare()."""

    __slots__ = ("_artifact", "_runtime", "block", "definition", "grid")

    def __init__(self, definition: KernelDef | JitDef | None, artifact: _core.Artifact) -> None:
        self.definition = definition
        self._artifact = artifact
        self._runtime: Runtime | None = None  # the default one, once it was needed
        self.grid: Grid | None = None  # set by jit
        self.block: tuple[int, int, int] | None = None

    @property
    def kernel_name(self) -> str:
        """The kernel's name in Python; the MSL may differ where it is a reserved word."""
        return self._artifact.kernel_name

    @property
    def metal_source(self) -> str:
        """The kernel in Metal Shading Language."""
        return self._artifact.msl

    @property
    def kernel_source(self) -> str:
        """The same as metal_source."""
        return self._artifact.msl

    @property
    def ir(self) -> str:
        """The IR after the passes, as text."""
        return self._artifact.ir

    @property
    def params(self) -> list[_core.ParamInfo]:
        """The parameters: name, index, dtype, is_scalar, read, written."""
        return self._artifact.params

    @property
    def constants(self) -> list[_core.ConstantInfo]:
        """The function constants by index: index, dtype, name. Running the kernel needs them."""
        return self._artifact.constants

    @property
    def artifact(self) -> _core.Artifact:
        """What the C++ core made of the kernel."""
        return self._artifact

    def export_metal(self, path: str | os.PathLike[str] | None = None) -> str:
        """Writes the MSL to a file, ``<kernel>.metal`` when no path is given; gives its path."""
        target = Path(path) if path is not None else Path(f"{self.kernel_name}.metal")
        target.write_text(self.metal_source, encoding="utf-8")
        return str(target)

    def export_metallib(self, path: str | os.PathLike[str]) -> str:
        """Compiles the MSL to a .metallib with Apple's tools; EnigmaError where there are none."""
        import shutil
        import subprocess
        import tempfile

        if sys.platform != "darwin" or shutil.which("xcrun") is None:
            raise error(
                "export_metallib needs a Mac with Xcode's command-line tools (xcrun metal); "
                "export_metal() works everywhere, and running a kernel needs neither"
            )
        with tempfile.TemporaryDirectory() as folder:
            source = self.export_metal(Path(folder) / f"{self.kernel_name}.metal")
            version = self._artifact.msl_version
            command = ["xcrun", "-sdk", "macosx", "metal"]
            command += [f"-std=metal{version // 100}.{version // 10 % 10}"]
            # Without a flag Apple's compiler takes it that there are no NaN and infinities.
            command += ["-ffast-math" if self._artifact.fast_math else "-fno-fast-math"]
            command += ["-o", os.fspath(path), source]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise error(f"Apple's Metal compiler refused the kernel:\n{done.stderr.strip()}")
        return os.fspath(path)

    def __call__(
        self,
        *arguments: object,
        grid: Size | None = None,
        threads: Size | None = None,
        runtime: Runtime | None = None,
        scalars: dict[str, int] | None = None,
    ) -> None:
        """Runs the kernel and waits for it; arrays that it writes are changed in place.

        ``arguments`` are arrays and numbers in parameter order, ``grid`` the threads in all, and
        ``threads`` those of a threadgroup (256 along x when left out). ``runtime`` is
        default_runtime() unless given. ``scalars`` has the sizes of ``enigma.sym_int``, by name,
        that the arrays' shapes do not tell.

        Errors: EnigmaError that names the parameter, before anything runs.
        """
        if runtime is None:
            runtime = self._runtime or self._default_runtime()
        elif not hasattr(runtime, "device_capabilities"):
            raise error(
                f"kernel '{self.kernel_name}': runtime must be a CpuRuntime or a MetalRuntime, but "
                f"is {runtime!r}"
            )
        if grid is None:
            grid = self._grid()
        if threads is None:
            threads = self._threads(None)
        if scalars is not None:
            self._check_sizes(scalars)
        _core.call(runtime._core, self._artifact, arguments, grid, threads, scalars)

    def _default_runtime(self) -> Runtime:
        from enigma.runtime import default_runtime

        self._runtime = default_runtime()
        return self._runtime

    def _check_sizes(self, scalars: object) -> None:
        names = [self.params[p].name for p in self._artifact.sizes]
        if not isinstance(scalars, dict) or not all(key in names for key in scalars):
            raise error(
                f"kernel '{self.kernel_name}': scalars is a dict of sizes by name, of which it has "
                f"{', '.join(names) or 'none'}, but is {scalars!r}; other numbers are arguments"
            )

    def _grid(self) -> Size | None:
        if self._artifact.sizes:
            return None  # what the launches make of the sizes
        if self.grid is None:
            raise error(
                f"kernel '{self.kernel_name}': give the number of threads to run: grid=n, or "
                "grid=(x, y, z)"
            )
        return self.grid  # type: ignore[return-value]

    def _threads(self, threads: Size | None) -> Size:
        return threads if threads is not None else self.block or 256

    def __repr__(self) -> str:
        return f"<enigma compiled kernel {self.kernel_name}({', '.join(map(_shown, self.params))})>"


def _shown(param: _core.ParamInfo) -> str:
    return f"{param.name}: {f'Scalar({param.dtype})' if param.is_scalar else param.dtype}"


def compile(
    fn: KernelDef | JitDef,
    *tensors: object,
    emit_only: str | None = None,
    dump_ir: bool = False,
    keep_metal_source: bool = False,
    work_dir: str | os.PathLike[str] | None = None,
    vec_width: int = 0,
    math: str = "safe",
    msl_version: str | None = None,
) -> CompiledKernel:
    """Compiles a kernel. Needs no Mac and no Xcode.

    ``math="safe"`` keeps the meaning of NaN and infinities; "fast" allows the compilers to assume
    that there are none. ``dump_ir`` prints the IR to stderr, ``keep_metal_source`` writes
    ``<kernel>.metal`` into ``work_dir`` (the current folder when not given). ``emit_only`` ("ir" or
    "msl"), ``vec_width`` and ``msl_version`` are checked, but change nothing yet: every result has
    both texts, and kernels need no more than MSL 3.1. The environment variable ENIGMA_DUMP=all, or
    names of passes, prints the IR after them to stderr.

    Errors: EnigmaError with the line of the kernel that is wrong; TypeError for what is no kernel.
    Warnings are Python warnings at the kernel's line. Example::

        compiled = enigma.compile(saxpy)
        print(compiled.metal_source)
        compiled(x, 2.0, y, out, grid=len(x), threads=256)
    """
    if not isinstance(fn, (KernelDef, JitDef)):
        if isinstance(getattr(fn, "__wrapped__", None), KernelDef):
            raise TypeError(
                f"enigma.compile got a function around kernel '{fn.__name__}': write "
                "@enigma.kernel above the other decorators"
            )
        raise TypeError(
            "enigma.compile takes a function decorated with @enigma.kernel or @enigma.jit, not "
            f"{fn!r}"
        )
    if tensors and isinstance(fn, KernelDef):
        raise error(
            f"kernel '{fn.__name__}' is compiled without arguments: give its arrays when it runs"
        )
    _check("emit_only", emit_only, _EMIT)
    _check("math", math, ("safe", "fast"))
    _check("msl_version", msl_version, _MSL_VERSIONS)
    _check("vec_width", vec_width, (0, 1, 2, 4))
    if isinstance(fn, JitDef):
        compiled = _compile_jit(fn, tensors, math == "fast")
    else:
        compiled = CompiledKernel(fn, _artifact(fn, fn.trace(), math == "fast"))
        _warn_of_lost_buffers(fn, compiled.params)
    if dump_ir:
        print(compiled.ir, file=sys.stderr)
    if keep_metal_source:
        folder = Path(work_dir) if work_dir is not None else Path()
        folder.mkdir(parents=True, exist_ok=True)
        compiled.export_metal(folder / f"{compiled.kernel_name}.metal")
    return compiled


def _artifact(fn: KernelDef | JitDef, module: _core.Module, fast: bool) -> _core.Artifact:
    """Compiles a module, unless `fn` remembers it; shows its warnings when it is new."""
    wanted = os.environ.get("ENIGMA_DUMP", "")
    key = (module.text, fast)
    artifact = None if wanted else fn.artifacts.get(key)
    if artifact is None:
        artifact = _compile_dumping(module, fast, wanted) if wanted else _core.compile(module, fast)
        for message, filename, line in artifact.warnings:
            if filename and line:
                warnings.warn_explicit(message, UserWarning, filename, line)
            else:
                warnings.warn(message, UserWarning, stacklevel=3)
        while len(fn.artifacts) >= _CACHED:
            fn.artifacts.pop(next(iter(fn.artifacts)), None)
        fn.artifacts[key] = artifact
    return artifact


def _warn_of_lost_buffers(fn: KernelDef, params: list[_core.ParamInfo]) -> None:
    """Warns where the name of a buffer is given to something else, and the buffer is not used."""
    unused = {p.name for p in params if not (p.is_scalar or p.read or p.written)}
    for step in fn.instructions() if unused else ():
        if step.opname.startswith("STORE_") and step.argval in unused and step.positions:
            warnings.warn_explicit(
                f"kernel '{fn.__name__}': '{step.argval}' is a buffer, which is neither read nor "
                "written, since this gives its name to something else; to write an element use "
                f"{step.argval}[i] = ...",
                UserWarning,
                fn.filename,
                step.positions.lineno or fn.lineno,
            )


def _compile_jit(fn: JitDef, tensors: tuple[object, ...], fast: bool) -> CompiledKernel:
    """Runs a jit function, and compiles what it launches."""
    arguments = fn.arguments(tensors)
    with JitSession(fn, arguments) as session:
        result = called(fn.function, arguments.values())
    if not session.launches or result is not None:
        what = "returns a value" if result is not None else "launches no kernel"
        raise EnigmaError(
            f"jit function '{fn.__name__}' {what}: it gives its results by launching kernels, "
            "kernel(...).launch(grid=..., block=...)",
            fn.filename,
            fn.lineno,
        )
    launches = [(_artifact(fn, m, fast), grid, block) for _, m, grid, block in session.launches]
    joined = _core.join(fn.__name__, session.params(), launches, session.tensors)
    compiled = CompiledKernel(fn, joined)
    compiled.grid, compiled.block = launches[-1][1:]
    return compiled


def _check(option: str, value: object, known: tuple[Any, ...]) -> None:
    if not any(value is k or (type(value) is type(k) and value == k) for k in known):
        listed = ", ".join(map(repr, known))
        raise error(f"compile: {option} must be one of {listed}, but is {value!r}")


def _compile_dumping(module: _core.Module, fast: bool, wanted: str) -> _core.Artifact:
    """Compiles, and prints the IR after the passes that ENIGMA_DUMP names."""
    names = wanted.split(",")
    passes = []

    def dump(name: str, text: str) -> None:
        passes.append(name)
        if wanted == "all" or name in names:
            print(f"// after {name}\n{text}", file=sys.stderr)

    artifact = _core.compile(module, fast, dump)
    for name in names:
        if name not in ("all", *passes):
            raise error(f"ENIGMA_DUMP is 'all' or names of {', '.join(passes)}, but has {name!r}")
    return artifact
