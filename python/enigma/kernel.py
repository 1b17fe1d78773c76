"""@kernel: a Python function as the definition of a GPU kernel, and its tracing into the IR."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from functools import update_wrapper
from types import FunctionType
from typing import TYPE_CHECKING, Any

from enigma import _core
from enigma.errors import EnigmaError, error
from enigma.mistakes import called
from enigma.session import Hints, Retrace, Session, jits
from enigma.types import Scalar

if TYPE_CHECKING:
    from enigma.launch import Launch

# Annotations of what only a launch in a jit function gives.
_LAUNCHED = (_core.Tensor, _core.Layout, _core.SwizzledLayout, tuple)
_MAX_RETRACES = 1000  # each one widens the type of a carried number, or rewrites a helper


class Parameter:
    """One parameter of a kernel, in order of declaration.

    What has no dtype is for a launch in a jit function to give.
    """

    __slots__ = ("dtype", "is_scalar", "name")

    def __init__(self, name: str, dtype: _core.DType | None, is_scalar: bool) -> None:
        self.name = name
        self.dtype = dtype
        self.is_scalar = is_scalar

    def __repr__(self) -> str:
        if self.dtype is None:
            return self.name
        annotation = f"Scalar({self.dtype!r})" if self.is_scalar else repr(self.dtype)
        return f"{self.name}: {annotation}"


class KernelDef:
    """A kernel's definition, made by ``@enigma.kernel``; ``enigma.compile`` makes it run.

    ``parameters`` lists the buffers and scalars in order; a parameter without an annotation that
    has a default value is a constant of Python, of which the kernel sees the default.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], scope: dict[str, Any] | None = None) -> None:
        update_wrapper(self, function)
        self.function = function
        self._innermost = innermost(function)
        code = self._innermost.__code__
        self.filename, self.lineno = code.co_filename, code.co_firstlineno
        if code.co_name == "<lambda>":
            raise EnigmaError(
                "a lambda cannot be a kernel, since its parameters have no types: use a function "
                "with annotations",
                self.filename,
                self.lineno,
            )
        if code.co_flags & 0x2A0:  # generator, coroutine, asynchronous generator
            raise EnigmaError(
                f"kernel '{self.__name__}' must be a plain function, without yield and async",
                self.filename,
                self.lineno,
            )
        self.parameters = parameters(self._innermost, self.__name__, scope or {})
        most = _core.MAX_PARAMETERS
        if len(self.parameters) > most:
            raise EnigmaError(
                f"kernel '{self.__name__}' has {len(self.parameters)} parameters, but Metal allows "
                f"{most}: parameter '{self.parameters[most].name}' is one too many",
                self.filename,
                self.lineno,
            )
        self._rewritten = False
        self.artifacts: dict[Any, Any] = {}  # compile's cache

    def __call__(self, *args: object, **kwargs: object) -> Launch:
        """The kernel with its arguments, in a jit function, for ``launch``."""
        if jits():
            from enigma.launch import Launch

            return Launch(self, self._bound(args, kwargs))
        raise EnigmaError(
            f"kernel '{self.__name__}' is not called itself: compile it with enigma.compile("
            f"{self.__name__}), then call what that gives, or run it with a runtime's execute()",
            *_caller(),
        )

    def __repr__(self) -> str:
        return f"<enigma kernel {self.__name__}({', '.join(map(repr, self.parameters))})>"

    def launch(self, grid: Any = None, block: Any = None) -> None:
        """Launches the kernel on the tiles that the jit function has made; see ``enigma.jit``."""
        from enigma.launch import Launch

        Launch(self, None).launch(grid, block)

    def instructions(self) -> Iterator[dis.Instruction]:
        """The body as Python runs it."""
        return dis.get_instructions(self._innermost)

    def _bound(self, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[object, ...]:
        names = [p.name for p in self.parameters]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if len(args) > len(names) or sorted(given) != sorted(names):
            count = len(args) + len(kwargs)
            raise error(
                f"kernel '{self.__name__}' takes {len(names)} argument{'s' * (len(names) != 1)} "
                f"({', '.join(names)}), but {count} {'is' if count == 1 else 'are'} given"
            )
        return tuple(given[name] for name in names)

    def __get__(self, instance: object, owner: type | None = None) -> KernelDef:
        return self  # a kernel in a class is static

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled as functions are, by name

    def trace(self, bind: Callable[[Session], list[Any]] | None = None) -> _core.Module:
        """Runs the function once with symbolic values; gives the IR that it wrote.

        ``bind`` gives the arguments of a launch in a jit function.
        """
        loose = [p.name for p in self.parameters if p.dtype is None]
        if loose and bind is None:
            raise error(
                f"kernel '{self.__name__}' takes tensors (parameter '{loose[0]}'), so it is "
                "launched in a function decorated with @enigma.jit; compile that"
            )
        if not self._rewritten:
            from enigma import rewrite

            rewrite.rewrite_kernel(self._innermost)
            self._rewritten = True
        hints: Hints = {}
        adopted: set[int] = set()
        for _ in range(_MAX_RETRACES):
            try:
                return self._trace_once(hints, adopted, bind)
            except Retrace:
                continue
        raise RuntimeError(f"internal error of Enigma: tracing '{self.__name__}' does not end")

    def _trace_once(
        self, hints: Hints, adopted: set[int], bind: Callable[[Session], list[Any]] | None
    ) -> _core.Module:
        trace = _core.Trace(self.__name__)
        with Session(trace, hints, adopted) as session:
            arguments: list[Any] = bind(session) if bind else []
            for p in self.parameters if bind is None else ():
                declare = trace.scalar if p.is_scalar else trace.buffer
                arguments.append(declare(p.name, p.dtype))  # type: ignore[arg-type]
            result = called(self.function, arguments)
            if session.failure is not None or trace.depth:
                reason = session.failure or "a region is still open at the end"
                raise EnigmaError(
                    f"kernel '{self.__name__}' cannot be traced: {reason}",
                    self.filename,
                    self.lineno,
                )
            for region in session.unentered:
                how = "for i in" if region.kind == "enigma.range" else "with"
                kind = region.kind.removeprefix("enigma.")
                raise region.error(
                    f"the {kind} {region.at()} has no body: write `{how} enigma.{kind}(...):`"
                )
            if result is not None:
                raise EnigmaError(
                    f"kernel '{self.__name__}' returns a value: kernels give their results by "
                    "writing to buffers, as in Out[tid] = value",
                    self.filename,
                    self.lineno,
                )
            return trace.finish()


def kernel(function: Callable[..., Any]) -> KernelDef:
    """Defines a GPU kernel.

    Each parameter is annotated with its type: a dtype, as object, class or string, for a buffer of
    such elements, ``Scalar(dtype)`` for a number. They become MSL buffers 0, 1, ... in order, 31 at
    the most. The body is traced when the kernel is compiled: it runs once, with values that stand
    for each thread's own. ::

        @enigma.kernel
        def saxpy(X: enigma.f32, alpha: enigma.Scalar(enigma.f32), Y: enigma.f32, Out: enigma.f32):
            tid = enigma.thread_position_in_grid
            Out[tid] = alpha * X[tid] + Y[tid]

    Errors: TypeError naming the parameter for a missing or unknown annotation; EnigmaError for
    more than 31 parameters, a lambda or a generator.
    """
    if not callable(function):
        raise TypeError(f"enigma.kernel decorates a function, not {function!r}")
    return KernelDef(function, sys._getframe(1).f_locals)


def innermost(function: Callable[..., Any]) -> FunctionType:
    """The function under other decorators, which is the one that has the kernel's source."""
    found: Any = function
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    found = getattr(found, "__func__", found)  # staticmethod and bound methods
    if not isinstance(found, FunctionType):
        raise TypeError(f"enigma.kernel decorates a function, not {function!r}")
    return found


def parameters(function: FunctionType, name: str, scope: dict[str, Any]) -> list[Parameter]:
    """The parameters that a function's signature declares; TypeError names a wrong one."""
    code = function.__code__
    if code.co_flags & 0x0C or code.co_kwonlyargcount:  # *args, **kwargs
        position = code.co_argcount
        extra = code.co_varnames[position]
        raise TypeError(
            f"kernel '{name}': parameter '{extra}' is variadic or keyword-only; a kernel's "
            "parameters are plain ones, each with a type"
        )
    names = code.co_varnames[: code.co_argcount]
    annotations = function.__annotations__
    required = len(names) - len(function.__defaults__ or ())
    found = []
    for position, parameter in enumerate(names):
        if parameter not in annotations:
            if position >= required:
                continue  # a constant of Python
            if jits():
                found.append(Parameter(parameter, None, False))
                continue
            raise TypeError(
                f"kernel '{name}': parameter '{parameter}' has no type; annotate it, for example "
                f"`{parameter}: enigma.f32` for a buffer or `{parameter}: "
                "enigma.Scalar(enigma.f32)` for a number"
            )
        if position >= required:
            raise TypeError(
                f"kernel '{name}': parameter '{parameter}' has a type and a default value; only a "
                "constant, which has no annotation, can have a default"
            )
        wrong = f"kernel '{name}': the annotation of parameter '{parameter}'"
        try:
            annotation = resolved(annotations[parameter], function, scope)
        except Exception as why:
            said = why.message if isinstance(why, EnigmaError) else f"{type(why).__name__}: {why}"
            raise TypeError(
                f"{wrong}, {annotations[parameter]!r}, cannot be evaluated: {said}"
            ) from None
        if isinstance(annotation, Scalar):
            found.append(Parameter(parameter, annotation.dtype, True))
            continue
        if annotation in _LAUNCHED:
            found.append(Parameter(parameter, None, False))
            continue
        if annotation is Scalar:
            raise TypeError(f"{wrong} lacks the type: write enigma.Scalar(enigma.f32), for example")
        try:
            dtype = _core.dtype(annotation)
        except EnigmaError as why:
            raise TypeError(f"{wrong} is no type of Enigma: {why.message}") from None
        found.append(Parameter(parameter, dtype, False))
    return found


def resolved(annotation: Any, function: FunctionType, scope: dict[str, Any]) -> Any:
    """The object that a string annotation means, be it from __future__ or a type's own name.

    A word that means nothing stays a string; other strings raise what evaluating them raises.
    """
    for _ in range(2):  # "'float'" is a string in a string
        if not isinstance(annotation, str):
            break
        try:
            return _core.dtype(annotation)
        except EnigmaError:
            pass
        cells = {}
        for cell_name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                cells[cell_name] = cell.cell_contents
            except ValueError:  # not bound yet
                continue
        try:
            annotation = eval(annotation, function.__globals__, {**scope, **cells})
        except NameError:
            if not annotation.isidentifier():
                raise
            break
    return annotation


def _caller() -> tuple[str, int]:
    frame = sys._getframe(2)
    return frame.f_code.co_filename, frame.f_lineno
