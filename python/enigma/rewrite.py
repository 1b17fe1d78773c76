"""The rewrite of a function's source that tells traced regions which Python names they change.

``with R as t: body`` becomes, with temporary names of our own::

    r = R
    region = hooks.open(r, locals(), names, stored, t, only_arms)   # None for other context managers
    with r as t:
        if region is not None:
            for bound in region._phases():      # while_ binds twice: for its condition, for its body
                if "x" in bound: x = bound["x"]
        body
        if region is not None:
            bound = region._leave(locals())
            if "x" in bound: x = bound["x"]

and ``for t in R`` likewise, so that every `with` and `for` that is no region does what it did before.
What is a region is decided when it runs, so that aliases of the module and its names work. Lines,
cells, defaults and the other decorators of the function stay as they are.
"""

from __future__ import annotations

import __future__
import ast
import gc
import inspect
from types import CodeType, FunctionType
from typing import Any

from enigma import _core
from enigma.control import Arm
from enigma.errors import EnigmaError, error
from enigma.region import Region
from enigma.rewriter import Rewriter, returns
from enigma.session import sessions

# Stands for `hooks` in compiled code until the code's constants are replaced.
_MARK = "\0enigma hooks"
_ITSELF = "__enigma_"

_rewritten: set[int] = set()  # ids of code objects in _kept
_kept: list[CodeType] = []


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
    def scope(local: dict[str, Any], module: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
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
        """Hands the Python name of a value to the IR."""
        if type(value) is _core.IRValue:
            stack = sessions()
            if stack:
                stack[-1].trace.set_name(value, name)
        return value


class _ManagedArm:
    """An arm of an if_ as rewritten code drives it."""

    def __init__(self, arm: Any) -> None:
        self._arm = arm

    def named(self) -> tuple[str, str]:
        return self._arm._region.named()  # type: ignore[no-any-return]

    def _phases(self) -> tuple[dict[str, Any], ...]:
        return ()

    def _leave(self, scope: dict[str, Any]) -> dict[str, Any]:
        return self._arm._region._leave_arm(self._arm._number, scope)  # type: ignore[no-any-return]


hooks = Hooks()


def adopt(code: CodeType) -> bool:
    """Rewrites the functions that run `code`, a helper of a kernel; True when there was one to do."""
    if id(code) in _rewritten:
        return False
    _remember(code)
    new = rewritten(code)
    if new is None:
        return False
    found = [f for f in gc.get_referrers(code) if isinstance(f, FunctionType)]
    for function in found:
        if function.__code__ is code:
            function.__code__ = new
    return bool(found)


def rewrite(function: FunctionType) -> bool:
    """Rewrites a function in place, once; False where its source cannot be had."""
    code = function.__code__
    if id(code) in _rewritten:
        return True
    new = rewritten(code)
    if new is None:
        return False
    function.__code__ = new
    return True


def _remember(code: CodeType) -> None:
    _rewritten.add(id(code))
    _kept.append(code)


def rewritten(code: CodeType) -> CodeType | None:
    """The rewritten code, or None where there is no source that fits the code."""
    found = parse(code)
    if found is None:
        return None
    node, future = found
    Rewriter(_MARK, _ITSELF).function(node)
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
    _remember(new)
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


def check_kernel(function: FunctionType) -> None:
    """EnigmaError for what a kernel's body must not contain: an early return, a value returned."""
    found = parse(function.__code__)
    if found is None:
        return
    node, _ = found
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
        raise EnigmaError(message, function.__code__.co_filename, statement.lineno)


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
            _remember(const)
        consts.append(const)
    return code.replace(co_consts=tuple(consts))
