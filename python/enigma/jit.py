"""@jit: a Python function that tiles tensors and launches kernels; it runs when it is compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, NoReturn

from enigma import _core
from enigma.errors import EnigmaError, error, user_line
from enigma.kernel import innermost, resolved
from enigma.launch import JitScalar
from enigma.session import jits, sessions
from enigma.types import Scalar

__all__ = ["JitDef", "jit", "make_layout_tv", "tensor_zipped_divide"]


class JitDef:
    """A jit function, made by ``@enigma.jit``; ``enigma.compile(f, *tensors)`` runs it."""

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[..., Any], scope: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self.function = function
        inner = innermost(function)
        code = inner.__code__
        self.filename, self.lineno = code.co_filename, code.co_firstlineno
        if code.co_flags & 0x0C or code.co_kwonlyargcount:
            raise TypeError(f"jit function '{self.__name__}': its parameters must be plain ones")
        # Those with a default value are constants of Python, as a kernel's are.
        names = code.co_varnames[: code.co_argcount - len(inner.__defaults__ or ())]
        found = {n: resolved(a, inner, scope) for n, a in inner.__annotations__.items()}
        self.parameters = {name: found.get(name) for name in names}
        self.artifacts: dict[Any, Any] = {}  # compile's cache

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise EnigmaError(
            f"jit function '{self.__name__}' is not called itself: compile it with "
            f"enigma.compile({self.__name__}, *tensors), then call what that gives",
            *user_line(),
        )

    def __repr__(self) -> str:
        return f"<enigma jit function {self.__name__}({', '.join(self.parameters)})>"

    def arguments(self, given: tuple[object, ...]) -> dict[str, Any]:
        """Tensors as given, in parameter order, and a JitScalar for each Scalar parameter."""
        bound: dict[str, Any] = {}
        rest = list(given)
        for name, annotation in self.parameters.items():
            is_scalar = isinstance(annotation, Scalar)
            if isinstance(annotation, Scalar) and not (rest and isinstance(rest[0], Scalar)):
                bound[name] = JitScalar(name, annotation.dtype)
                continue
            if not rest:
                raise self._count(given)
            value = rest.pop(0)
            if isinstance(value, Scalar) and (not is_scalar or value == annotation):
                bound[name] = JitScalar(name, value.dtype)
            elif (
                isinstance(value, _core.Tensor) and not is_scalar and value.buffer_index is not None
            ):
                bound[name] = value
            else:
                raise error(
                    f"compile: parameter '{name}' of jit function '{self.__name__}' is given as an "
                    'enigma.Tensor, such as enigma.Tensor("A", 0, "float", enigma.Layout((m, n), '
                    f"(n, 1))), or as an enigma.Scalar; it cannot be {value!r}"
                )
        if rest:
            raise self._count(given)
        return bound

    def _count(self, given: tuple[object, ...]) -> EnigmaError:
        wanted = [n for n, a in self.parameters.items() if not isinstance(a, Scalar)]
        return error(
            f"compile: jit function '{self.__name__}' takes {len(wanted)} "
            f"tensor{'s' * (len(wanted) != 1)} ({', '.join(wanted)}), but {len(given)} "
            f"{'is' if len(given) == 1 else 'are'} given"
        )


def jit(function: Callable[..., Any]) -> JitDef:
    """Defines a function that divides tensors into tiles and launches kernels on them.

    It runs once, on the host, when ``enigma.compile(f, *tensors)`` is called. Its parameters are
    ``enigma.Tensor``s, whose shapes may have sizes of ``enigma.sym_int``, and numbers annotated
    with ``enigma.Scalar(dtype)``. Kernels are defined inside of it, or before it with parameters
    annotated ``enigma.Tensor``, and launched in order::

        kernel(gA, gB, tv).launch(grid=(n, 1, 1), block=(256, 1, 1))
        kernel.launch(grid=..., block=...)

    The first gives the kernel what is written. The second binds its parameters to the tensors that
    ``tensor_zipped_divide`` made in this function, in order, each as the tile of the threadgroup,
    and then to the layout of ``make_layout_tv``. ``grid`` counts threads; where it or ``block`` is
    ``...`` or left out, the block has the threads of that layout, and the grid a block for each
    tile. ::

        @enigma.jit
        def double(mX: enigma.Tensor, mY: enigma.Tensor):
            gX = enigma.tensor_zipped_divide(mX, 256)
            gY = enigma.tensor_zipped_divide(mY, 256)

            @enigma.kernel
            def body(x, y):
                i = enigma.thread_position_in_threadgroup()
                y[i] = 2.0 * x[i]

            body.launch(block=256)
    """
    if not callable(function):
        raise TypeError(f"enigma.jit decorates a function, not {function!r}")
    return JitDef(function, sys._getframe(1).f_locals)


def tensor_zipped_divide(tensor: _core.Tensor, tiler: Any) -> _core.Tensor:
    divided = _core.tensor_zipped_divide(tensor, tiler)
    if jits() and not sessions():
        jits()[-1].tiled.append(divided)
    return divided


def make_layout_tv(thr: _core.Layout, val: _core.Layout) -> tuple[Any, _core.Layout]:
    tiler, layout = _core.make_layout_tv(thr, val)
    if jits() and not sessions():
        jits()[-1].layouts.append(layout)
    return tiler, layout


tensor_zipped_divide.__doc__ = _core.tensor_zipped_divide.__doc__
make_layout_tv.__doc__ = _core.make_layout_tv.__doc__
