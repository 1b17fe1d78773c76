"""Random kernels over all types, lanes and threadgroup memory, on the CPU device and in the lab.

By hand, in the folder tests: `python -m msl.random_kernels 0 1000` tries the first thousand.
"""

from __future__ import annotations

import linecache
import random
import sys
from typing import Any

import ml_dtypes
import numpy as np

import enigma

from . import lab as msl

INTEGERS = [f"{sign}{width}" for sign in "iu" for width in (8, 16, 32, 64)]
FLOATS = ["f32", "f16", "bf16"]
NUMPY = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    **{t: np.dtype(f"{'u' * (t[0] == 'u')}int{t[1:]}") for t in INTEGERS},
    "b1": np.dtype(np.bool_),
}
THREADS, GROUPS = 64, 2
GRID = THREADS * GROUPS
EDGES = {
    "f32": [0.0, -0.0, 1.5, -2.0, 3e38, -1e-3, float("inf"), float("nan"), 2147483648.0, 1e-30],
    "f16": [0.0, -0.0, 1.5, -2.0, 65504.0, -0.001, float("inf"), float("nan"), 2048.0],
    "bf16": [0.0, -0.0, 1.5, -2.0, 3e38, -0.001, float("inf"), float("nan"), 256.0],
}


class Generator:
    """Writes one kernel; variables are named by their type, as `u8_1`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        types = self.random.sample([*INTEGERS, *FLOATS], 4) + ["u32"]
        self.types = sorted({*types, "b1"})
        self.names = [f"{t}_{k}" for t in self.types for k in (1, 2)]
        self.depth = 1
        self.loops = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def pick(self, *options: Any) -> Any:
        return self.random.choice(options)

    # ---- expressions -----------------------------------------------------------------------------
    def literal(self, t: str) -> str:
        if t == "b1":
            return f"enigma.b1({self.pick(True, False)})"
        if t in FLOATS:
            x = self.pick(*EDGES[t])
            text = repr(x) if np.isfinite(x) else f"float('{x}')"
            return f"enigma.{t}({text})"
        info = np.iinfo(NUMPY[t])
        edges = [0, 1, 2, 7, info.max, info.min, info.max // 2, *([-1, -3] if info.min else [])]
        return f"enigma.{t}({self.pick(*edges)})"

    def variable(self, t: str) -> str:
        return self.pick(*(n for n in self.names if n.startswith(t + "_")))

    def other(self, *kinds: str) -> str:
        """One of the kernel's types among these, or u32."""
        return self.pick(*[t for t in self.types if t in kinds] or ["u32"])

    def value(self, t: str, depth: int) -> str:
        if depth == 0:
            return self.variable(t) if self.random.random() < 0.8 else self.literal(t)
        x = lambda: self.value(t, depth - 1)
        if self.random.random() < 0.15:
            return f"enigma.where({x()}, {x()}, {self.value('b1', depth - 1)})"
        if self.random.random() < 0.1:
            mask = self.value("b1", depth - 1)
            index = self.value("u32", depth - 1)
            return f"enigma.load_if(In_{t}, {index} % {GRID}, {mask}, {self.literal(t)})"
        if t == "b1":
            return self.boolean(depth)
        return self.number(t, depth) if t in FLOATS else self.integer(t, depth)

    def boolean(self, depth: int) -> str:
        kind = self.pick("compare", "compare", "unsigned", "and", "or", "xor", "not", "nan", "cast")
        x = lambda: self.value("b1", depth - 1)
        if kind == "not":
            return f"(~{x()})"
        if kind in ("and", "or", "xor"):
            return f"({x()} {dict(zip(('and', 'or', 'xor'), '&|^', strict=True))[kind]} {x()})"
        if kind == "nan":
            t = self.other(*FLOATS)
            if t in FLOATS:
                test = self.pick("isnan", "isinf", "isfinite")
                return f"enigma.{test}({self.value(t, depth - 1)})"
        t = self.other(*INTEGERS) if kind == "unsigned" else self.pick(*self.types)
        a, b = self.value(t, depth - 1), self.value(t, depth - 1)
        if kind == "cast":
            return f'enigma.metal_cast({a}, "bool")'
        if kind == "unsigned":
            return f"enigma.cmp_{self.pick('ult', 'ule', 'ugt', 'uge')}({a}, {b})"
        names = ("eq", "ne") if t == "b1" else ("eq", "ne", "lt", "le", "gt", "ge")
        return f"enigma.cmp_{self.pick(*names)}({a}, {b})"

    def integer(self, t: str, depth: int) -> str:
        x = lambda: self.value(t, depth - 1)
        kind = self.pick(
            "binary", "binary", "binary", "shift", "divide", "unary", "function", "cast"
        )
        if kind == "binary":
            return f"({x()} {self.pick(*'+-*&|^')} {x()})"
        if kind == "shift":
            return f"({x()} {self.pick('<<', '>>')} {x()})"
        if kind == "divide":
            return f"({x()} {self.pick('//', '%', '/')} {x()})"
        if kind == "unary":
            return f"({self.pick('-', '~')}{x()})"
        if kind == "function":
            name = self.pick(
                "imin", "imax", "mul_hi", "pow", "abs", "popcount", "clz", "ctz", "iclamp"
            )
            if name == "iclamp":
                lo, hi = sorted((self.random.randrange(100), self.random.randrange(100)))
                return f"enigma.iclamp({x()}, enigma.{t}({lo}), enigma.{t}({hi}))"
            two = name in ("imin", "imax", "mul_hi", "pow")
            return f"enigma.{name}({x()}, {x()})" if two else f"enigma.{name}({x()})"
        source = self.pick(*self.types)
        same = [s for s in self.types if s not in ("b1", t, *FLOATS) and s[1:] == t[1:]]
        if same and self.random.random() < 0.3:
            return f'enigma.as_type({self.value(same[0], depth - 1)}, "{t}")'
        return f'enigma.metal_cast({self.value(source, depth - 1)}, "{t}")'

    def number(self, t: str, depth: int) -> str:
        x = lambda: self.value(t, depth - 1)
        kind = self.pick("binary", "binary", "binary", "unary", "function", "function", "cast")
        if kind == "binary":
            return f"({x()} {self.pick(*'+-*/')} {x()})"
        if kind == "unary":
            return f"(-{x()})"
        if kind == "function":
            one = ("abs", "floor", "ceil", "trunc", "rint", "round", "sign", "saturate", "sqrt")
            two = ("fmin", "fmax", "step", "fmod")
            name = self.pick(*one, *two, "fma")
            count = 1 if name in one else 2 if name in two else 3
            return f"enigma.{name}({', '.join(x() for _ in range(count))})"
        return f'enigma.metal_cast({self.value(self.pick(*self.types), depth - 1)}, "{t}")'

    # ---- statements ------------------------------------------------------------------------------
    def assign(self) -> None:
        name = self.pick(*self.names)
        self.line(f"{name} = {self.value(name.rsplit('_', 1)[0], 2)}")

    def across_lanes(self) -> None:
        """Whole SIMD-groups are here: reductions whose order does not matter, and shuffles."""
        name = self.pick(*self.names)
        t = name.rsplit("_", 1)[0]
        x = self.value(t, 1)
        if t in INTEGERS and self.random.random() < 0.5:
            reduction = self.pick("sum", "product", "min", "max", "and", "or", "xor")
            self.line(f"{name} = enigma.simd_{reduction}({x})")
        elif t in FLOATS and self.random.random() < 0.5:
            self.line(f"{name} = enigma.simd_{self.pick('min', 'max')}({x})")
        else:
            move = self.pick("shuffle", "shuffle_up", "shuffle_down", "shuffle_xor", "broadcast")
            lane = self.pick("3", "31", "uniform", self.value("u32", 1), self.value("u32", 1))
            self.line(f"{name} = enigma.simd_{move}({x}, {lane})")

    def threadgroup_memory(self) -> None:
        t = self.pick(*self.types)
        self.line(f"tile_{t}[lid] = {self.value(t, 1)}")
        self.line("enigma.barrier()")
        self.line(f"{self.variable(t)} = tile_{t}[{self.value('u32', 1)} % {THREADS}]")
        self.line("enigma.barrier()")

    def atomics(self) -> None:
        operation = self.pick("add", "sub", "min", "max", "and", "or", "xor")
        self.line(f"enigma.atomic_fetch_{operation}(Count_{operation}, 0, {self.value('u32', 1)})")

    def divergent_lanes(self) -> None:
        name = self.pick(*(n for n in self.names if not n.startswith(("b1", *FLOATS))))
        t = name.rsplit("_", 1)[0]
        self.line(f"{name} = enigma.simd_{self.pick('sum', 'min', 'or')}({self.value(t, 1)})")

    def block(self, nesting: int, top: bool = False) -> None:
        for _ in range(self.random.randint(1, 4)):
            kinds = [self.assign] * 3
            if top:
                kinds += [
                    self.across_lanes,
                    self.across_lanes,
                    self.threadgroup_memory,
                    self.atomics,
                ]
            else:
                kinds += [self.divergent_lanes]
            if nesting:
                kinds += [lambda: self.condition(nesting), lambda: self.loop(nesting)] * 2
            self.pick(*kinds)()

    def nested(self, nesting: int) -> None:
        self.depth += 1
        self.block(nesting - 1)
        self.depth -= 1

    def condition(self, nesting: int) -> None:
        test = self.value("b1", 1)
        if self.random.random() < 0.5:
            self.line(f"with enigma.if_({test}):")
            self.nested(nesting)
            return
        self.line(f"with enigma.if_({test}) as (then, otherwise):")
        self.depth += 1
        for arm in ("then", "otherwise"):
            self.line(f"with {arm}:")
            self.nested(nesting)
        self.depth -= 1

    def loop(self, nesting: int) -> None:
        self.loops += 1
        if self.random.random() < 0.6:
            bound = self.pick("3", "tid % 4", 'enigma.metal_cast(uniform, "int")')
            lo, hi, by = self.pick(("0", bound, "1"), ("0", bound, "2"), (bound, "-2", "-1"))
            self.line(f"with enigma.for_range({lo}, {hi}, {by}) as k{self.loops}:")
            self.nested(nesting)
            return
        name = f"n{self.loops}"
        self.line(f"{name} = tid % 3")
        self.line(f"with enigma.while_(lambda: ({name} < 4) & {self.value('b1', 1)}):")
        self.depth += 1
        self.line(f"{name} = {name} + 1")
        self.depth -= 1
        self.nested(nesting)

    def text(self) -> str:
        parameters = [f"In_{t}: enigma.{t}" for t in self.types]
        parameters += ["n: enigma.Scalar('uint')"]
        counts = ("add", "sub", "min", "max", "and", "or", "xor")
        parameters += [f"Count_{c}: enigma.u32" for c in counts]
        parameters += [f"Out_{t}: enigma.{t}" for t in self.types]
        self.line("tid = enigma.thread_position_in_grid")
        self.line("lid = enigma.thread_index_in_threadgroup()")
        self.line("uniform = n + enigma.threadgroup_position_in_grid()")
        for t in self.types:
            self.line(f'tile_{t} = enigma.threadgroup_alloc("{t}", {THREADS})')
            self.line(f"{t}_1 = In_{t}[tid]")
            self.line(f"{t}_2 = In_{t}[{GRID - 1} - tid]")
        for _ in range(3):
            self.block(2, top=True)
        for t in self.types:
            self.line(f"Out_{t}[tid * 2] = {t}_1")
            self.line(f"Out_{t}[tid * 2 + 1] = {t}_2")
        head = f"import enigma\n@enigma.kernel\ndef kernel({', '.join(parameters)}):\n"
        return head + "\n".join(self.lines) + "\n"

    def arguments(self) -> list[Any]:
        """Inputs full of edge values, a scalar, and room for the results."""
        rng = np.random.default_rng(self.random.randrange(1 << 32))
        inputs = []
        for t in self.types:
            kind = NUMPY[t]
            if t == "b1":
                x = rng.integers(0, 2, GRID).astype(kind)
            elif t in FLOATS:
                x = rng.normal(0, 10, GRID).astype(kind)
                x[rng.integers(0, GRID, 40)] = rng.choice(EDGES[t], 40).astype(kind)
            else:
                info = np.iinfo(kind)
                x = rng.integers(info.min, info.max, GRID, kind, endpoint=True)
                x[::3] = rng.integers(0, 40, len(x[::3])).astype(kind)
            inputs.append(x)
        counts = [np.array([c], np.uint32) for c in (0, 0, 2**32 - 1, 0, 2**32 - 1, 0, 0)]
        outputs = [np.zeros(2 * GRID, NUMPY[t]) for t in self.types]
        return [*inputs, np.uint32(rng.integers(0, 5)), *counts, *outputs]


def define(text: str, name: str) -> Any:
    """The kernel of a text, as a module's whose source can be looked up."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope: dict[str, Any] = {"__name__": "random_kernel"}
    exec(compile(text, name, "exec"), scope)
    return scope["kernel"]


def disagreement(lab: msl.Lab, seed: int, schedule: str, checked: bool = False) -> str | None:
    """What differs between the kernel of a seed on the CPU device and in the lab, or None."""
    generator = Generator(seed)
    text = generator.text()
    compiled = enigma.compile(define(text, f"<random kernel {seed}>"))
    arguments = generator.arguments()
    before = [a.copy() for a in arguments]
    compiled(*arguments, grid=GRID, threads=THREADS, runtime=enigma.CpuRuntime())
    options = {"schedule": schedule, "seed": seed, "checked": checked}
    executed = lab.run(compiled.metal_source, before, GRID, THREADS, **options).arrays
    for parameter, cpu, lab_result in zip(compiled.params, arguments, executed, strict=True):
        if parameter.is_scalar:
            continue
        wrong = cpu != lab_result
        if cpu.dtype.name in ("float32", "float16", "bfloat16"):  # NaN is NaN
            wrong &= ~(np.isnan(cpu.astype(float)) & np.isnan(lab_result.astype(float)))
        if wrong.any():
            at = int(np.argmax(wrong))
            return (
                f"seed {seed}, {schedule}: {parameter.name}[{at}] is {cpu[at]!r} on the CPU device "
                f"and {lab_result[at]!r} in the lab\n{text}\n{compiled.metal_source}"
            )
    return None


if __name__ == "__main__":
    np.seterr(all="ignore")
    first, last = int(sys.argv[1]), int(sys.argv[2])
    with msl.Lab() as opened:
        found = [disagreement(opened, s, msl.SCHEDULES[s % 3]) for s in range(first, last)]
    print(*filter(None, found), sep="\n")
    print(f"{sum(map(bool, found))} of {last - first} kernels disagree")
