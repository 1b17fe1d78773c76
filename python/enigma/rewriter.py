"""The syntax-tree half of rewrite.py: which names a region binds, and the statements around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


class Bindings(ast.NodeVisitor):
    """Names that statements bind in their own function, and names whose elements they store to."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}  # ordered, so that output does not vary
        self.stored: dict[str, None] = {}

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.names[node.id] = None

    def _store(self, node: ast.Subscript | ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            base: ast.AST = node
            while isinstance(base, (ast.Subscript, ast.Attribute)):
                base = base.value
            if isinstance(base, ast.Name):
                self.stored[base.id] = None
        self.generic_visit(node)

    visit_Subscript = _store
    visit_Attribute = _store

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.names[node.name] = None

    visit_FunctionDef = _definition
    visit_AsyncFunctionDef = _definition
    visit_ClassDef = _definition

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def _comprehension(self, node: ast.AST) -> None:
        # Targets belong to the comprehension; `:=` binds outside of it.
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr):
                self.names[part.target.id] = None

    visit_ListComp = _comprehension
    visit_SetComp = _comprehension
    visit_DictComp = _comprehension
    visit_GeneratorExp = _comprehension

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.names[node.name] = None
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.names[(node.asname or node.name).split(".")[0]] = None

    def _capture(self, node: Any) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.names[name] = None
        self.generic_visit(node)

    visit_MatchAs = _capture
    visit_MatchStar = _capture
    visit_MatchMapping = _capture


def own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of statements that belong to the same function."""
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))


def returns(node: ast.FunctionDef) -> Iterator[tuple[ast.stmt, bool]]:
    """The return statements that a kernel must not have, each with whether it returns a value."""
    last = node.body[-1]
    for part in own_nodes(node.body):
        if isinstance(part, ast.Return):
            nothing = part.value is None or (
                isinstance(part.value, ast.Constant) and part.value.value is None
            )
            if not nothing or part is not last:
                yield part, not nothing


class Rewriter(ast.NodeTransformer):
    """Rewrites one function and the functions in it."""

    def __init__(self, mark: str, prefix: str) -> None:
        self.mark = mark
        self.prefix = prefix
        self.count = 0
        self.globals: set[str] = set()
        self.shared: dict[str, None] = {}  # names of this function that functions in it rebind
        self.inside: list[str] = []  # temporaries of the regions around, innermost last
        self.loops: list[int] = []  # for each Python loop around: len(inside) within it

    # ---- functions ----
    def function(self, node: ast.FunctionDef) -> None:
        """Rewrites the outermost function; what ran when it was defined is dropped."""
        node.decorator_list = []
        node.returns = None
        arguments = node.args
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            arg.annotation = None
        for arg in filter(None, (arguments.vararg, arguments.kwarg)):
            arg.annotation = None
        arguments.defaults = []
        arguments.kw_defaults = [None] * len(arguments.kwonlyargs)
        if hasattr(node, "type_params"):
            node.type_params = []
        self._body(node)

    def _body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self.globals, self.shared, self.inside, self.loops
        self.globals, self.shared, self.inside, self.loops = set(), {}, [], []
        for part in own_nodes(node.body):
            if isinstance(part, ast.Global):
                self.globals.update(part.names)
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for inner in ast.walk(part):
                    if isinstance(inner, ast.Nonlocal):
                        self.shared.update(dict.fromkeys(inner.names))
        if self.shared:
            bound = Bindings()
            for statement in node.body:
                bound.visit(statement)
            arguments = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            outside = {
                n for p in own_nodes(node.body) if isinstance(p, ast.Nonlocal) for n in p.names
            }
            mine = set(bound.names) | arguments | outside
            self.shared = {name: None for name in self.shared if name in mine}
        node.body = self._statements(node.body)
        self.globals, self.shared, self.inside, self.loops = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._body(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                self._body(statement)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def _statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            new = self.visit(statement)
            out.extend(new if isinstance(new, list) else [new])
        return out

    # ---- names for the IR ----
    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        target = node.targets[0]
        if isinstance(target, ast.Name):
            node.value = self._named(node.value, target.id)
        elif (
            isinstance(target, ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(target.elts) == len(node.value.elts)
            and all(isinstance(t, ast.Name) for t in target.elts)
            and not any(isinstance(v, ast.Starred) for v in node.value.elts)
        ):
            pairs = zip(target.elts, node.value.elts, strict=True)
            node.value.elts = [self._named(v, t.id) for t, v in pairs if isinstance(t, ast.Name)]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and isinstance(node.target, ast.Name):
            node.value = self._named(node.value, node.target.id)
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        node.value = self._named(node.value, node.target.id)
        return node

    def _named(self, value: ast.expr, name: str) -> ast.expr:
        if isinstance(value, (ast.Constant, ast.Name, ast.Lambda, ast.List, ast.Dict, ast.Tuple)):
            return value
        call = self._call("name", [value, ast.Constant(name)])
        for part in ast.walk(call):
            if not hasattr(part, "lineno"):
                _place(part, value)
        return call

    # ---- regions ----
    def visit_With(self, node: ast.With) -> list[ast.stmt]:
        if len(node.items) > 1:  # the same as one in the other
            inner = ast.copy_location(ast.With(items=node.items[1:], body=node.body), node)
            node.items, node.body = node.items[:1], [inner]
        item = node.items[0]
        only_arms = all(
            isinstance(s, (ast.With, ast.Pass))
            or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
            for s in node.body
        )
        bound = self._bindings(node.body, item.optional_vars)
        item.context_expr = self.visit(item.context_expr)
        region, manager = self._temporary(), self._temporary()
        before = [
            self._assign(manager, item.context_expr),
            self._assign(region, self._open(manager, bound, item.optional_vars, only_arms)),
        ]
        item.context_expr = ast.Name(manager, ast.Load())
        self.inside.append(region)
        node.body = self._wrapped(region, node.body, bound)
        self.inside.pop()
        after = [
            self._assign(manager, ast.Constant(None)),
            self._assign(region, ast.Constant(None)),
        ]
        return self._located([*before, node, *after], node)

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        bound = self._bindings(node.body, node.target)
        node.iter = self.visit(node.iter)
        region, iterable = self._temporary(), self._temporary()
        before = [
            self._assign(iterable, node.iter),
            self._assign(region, self._open(iterable, bound, node.target, False)),
        ]
        node.iter = ast.Name(iterable, ast.Load())
        # A jump out of this body ends this loop, which must not be a traced one.
        self.loops.append(len(self.inside))
        self.inside.append(region)
        node.body = self._wrapped(region, node.body, bound)
        self.inside.pop()
        self.loops.pop()
        node.orelse = self._statements(node.orelse)
        return self._located([*before, node], node)

    def visit_While(self, node: ast.While) -> ast.AST:
        node.test = self.visit(node.test)
        self.loops.append(len(self.inside))
        node.body = self._statements(node.body)
        self.loops.pop()
        node.orelse = self._statements(node.orelse)
        return node

    def _jump(self, node: ast.stmt, what: str, left: list[str]) -> list[ast.stmt]:
        checks: list[ast.stmt] = []
        for region in reversed(left):
            call = self._call("jump", [ast.Name(region, ast.Load()), ast.Constant(what)])
            checks.append(ast.Expr(call))
        return self._located([*checks, node], node)

    def visit_Break(self, node: ast.Break) -> list[ast.stmt]:
        return self._jump(node, "break", self.inside[self.loops[-1] :] if self.loops else [])

    def visit_Continue(self, node: ast.Continue) -> list[ast.stmt]:
        return self._jump(node, "continue", self.inside[self.loops[-1] :] if self.loops else [])

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        self.generic_visit(node)
        return self._jump(node, "return", self.inside)

    # ---- pieces ----
    def _bindings(self, body: list[ast.stmt], target: ast.expr | None) -> Bindings:
        found = Bindings()
        if target is not None:
            found.visit(target)
        for statement in body:
            found.visit(statement)
        found.names.update(self.shared)
        for name in found.names:
            found.stored.pop(name, None)
        return found

    def _open(
        self, manager: str, bound: Bindings, target: ast.expr | None, only_arms: bool
    ) -> ast.expr:
        return self._call(
            "open",
            [
                ast.Name(manager, ast.Load()),
                self._scope(bound),
                _constant(tuple(bound.names)),
                _constant(tuple(bound.stored)),
                _constant(_pattern(target)),
                ast.Constant(only_arms),
            ],
        )

    def _scope(self, bound: Bindings) -> ast.expr:
        scope = self._call("locals", [])
        module = [n for n in (*bound.names, *bound.stored) if n in self.globals]
        if not module:
            return scope
        return self._call("scope", [scope, self._call("globals", []), _constant(tuple(module))])

    def _wrapped(self, region: str, body: list[ast.stmt], bound: Bindings) -> list[ast.stmt]:
        values, own = self._temporary(), self._statements(body)
        method = ast.Attribute(ast.Name(region, ast.Load()), "_phases", ast.Load())
        phases = ast.For(
            target=ast.Name(values, ast.Store()),
            iter=ast.Call(method, [], []),
            body=self._binds(values, bound),
            orelse=[],
        )
        method = ast.Attribute(ast.Name(region, ast.Load()), "_leave", ast.Load())
        leave = self._assign(values, ast.Call(method, [self._scope(bound)], []))
        ends = [leave, *self._binds(values, bound, needed=False)]
        return [self._if_region(region, [phases]), *own, self._if_region(region, ends)]

    def _binds(self, values: str, bound: Bindings, needed: bool = True) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for name in bound.names:
            test = ast.Compare(ast.Constant(name), [ast.In()], [ast.Name(values, ast.Load())])
            item = ast.Subscript(ast.Name(values, ast.Load()), ast.Constant(name), ast.Load())
            out.append(ast.If(test=test, body=[self._assign(name, item)], orelse=[]))
        return out or ([ast.Pass()] if needed else [])

    def _if_region(self, region: str, body: list[ast.stmt]) -> ast.stmt:
        test = ast.Compare(ast.Name(region, ast.Load()), [ast.IsNot()], [ast.Constant(None)])
        return ast.If(test=test, body=body, orelse=[])

    def _assign(self, name: str, value: ast.expr) -> ast.stmt:
        return ast.Assign(targets=[ast.Name(name, ast.Store())], value=value)

    def _call(self, hook: str, arguments: list[ast.expr]) -> ast.Call:
        function = ast.Attribute(ast.Constant(self.mark), hook, ast.Load())
        return ast.Call(function, arguments, [])

    def _temporary(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    def _located(self, statements: list[ast.stmt], node: ast.stmt) -> list[ast.stmt]:
        """Gives new nodes the line of `node`, so that errors and IR point there."""
        for statement in statements:
            for part in ast.walk(statement):
                if "lineno" in part._attributes and not hasattr(part, "lineno"):
                    _place(part, node)
        return statements


def _constant(value: Any) -> ast.Constant:
    return ast.Constant(value)


def _place(part: Any, node: ast.stmt | ast.expr) -> None:
    """Puts a new node at the first line of `node`: a call counts as running where its name ends."""
    part.lineno = part.end_lineno = node.lineno
    part.col_offset = part.end_col_offset = node.col_offset


def _pattern(target: ast.expr | None) -> Any:
    """The names of a target as nested tuples; 0 for what is no name."""
    if target is None:
        return None
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, (ast.Tuple, ast.List)):
        return tuple(_pattern(part) for part in target.elts)
    return 0
