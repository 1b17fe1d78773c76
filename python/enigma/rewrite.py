"""The rewrite of a function's source that tells traced regions which Python names they change.

``with R as t: body`` becomes, with temporary names of our own::

    r = R
    region = hooks.open(r, locals(), names, stored, t, only_arms)   # None if it is no region
    with r as t:
        if region is not None:
            for bound in region._phases():      # while_ binds twice: for condition and body
                if "x" in bound: x = bound["x"]
        body
        if region is not None:
            bound = region._leave(locals())
            if "x" in bound: x = bound["x"]

and ``for t in R`` likewise, so that a `with` or `for` that is no region does what it did before.
What is a region is decided when it runs, so that aliases of the module and its names work. Lines,
cells, defaults and the other decorators of the function stay as they are.
"""

from __future__ import annotations
import __future__

import ast
import gc
import inspect
import weakref
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

from enigma import _core
from enigma.conditions import Arm
from enigma.errors import EnigmaError, error
from enigma.pipeline import Pipeline
from enigma.region import TEMPORARY, Region
from enigma.registers import RegisterTensor
from enigma.rewriter import Rewriter, returns
from enigma.session import sessions

# Stands for `hooks` in compiled code until the code's constants are replaced.
_MARK = "\0enigma hooks"

# What became of a code object, by its id: itself, weakly, and the rewritten code; None where there
# is no source.
_known: dict[int, tuple[weakref.ref[CodeType], CodeType | None]] = {}


class Hooks:
    """What rewritten code calls."""

    locals = staticmethod(locals)
    globals = staticmethod(globals)

    @staticmethod
    def open(
        manager: Any,
        scope: dict[str, Any],
        names: tuple[str, ...],
        stored: tuple[str, ...],
        target: Any,
        only_arms: bool,
    ) -> Any:
        """The region behind a context manager or an iterable; None when it is none of ours."""
        if isinstance(manager, Region):
            manager._open(scope, names, stored, target)
            manager._check_body(only_arms)
            return manager
        return _ManagedArm(manager) if isinstance(manager, Arm) else None

    @staticmethod
    def scope(
        local: dict[str, Any], module: dict[str, Any], names: tuple[str, ...]
    ) -> dict[str, Any]:
        """The local names, and those declared global."""
        return {**local, **{name: module[name] for name in names if name in module}}

    @staticmethod
    def jump(region: Any, what: str) -> None:
        """Refuses a statement that leaves a traced region half-way."""
        if region is not None:
            kind, at = region.named()
            raise error(
                f"`{what}` cannot leave the {kind} {at}: its body is traced once, for every turn "
                "and thread; put the rest of the body under `with enigma.if_(...)`"
            )

    @staticmethod
    def name(value: Any, name: str) -> Any:
        """Hands the Python name of a value, or of an object that has some, to the IR."""
        if type(value) is _core.IRValue:
            stack = sessions()
            if stack:
                stack[-1].trace.set_name(value, name)
        elif type(value) is _core.Fragment:
            _core.name_fragment(value, name)
        elif type(value) in (_core.TracingTensor, _core.Tensor, RegisterTensor, Pipeline):
            value.name = name
        return value


class _ManagedArm:
    """An arm of an if_ as rewritten code drives it."""

    def __init__(self, arm: Any) -> None:
        self._arm = arm

    def named(self) -> tuple[str, str]:
        return self._arm._region.named()

    def _phases(self) -> tuple[dict[str, Any], ...]:
        return ()

    def _leave(self, scope: dict[str, Any]) -> dict[str, Any]:
        return self._arm._region._leave_arm(self._arm._number, scope)


hooks = Hooks()


def is_rewritten(code: CodeType) -> bool:
    """Whether the regions in this code are told what they change."""
    return hooks in code.co_consts


def adopt(frame: FrameType, adopted: set[int]) -> bool:
    """Rewrites the helper of a kernel that runs in `frame`; True when that changes the next trace.

    A function that is made anew in each trace is rewritten with the one that makes it, if that is
    still running. `adopted` holds the ids of what was rewritten for this kernel already.
    """
    code = frame.f_code
    outer: FrameType | None = frame
    while outer is not None and outer.f_globals.get("__name__") != "enigma.kernel":
        if _contains(outer.f_code, frame.f_code):
            code = outer.f_code
        outer = outer.f_back
    if id(code) in adopted:
        return False
    adopted.add(id(code))
    new = _look_up(code, None)
    if new is None or new is code:
        return False
    found = [f for f in gc.get_referrers(code) if isinstance(f, FunctionType)]
    found = [f for f in found if f.__code__ is code]
    for function in found:
        function.__code__ = new
    return bool(found)


def _contains(code: CodeType, inner: CodeType) -> bool:
    return any(
        const is inner or _contains(const, inner)
        for const in code.co_consts
        if isinstance(const, CodeType)
    )


def rewrite_kernel(function: FunctionType) -> None:
    """Rewrites a kernel's function in place, once; it stays as it is where there is no source.

    EnigmaError for what the source shows to be wrong: an early return, a value returned.
    """
    new = _look_up(function.__code__, _check_returns)
    if new is not None:
        function.__code__ = new


def _look_up(
    code: CodeType, check: Callable[[CodeType, ast.FunctionDef], None] | None
) -> CodeType | None:
    """The rewritten code, made when it is asked for first."""
    if is_rewritten(code):
        return code
    known = _known.get(id(code))
    if known is not None:
        return known[1]
    parsed = parse(code)
    if parsed is not None and check is not None:
        check(code, parsed[0])
    new = rewritten(code, *parsed) if parsed is not None else None
    key = id(code)

    def forget(_: object, known: dict[int, Any] = _known) -> None:
        known.pop(key, None)

    _known[key] = weakref.ref(code, forget), new
    return new


def rewritten(code: CodeType, node: ast.FunctionDef, future: int) -> CodeType | None:
    """The code of the rewritten tree; None where it does not fit the cells of the original."""
    Rewriter(_MARK, TEMPORARY).function(node)
    # The names of the cells are parameters around it, so that they are free in it as before.
    cells = [ast.arg(arg=name) for name in code.co_freevars]
    arguments = ast.arguments(
        posonlyargs=[], args=cells, kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    outer = ast.FunctionDef(name="cells", args=arguments, body=[node], decorator_list=[])
    if hasattr(outer, "type_params"):
        outer.type_params = []
    module = ast.fix_missing_locations(ast.Module(body=[outer], type_ignores=[]))
    built = compile(module, code.co_filename, "exec", flags=future, dont_inherit=True)
    new = _find(_find(built, "cells"), code.co_name)
    if new is None or new.co_freevars != code.co_freevars:
        return None
    new = _with_hooks(new)
    if hasattr(code, "co_qualname"):
        new = new.replace(co_qualname=code.co_qualname)
    return new


def parse(code: CodeType) -> tuple[ast.FunctionDef, int] | None:
    """The function's syntax tree with the lines of its file, and its __future__ flags."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError, IndentationError, SyntaxError):
        return None
    # An `if` around it keeps indented source as it is: dedenting would change long strings.
    source = "if 1:\n" + "".join(lines) if lines[0][:1].isspace() else "".join(lines)
    shift = first - 2 if lines[0][:1].isspace() else first - 1
    flags = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
    future = code.co_flags & flags
    try:
        tree = compile(source, code.co_filename, "exec", ast.PyCF_ONLY_AST | future, True)
    except (SyntaxError, ValueError):
        return None
    assert isinstance(tree, ast.Module)
    if not tree.body:
        return None
    node = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
    if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
        return None
    given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if tuple(given) != code.co_varnames[: len(given)]:
        return None  # the file has changed since it was imported
    ast.increment_lineno(node, shift)
    return node, future


def _check_returns(code: CodeType, node: ast.FunctionDef) -> None:
    for statement, returned in returns(node):
        if returned:
            message = (
                f"kernel '{node.name}' returns a value: kernels give their results by writing to "
                "buffers, as in Out[tid] = value"
            )
        else:
            message = (
                f"kernel '{node.name}' returns early: its body is traced as a whole, so write the "
                "rest under `with enigma.if_(...)`"
            )
        raise EnigmaError(message, code.co_filename, statement.lineno)


def _find(code: CodeType | None, name: str) -> CodeType | None:
    for const in code.co_consts if code is not None else ():
        if isinstance(const, CodeType) and const.co_name == name:
            return const
    return None


def _with_hooks(code: CodeType) -> CodeType:
    """The code with `hooks` itself among its constants, so that no name of the user's is taken."""
    consts: list[Any] = []
    for const in code.co_consts:
        if isinstance(const, str) and const == _MARK:
            const = hooks
        elif isinstance(const, CodeType):
            const = _with_hooks(const)
        consts.append(const)
    return code.replace(co_consts=tuple(consts))
