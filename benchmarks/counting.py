"""What the threads of one threadgroup execute and move, counted from a kernel's IR.

The IR's text becomes a Python function that a thread is run through: integers have their values, so
that loops, conditions and addresses are those of the real run, and all that comes from memory or
from floats is unknown. One operation of the IR is one of the MSL text.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Dim3 = tuple[int, int, int]


@dataclass
class Counts:
    """Of a threadgroup's threads together. `touched`: the elements of device memory, by buffer."""

    executed: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    accesses: Counter[str] = field(default_factory=Counter)
    touched: dict[str, set[int]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    written: set[tuple[str, int]] = field(default_factory=set)
    static: int = 0

    def least(self) -> int:
        """Bytes of device memory that are moved where each element is read or written once."""
        return sum(len(at) * self.sizes[name] for name, at in self.touched.items())


# What integers and bools are computed by; the result wraps to its type.
ARITHMETIC: dict[str, Callable[..., Any]] = {
    "addi": lambda a, b: a + b,
    "subi": lambda a, b: a - b,
    "muli": lambda a, b: a * b,
    "divi": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0,
    "floordivi": lambda a, b: a // b if b else 0,
    "floormodi": lambda a, b: a % b if b else 0,
    "negi": lambda a: -a,
    "andi": lambda a, b: a & b,
    "ori": lambda a, b: a | b,
    "xori": lambda a, b: a ^ b,
    "andb": lambda a, b: a and b,
    "orb": lambda a, b: a or b,
    "notb": lambda a: not a,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "imin": min,
    "imax": max,
    "iclamp": lambda x, lo, hi: min(max(x, lo), hi),
    "cmpi_eq": lambda a, b: a == b,
    "cmpi_ne": lambda a, b: a != b,
    "cmpi_lt": lambda a, b: a < b,
    "cmpi_le": lambda a, b: a <= b,
    "cmpi_gt": lambda a, b: a > b,
    "cmpi_ge": lambda a, b: a >= b,
    "select": lambda otherwise, then, condition: then if condition else otherwise,
    "cast": lambda x: x,
}


def wrapped(value: Any, dtype: str) -> Any:
    if value is None or dtype == "b1":
        return value
    if dtype[0] not in "iu":
        return None
    bits = int(dtype[1:])
    value = int(value) % (1 << bits)
    return value - (1 << bits) if dtype[0] == "i" and value >> (bits - 1) else value


class Machine:
    """What the function of a kernel calls."""

    def __init__(self, counts: Counts, queries: dict[str, int]) -> None:
        self.counts = counts
        self.queries = queries

    def map(self, name: str, dtype: str, *operands: Any) -> Any:
        """`dtype` is the one of the operands, or of the result of a cast."""
        integer = (dtype == "b1" or dtype[0] in "iu") and "dequantize" not in name
        self.counts.executed["integer" if integer else "float"] += 1
        operation = name.partition(".")[2]
        if operation not in ARITHMETIC or (operation != "select" and None in operands):
            return None
        if operation == "select" and operands[2] is None:
            return None
        value = ARITHMETIC[operation](*operands)
        return value if operation.startswith("cmp") else wrapped(value, dtype)

    def count(self, what: str) -> None:
        self.counts.executed[what] += 1

    def access(self, memory: str, dtype: str, index: Any, width: int, stores: bool) -> None:
        name, _, space = memory.partition(" ")
        size = element_size(dtype)
        self.counts.accesses[space] += 1
        self.counts.bytes[space] += size * width
        if space == "device":
            self.touch(name, size, range(known(index), known(index) + width), stores)

    def matrix(self, memory: str, dtype: str, index: Any, row: Any, stores: bool) -> None:
        """64 elements, of which each of 32 threads moves two."""
        name, _, space = memory.partition(" ")
        size = element_size(dtype)
        self.counts.accesses[space] += 1
        self.counts.bytes[space] += size * 2
        if space == "device":
            for k in range(8):
                first = known(index) + k * known(row)
                self.touch(name, size, range(first, first + 8), stores)

    def touch(self, name: str, size: int, at: range, stores: bool) -> None:
        self.counts.sizes[name] = size
        self.counts.touched.setdefault(name, set()).update(at)
        if stores:
            self.counts.written.update((name, k) for k in at)

    def holds(self, condition: Any) -> bool:
        self.counts.executed["control"] += 1
        return bool(known(condition))

    def turns(self, lo: int, hi: int, step: int) -> range:
        turns = range(known(lo), known(hi), known(step))
        self.counts.executed["control"] += len(turns)
        return turns


def known(value: Any) -> Any:
    if value is None:
        raise ValueError("the way through this kernel depends on data")
    return value


def element_size(dtype: str) -> int:
    return 1 if dtype == "b1" else int(dtype.lstrip("biuf")) // 8


class Translator:
    """The IR's text as a Python function of a Machine and the scalars."""

    def __init__(self, ir: str) -> None:
        self.lines = [re.sub(r' loc\("(?:[^"\\]|\\.)*":\d+\)', "", x) for x in ir.splitlines()]
        self.out: list[str] = []
        self.static = 0
        head = self.lines[0]
        self.memory = {
            name: f"{name} device" for name in re.findall(r"%(\w+): memref", head.partition("(")[2])
        }
        self.scalars = re.findall(r"%(\w+): (?!memref)\w+", head.partition("(")[2])

    def function(self) -> Callable[..., None]:
        self.block(1, len(self.lines) - 1, 1, [])
        given = [f"  v_{name} = values.get({name!r})" for name in self.scalars]
        source = "\n".join(["def run(machine, values):", *given, *self.out])
        scope: dict[str, Any] = {}
        exec(source, scope)
        return scope["run"]

    def emit(self, depth: int, text: str) -> None:
        self.out.append("  " * depth + text)

    def end_of(self, start: int) -> int:
        """The line that closes the block which line `start` opens."""
        indent = len(self.lines[start]) - len(self.lines[start].lstrip())
        for k in range(start + 1, len(self.lines)):
            if len(self.lines[k]) - len(self.lines[k].lstrip()) == indent:
                return k
        raise ValueError("a block without an end")

    def block(self, start: int, end: int, depth: int, results: list[str]) -> None:
        """Lines start to end - 1; what they yield goes to `results`."""
        self.emit(depth, "pass")
        k = start
        while k < end:
            line = self.lines[k].strip()
            found = re.match(r"((?:%\w+(?:, )?)+) = (.*)", line)
            targets, call = found.groups() if found else ("", line)
            names = [variable(x) for x in targets.split(", ")] if targets else []
            k = self.operation(k, names, call, depth, results)

    def operation(self, k: int, names: list[str], call: str, depth: int, results: list[str]) -> int:
        name, _, rest = call.partition(" ")
        operands, _, types = rest.rpartition(" : ") if " : " in rest else (rest, "", "")
        uses = [variable(x) for x in re.findall(r"%\w+", operands)]
        if name == "scf.for":
            return self.loop(k, names, rest, depth)
        if name == "scf.if":
            return self.condition(k, names, uses, depth)
        if name == "scf.yield":
            if results:
                self.emit(depth, f"{', '.join(results)} = {', '.join(uses)}")
            return k + 1
        self.static += name not in ("arith.constant", "memref.alloc")
        target = f"{names[0]} = " if names else ""
        if name == "arith.constant":
            text = rest.split(" : ")[0]
            exact = text in ("true", "false") or types.strip()[0] in "iu"
            value = {"true": "True", "false": "False"}.get(text, text) if exact else "None"
            self.emit(depth, f"{target}{value}")
        elif name == "memref.alloc":
            self.memory[names[0][2:]] = f"{names[0][2:]} threadgroup"
        elif name in ("memref.load", "memref.load_if", "memref.store"):
            self.access(name, operands, types, names, depth)
        elif name in ("simdgroup.load", "simdgroup.store"):
            self.matrix(name, operands, types, names, depth)
        elif name.startswith("gpu.") and names:
            self.static -= 1
            self.emit(depth, f"{target}machine.queries[{call.split(' : ')[0]!r}]")
        elif name.startswith(("arith.", "math.", "vector.")):
            dtype = types.rpartition(" to ")[2].split(", ")[0]
            dtype = re.sub(r"^\w+<(?:\d+x)*(\w+)>$", r"\1", dtype)
            self.emit(depth, f"{target}machine.map({name!r}, {dtype!r}, {', '.join(uses)})")
        else:
            kind = {"simd": "lane", "quad": "lane", "simdgroup": "matrix"}.get(name.split(".")[0])
            self.emit(depth, f"machine.count({kind or 'control'!r})")
            for each in names:
                self.emit(depth, f"{each} = None")
        return k + 1

    def access(self, name: str, operands: str, types: str, names: list[str], depth: int) -> None:
        found = re.search(r"%(\w+)\[(%\w+)\](?: lanes\((\d+)\))?", operands)
        dtype = re.search(r"memref<(\w+)", types)
        assert found and dtype
        where, index, width = found[1], variable(found[2]), int(found[3] or 1)
        call = (
            f"machine.access({self.memory[where]!r}, {dtype[1]!r}, {index}, {width}, "
            f"{name == 'memref.store'})"
        )
        if name == "memref.load_if":  # the mask comes first after the index
            mask = variable(re.findall(r"%\w+", operands)[2])
            call = f"machine.holds({mask}) and {call}"
        self.emit(depth, call)
        for each in names:
            self.emit(depth, f"{each} = None")

    def matrix(self, name: str, operands: str, types: str, names: list[str], depth: int) -> None:
        found = re.search(r"%(\w+)\[(%\w+)\], (%\w+)", operands)
        dtype = re.search(r"memref<(\w+)", types)
        assert found and dtype
        self.emit(
            depth,
            f"machine.matrix({self.memory[found[1]]!r}, {dtype[1]!r}, {variable(found[2])}, "
            f"{variable(found[3])}, {name == 'simdgroup.store'})",
        )
        for each in names:
            self.emit(depth, f"{each} = None")

    def loop(self, k: int, names: list[str], rest: str, depth: int) -> int:
        index, lo, hi, step = map(variable, re.findall(r"%\w+", rest.partition(" iter_args")[0]))
        carried = re.findall(r"(%\w+) = (%\w+)", rest.partition(" iter_args")[2])
        args = [variable(a) for a, _ in carried]
        for arg, init in carried:
            self.emit(depth, f"{variable(arg)} = {variable(init)}")
        end = self.end_of(k)
        self.emit(depth, f"for {index} in machine.turns({lo}, {hi}, {step}):")
        self.block(k + 1, end, depth + 1, args)
        for name, arg in zip(names, args, strict=True):
            self.emit(depth, f"{name} = {arg}")
        return end + 1

    def condition(self, k: int, names: list[str], uses: list[str], depth: int) -> int:
        self.emit(depth, f"if machine.holds({uses[0]}):")
        end = self.end_of(k)
        self.block(k + 1, end, depth + 1, names)
        if self.lines[end].strip().startswith("} else"):
            self.emit(depth, "else:")
            start, end = end, self.end_of(end)
            self.block(start + 1, end, depth + 1, names)
        return end + 1


def variable(name: str) -> str:
    return "v_" + name.strip().lstrip("%")


def positions(threads: Dim3, group: Dim3, groups: Dim3, thread: int) -> dict[str, int]:
    """The answers to a thread's questions where it is."""
    x, rest = thread % threads[0], thread // threads[0]
    me = (x, rest % threads[1], rest // threads[1])
    total = threads[0] * threads[1] * threads[2]
    answers = {
        "gpu.thread_index_in_threadgroup": thread,
        "gpu.thread_index_in_simdgroup": thread % 32,
        "gpu.simdgroup_index_in_threadgroup": thread // 32,
        "gpu.threads_per_simdgroup": 32,
        "gpu.simdgroups_per_threadgroup": -(-total // 32),
    }
    for d, axis in enumerate("xyz"):
        answers |= {
            f"gpu.thread_position_in_grid {axis}": group[d] * threads[d] + me[d],
            f"gpu.thread_position_in_threadgroup {axis}": me[d],
            f"gpu.threadgroup_position_in_grid {axis}": group[d],
            f"gpu.threads_per_threadgroup {axis}": threads[d],
            f"gpu.threads_per_grid {axis}": groups[d] * threads[d],
            f"gpu.threadgroups_per_grid {axis}": groups[d],
        }
    return answers


def counts(
    ir: str, threads: Dim3, groups: Dim3, group: Dim3, scalars: dict[str, int] | None = None
) -> Counts:
    """What the threads of `group` do, of a grid of `groups`."""
    translator = Translator(ir)
    run = translator.function()
    result = Counts(static=translator.static)
    for thread in range(threads[0] * threads[1] * threads[2]):
        run(Machine(result, positions(threads, group, groups, thread)), scalars or {})
    return result
