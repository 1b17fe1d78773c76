"""Random programs: expressions, loops, conditions and carried values give numpy's numbers.

One program is printed twice, as a kernel and as plain Python over numpy scalars, and both are run.
"""

import linecache
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import enigma

pytestmark = pytest.mark.usefixtures("device")

INTS, FLOATS = ["i0", "i1", "i2"], ["f0", "f1"]
THREADS = 70


@dataclass
class Program:
    """The two texts of one program, line by line."""

    kernel: list[str] = field(default_factory=list)
    python: list[str] = field(default_factory=list)
    depth: int = 1
    loops: int = 0

    def line(self, kernel: str, python: str | None = None) -> None:
        indent = "    " * self.depth
        self.kernel.append(indent + kernel)
        self.python.append(indent + (kernel if python is None else python))


Pair = tuple[str, str]  # the text in the kernel, the text in Python


@st.composite
def int_expression(draw: st.DrawFn, names: list[str], depth: int = 2) -> Pair:
    kind = draw(st.integers(0, 7 if depth else 1))
    if kind <= 1:
        name = draw(st.sampled_from(names))
        return name, name
    a, pa = draw(int_expression(names, depth - 1))
    if kind == 2:
        c = draw(st.integers(-100, 100))
        op = draw(st.sampled_from("+-*&|^"))
        return f"({a} {op} {c})", f"({pa} {op} I({c}))"
    if kind == 3:
        c = draw(st.sampled_from([1, 2, 3, 7, 8, -3]))
        op = draw(st.sampled_from(["//", "%"]))
        return f"({a} {op} {c})", f"({pa} {op} I({c}))"
    if kind == 4:
        c = draw(st.integers(0, 31))
        op = draw(st.sampled_from(["<<", ">>"]))
        return f"({a} {op} {c})", f"({pa} {op} I({c}))"
    b, pb = draw(int_expression(names, depth - 1))
    if kind == 5:
        function = draw(st.sampled_from(["imin", "imax"]))
        return f"enigma.{function}({a}, {b})", f"{function[1:]}({pa}, {pb})"
    if kind == 6:
        c, pc = draw(condition(names, depth - 1))
        return f"enigma.where({a}, {b}, {c})", f"({pb} if {pc} else {pa})"
    op = draw(st.sampled_from("+-*&|^"))
    return f"({a} {op} {b})", f"({pa} {op} {pb})"


@st.composite
def float_expression(draw: st.DrawFn, names: list[str], depth: int = 2) -> Pair:
    kind = draw(st.integers(0, 4 if depth else 0))
    if kind == 0:
        name = draw(st.sampled_from(FLOATS))
        return name, name
    if kind == 1:
        a, pa = draw(int_expression(names, 1))
        return f'enigma.metal_cast({a}, "float")', f"F({pa})"
    a, pa = draw(float_expression(names, depth - 1))
    if kind == 2:
        c = draw(st.sampled_from([0.5, -1.25, 3.0, 0.1]))
        op = draw(st.sampled_from("+-*"))
        return f"({a} {op} {c})", f"({pa} {op} F({c}))"
    b, pb = draw(float_expression(names, depth - 1))
    op = draw(st.sampled_from("+-*"))
    return f"({a} {op} {b})", f"({pa} {op} {pb})"


@st.composite
def condition(draw: st.DrawFn, names: list[str], depth: int = 1) -> Pair:
    op = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
    if depth and draw(st.booleans()):
        a, pa = draw(float_expression(names, 1))
        c = draw(st.sampled_from([0.0, 1.5, -20.0]))
        return f"({a} {op} {c})", f"({pa} {op} F({c}))"
    a, pa = draw(int_expression(names, min(depth, 1)))
    c = draw(st.integers(-10, 80))
    return f"({a} {op} {c})", f"({pa} {op} I({c}))"


@st.composite
def block(draw: st.DrawFn, p: Program, names: list[str], nesting: int) -> None:
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 6 if nesting else 2))
        if kind <= 1:
            text, python = draw(int_expression(names))
            name = draw(st.sampled_from(INTS))
            p.line(f"{name} = {text}", f"{name} = {python}")
        elif kind == 2:
            text, python = draw(float_expression(names))
            name = draw(st.sampled_from(FLOATS))
            p.line(f"{name} = {text}", f"{name} = {python}")
        elif kind == 3:
            text, python = draw(condition(names))
            p.line(f"with enigma.if_({text}):", f"if {python}:")
            nested(draw, p, names, nesting)
        elif kind == 4:
            text, python = draw(condition(names))
            p.line(f"with enigma.if_({text}) as (then, otherwise):", f"if {python}:")
            p.depth += 1
            for arm in ("then", "otherwise"):
                p.kernel.append("    " * p.depth + f"with {arm}:")
                if arm == "otherwise":
                    p.python.append("    " * (p.depth - 1) + "else:")
                inner = Program(depth=p.depth)
                draw(block(inner, names, nesting - 1))
                p.kernel += ["    " + line for line in inner.kernel]
                p.python += inner.python
            p.depth -= 1
        elif kind == 5:
            bound = draw(st.sampled_from(["0", "1", "5", "(i0 & 7)", "(i2 & 3)"]))
            step = draw(st.sampled_from([1, 2, 3, -1]))
            i = f"k{p.depth}"
            lo, hi = (bound, "-2") if step < 0 else ("0", bound)
            p.line(
                f"with enigma.for_range({lo}, {hi}, {step}) as {i}:",
                f"for {i} in map(I, range(int({lo}), int({hi}), {step})):",
            )
            nested(draw, p, [*names, i], nesting)
        else:
            w = f"w{p.depth}"
            p.line(f"{w} = enigma.i32(0)", f"{w} = I(0)")
            bound = draw(st.sampled_from(["3", "(i1 & 7)"]))
            p.line(f"with enigma.while_(lambda: {w} < {bound}):", f"while {w} < {bound}:")
            p.depth += 1
            p.line(f"{w} = {w} + 1", f"{w} = {w} + I(1)")
            p.depth -= 1
            nested(draw, p, names, nesting)


def nested(draw: st.DrawFn, p: Program, names: list[str], nesting: int) -> None:
    p.depth += 1
    draw(block(p, names, nesting - 1))
    p.depth -= 1


@st.composite
def programs(draw: st.DrawFn) -> Program:
    p = Program()
    draw(block(p, INTS, 3))
    return p


HEAD = """import enigma
@enigma.kernel
def kernel(A: enigma.i32, B: enigma.f32, OutI: enigma.i32, OutF: enigma.f32):
    tid = enigma.thread_position_in_grid
    i0, i1, i2 = A[tid], enigma.metal_cast(tid, "int"), enigma.i32(3)
    f0, f1 = B[tid], enigma.f32(1.5)
"""
TAIL = """    OutI[tid] = i0 ^ (i1 * 31) ^ (i2 * 1009)
    OutF[tid] = f0 + f1
"""


def define(text: str, name: str) -> dict[str, object]:
    """Runs a text as a module whose source can be looked up, as a notebook's cell is."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope: dict[str, object] = {"__name__": "program", "I": np.int32, "F": np.float32}
    exec(compile(text, name, "exec"), scope)
    return scope


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(), st.integers(0, 2**16))
def test_random_programs(p: Program, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(-50, 50, THREADS, dtype=np.int32)
    b = rng.normal(0, 10, THREADS).astype(np.float32)
    text = HEAD + "\n".join(p.kernel) + "\n" + TAIL
    python = "def run(i0, i1, i2, f0, f1):\n" + "\n".join(p.python)
    python += "\n    return i0 ^ (i1 * I(31)) ^ (i2 * I(1009)), f0 + f1\n"
    run = define(python, "<random reference>")["run"]
    kernel = define(text, f"<random kernel {hash(text)}>")["kernel"]

    got_i, got_f = np.empty(THREADS, np.int32), np.empty(THREADS, np.float32)
    enigma.compile(kernel)(a, b, got_i, got_f, grid=THREADS, threads=48)
    with np.errstate(all="ignore"):
        want = [run(a[t], np.int32(t), np.int32(3), b[t], np.float32(1.5)) for t in range(THREADS)]
    np.testing.assert_array_equal(got_i, [w[0] for w in want], err_msg=text)
    np.testing.assert_array_equal(got_f, [w[1] for w in want], err_msg=text)
