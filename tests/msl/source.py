"""Reads MSL text as far as running it needs, and rewrites it into C++ for the execution shim.

Line numbers stay as they are, so that whatever is reported names a line of the MSL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

ATTRIBUTES_XYZ = (
    "thread_position_in_grid",
    "thread_position_in_threadgroup",
    "threadgroup_position_in_grid",
    "threads_per_threadgroup",
    "dispatch_threads_per_threadgroup",
    "threads_per_grid",
    "threadgroups_per_grid",
)
ATTRIBUTES_INDEX = (
    "thread_index_in_threadgroup",
    "thread_index_in_simdgroup",
    "simdgroup_index_in_threadgroup",
    "threads_per_simdgroup",
    "simdgroups_per_threadgroup",
    "dispatch_simdgroups_per_threadgroup",
    "thread_index_in_quadgroup",
    "quadgroup_index_in_threadgroup",
    "quadgroups_per_threadgroup",
    "thread_execution_width",
)
# Built-in values that are all ushort or all uint; with an index a ushort position goes as well.
_OF_ONE_TYPE = (
    ("thread_position_in_grid", "threads_per_grid"),
    (
        "thread_position_in_threadgroup",
        "threads_per_threadgroup",
        "dispatch_threads_per_threadgroup",
    ),
    ("thread_position_in_threadgroup", "thread_index_in_threadgroup"),
    ATTRIBUTES_INDEX[1:],
)
FUNCTION_ATTRIBUTES = ("kernel", "max_total_threads_per_threadgroup", "host_name", "unroll")
_FLOATS = re.compile(r"\b(?:float|half|bfloat)[234]?\b")
_MEET = re.compile(
    r"\b(?:simd_|quad_|simdgroup_|threadgroup_barrier|atomic_(?:load|exchange|compare)|__asm)"
)
_CROSS_LANE = re.compile(r"\b(?:simd_|quad_|simdgroup_|__asm)")


# Types that a function constant can have, and the integer of the same bytes.
SCALARS = {
    **dict.fromkeys(("bool", "char", "uchar"), "uchar"),
    **dict.fromkeys(("short", "ushort", "half", "bfloat"), "ushort"),
    **dict.fromkeys(("int", "uint", "float"), "uint"),
    **dict.fromkeys(("long", "ulong"), "ulong"),
}


class SourceError(Exception):
    """The text is not MSL that Apple's compiler takes; the message says why, and the line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass
class Parameter:
    name: str
    text: str  # type and name, without attributes
    attribute: str  # "buffer", "threadgroup" or a built-in's name
    index: int | None = None
    line: int = 0


@dataclass
class Kernel:
    name: str
    parameters: list[Parameter]
    line: int
    body: tuple[int, int] = (0, 0)  # offsets of its braces in the stripped text

    def slots(self) -> list[Parameter]:
        """The parameters that the host gives, in the order of the argument table."""
        given = [p for p in self.parameters if p.attribute in ("buffer", "threadgroup")]
        return sorted(given, key=lambda p: (p.attribute == "threadgroup", p.index))


@dataclass
class Constant:
    """A function constant: its value is known when the kernel is compiled for running."""

    index: int
    type: str
    name: str
    span: tuple[int, int]  # offsets of its declaration, without the semicolon


@dataclass
class Source:
    text: str
    stripped: str
    kernels: list[Kernel] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)

    def kernel(self, name: str | None = None) -> Kernel:
        found = [k for k in self.kernels if name in (None, k.name)]
        if not found:
            raise SourceError(f"there is no kernel '{name or ''}'", 1)
        return found[0]


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def strip(text: str) -> str:
    """The text with comments and strings blanked, of the same length and lines."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    return re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.S)


def closing(text: str, start: int) -> int:
    """The offset of the bracket that closes the one at start."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    stack = []
    for i in range(start, len(text)):
        c = text[i]
        if c in pairs:
            stack.append(pairs[c])
        elif c in ")]}":
            if not stack or stack.pop() != c:
                break
            if not stack:
                return i
    raise SourceError(f"'{text[start]}' is never closed", line_of(text, start))


def split(text: str, separator: str = ",") -> list[tuple[int, str]]:
    """Parts between separators outside of brackets, with their offsets."""
    parts, depth, angle, at = [], 0, 0, 0
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "<":
            angle += 1
        elif c == ">" and angle:
            angle -= 1
        elif c == separator and not depth and not angle:
            parts.append((at, text[at:i]))
            at = i + 1
    parts.append((at, text[at:]))
    return [(a, p) for a, p in parts if p.strip()]


_KERNEL = re.compile(r"(?:\bkernel\b|\[\[\s*kernel\b[^\]]*\]\])\s+(\w+)\s+(\w+)\s*\(")
_ATTRIBUTE = re.compile(r"\[\[\s*(\w+)\s*(?:\(\s*(\w+)\s*\))?\s*\]\]")


def scan(text: str) -> Source:
    """Finds the kernels and what their parameters are bound to."""
    source = Source(text, strip(text))
    code = source.stripped
    source.constants = _constants(code)
    for match in _KERNEL.finditer(code):
        line = line_of(code, match.start())
        if match[1] != "void":
            raise SourceError(f"kernel '{match[2]}' must return void, not {match[1]}", line)
        if any(k.name == match[2] for k in source.kernels):
            raise SourceError(f"kernel '{match[2]}' is defined twice", line)
        end = closing(code, match.end() - 1)
        kernel = Kernel(match[2], [], line)
        for offset, part in split(code[match.end() : end]):
            first = match.end() + offset + len(part) - len(part.lstrip())
            kernel.parameters.append(_parameter(part, line_of(code, first)))
        _bind(kernel)
        if re.compile(r"\s*\[\[").match(code, end + 1):
            raise SourceError(f"an attribute of kernel '{match[2]}' stands behind it", line)
        brace = code.find("{", end)
        if brace >= 0:
            kernel.body = (brace, closing(code, brace))
        source.kernels.append(kernel)
    return source


_CONSTANT = re.compile(
    r"\bconstant\s+(\w+)\s+(\w+)\s*\[\[\s*function_constant\s*\(\s*(\d+)\s*\)\s*\]\]"
)


def _constants(code: str) -> list[Constant]:
    found = {match.end(): match for match in _CONSTANT.finditer(code)}
    constants = []
    for use in re.finditer(r"\bfunction_constant\s*\(", code):
        line = line_of(code, use.start())
        match = next((m for m in found.values() if m.start() < use.start() < m.end()), None)
        if not match:
            raise SourceError("a function constant is declared as `constant T x [[...]];`", line)
        kind, name, index = match[1], match[2], int(match[3])
        if kind not in SCALARS:
            raise SourceError(f"function constant '{name}' must be a scalar, not {kind}", line)
        if index > 65535:
            raise SourceError(f"the index of function constant '{name}' is above 65535", line)
        if code.count("{", 0, match.start()) != code.count("}", 0, match.start()):
            raise SourceError(f"function constant '{name}' must be at program scope", line)
        if not re.compile(r"\s*;").match(code, match.end()):
            raise SourceError(f"function constant '{name}' cannot be initialised", line)
        constants.append(Constant(index, kind, name, match.span()))
    return constants


def with_constants(source: Source, spell: Callable[[Constant], str]) -> str:
    """The stripped text, in which `spell` says what stands for each function constant."""
    out, at = [], 0
    for constant in source.constants:
        start, end = constant.span
        lines = "\n" * source.stripped.count("\n", start, end)
        out += [source.stripped[at:start], spell(constant), lines]
        at = end
    return "".join([*out, source.stripped[at:]])


def _parameter(part: str, line: int) -> Parameter:
    attributes = list(_ATTRIBUTE.finditer(part))
    if "[[" in part and not attributes:
        raise SourceError(f"the attribute of '{part.strip()}' cannot be read", line)
    text = " ".join(_ATTRIBUTE.sub(" ", part).split())
    name_match = re.search(r"(\w+)\s*(?:\[\w*\])?$", text)
    name = name_match[1] if name_match else text
    if len(attributes) > 1:
        raise SourceError(f"parameter '{name}' has two attributes", line)
    if not attributes:
        if "*" not in text and "&" not in text:
            raise SourceError(
                f"invalid type for input declaration: parameter '{name}' has no attribute", line
            )
        kind = "threadgroup" if re.match(r"(?:const\s+)?threadgroup\b", text) else "buffer"
        return Parameter(name, text, kind, None, line)
    kind, index = attributes[0][1], attributes[0][2]
    if kind in ("buffer", "threadgroup"):
        if index is None or not index.isdigit():
            raise SourceError(f"'{kind}' of parameter '{name}' needs a number", line)
        if int(index) > 30:
            raise SourceError(
                f"'{kind}' attribute of '{name}' is out of bounds: must be between 0 and 30", line
            )
        if "*" not in text and "&" not in text:
            raise SourceError(
                f"parameter '{name}' is a value: it must be a constant reference", line
            )
        space = re.search(r"\b(device|constant|threadgroup|thread)\b", text)
        wanted = ("threadgroup",) if kind == "threadgroup" else ("device", "constant")
        if not space or space[1] not in wanted:
            raise SourceError(
                f"parameter '{name}' must have the address space {' or '.join(wanted)}", line
            )
        return Parameter(name, text, kind, int(index), line)
    if kind not in ATTRIBUTES_XYZ + ATTRIBUTES_INDEX or index is not None:
        raise SourceError(f"unknown attribute '{kind}' of parameter '{name}'", line)
    return Parameter(name, text, kind, None, line)


def _bind(kernel: Kernel) -> None:
    """Metal's rules for a whole signature, and numbers for what has none."""
    for kind in ("buffer", "threadgroup"):
        used: dict[int, str] = {}
        here = [p for p in kernel.parameters if p.attribute == kind]
        for p in here:
            if p.index is None:
                continue
            if p.index in used:
                raise SourceError(
                    f"'{p.name}' and '{used[p.index]}' have the same {kind} index {p.index}", p.line
                )
            used[p.index] = p.name
        for p in here:
            if p.index is None:
                p.index = next(i for i in range(32) if i not in used)
                used[p.index] = p.name
    shapes = {}
    seen: dict[str, str] = {}
    for p in kernel.parameters:
        if p.attribute in seen and p.attribute not in ("buffer", "threadgroup"):
            raise SourceError(f"two parameters have the attribute {p.attribute}", p.line)
        seen[p.attribute] = p.name
        if p.attribute in ATTRIBUTES_XYZ:
            shapes[re.sub(r".*\b(?:ushort|uint)(\d?)\b.*", r"\1", p.text)] = p
    for group in _OF_ONE_TYPE:
        types = {}
        for p in kernel.parameters:
            if p.attribute in group and (kind := re.search(r"\b(ushort|uint)", p.text)):
                types.setdefault(kind[1], p)
        if len(types) > 1:
            a, b = types.values()
            raise SourceError(f"'{a.name}' and '{b.name}' must be of one type", b.line)
    if len(shapes) > 1:
        p = list(shapes.values())[1]
        raise SourceError(
            f"'{p.name}': positions must all be scalars, or all vectors of one size", p.line
        )


def needs_fibers(source: Source) -> bool:
    """Whether threads can wait for each other."""
    return bool(_MEET.search(source.stripped))


def translate(
    source: Source, instance: str = "", constants: Mapping[int, int] | None = None
) -> str:
    """C++ for the execution shim, with an entry for each kernel.

    ``instance`` are the arguments of kernels that are templates, as in ``<float, 4>``,
    ``constants`` the bits of the function constants by index.
    """
    given = constants or {}

    def spell(constant: Constant) -> str:
        if constant.index not in given:
            line = line_of(source.stripped, constant.span[0])
            raise SourceError(f"function constant '{constant.name}' has no value", line)
        bits = f"static_cast<{SCALARS[constant.type]}>({given[constant.index]}ul)"
        value = bits + " != 0" if constant.type == "bool" else f"as_type<{constant.type}>({bits})"
        return f"constant {constant.type} {constant.name} = {value}"

    code = _attributes(with_constants(source, spell))
    code = vector_declarations(code)
    code = _threadgroup_variables(code)
    if _CROSS_LANE.search(code):
        code = _loops(code)
        code = _calls(code)
    code = re.sub(r"#\s*include\s*<metal_\w+>", "#include <metal_stdlib>", code)
    code = re.sub(r"#\s*pragma\s+(?:STDC|unroll|clang)[^\n]*", "", code)
    entries = ['#line 1 "entry"']
    for number, kernel in enumerate(source.kernels):
        entries.append(_entry(kernel, number, instance))
    entries.append(_TAIL)
    return '#line 1 "kernel.metal"\n' + code + "\n" + "\n".join(entries) + "\n"


_VECTOR = re.compile(r"(?<=[;{}])(\s*(?:const\s+)?)([a-z]+[234])\s+(\w+)\s*(?=\()")
_PARAMETERS = re.compile(r"\(\s*(?:const\s+)?[A-Za-z_][\w:]*\s+[*&]?\w")


def vector_declarations(code: str) -> str:
    """`float2 v(1.0f, 2.0f);` as `float2 v = float2(1.0f, 2.0f);`, which clang's vectors need."""

    def rewrite(match: re.Match[str]) -> str:
        is_variable = re.compile(r"\s*;").match(code, closing(code, match.end()) + 1)
        if not is_variable or _PARAMETERS.match(code, match.end()):
            return match[0]
        return f"{match[1]}{match[2]} {match[3]} = {match[2]}"

    return _VECTOR.sub(rewrite, code)


_TAIL = """extern "C" {
int msl_library = 0;
extern char __start_msl_tg[] __attribute__((weak, visibility("hidden")));
extern char __stop_msl_tg[] __attribute__((weak, visibility("hidden")));
char* msl_section_first() { return __start_msl_tg; }
char* msl_section_last() { return __stop_msl_tg; }
}"""


def _entry(kernel: Kernel, number: int, instance: str) -> str:
    slots = {id(p): i for i, p in enumerate(kernel.slots())}
    arguments = []
    for p in kernel.parameters:
        if id(p) in slots:
            arguments.append(f"msl::Slot{{slots[{slots[id(p)]}]}}")
        elif p.attribute in ATTRIBUTES_XYZ:
            arguments.append(f"msl::Position{{b.{p.attribute}}}")
        else:
            arguments.append(f"msl::Index{{b.{p.attribute}}}")
    return (
        f'extern "C" void msl_entry_{number}(void** slots, const msl::Builtins& b) '
        f"{{ msl::enter({', '.join(['&' + kernel.name + instance, *arguments])}); }}"
    )


def _attributes(code: str) -> str:
    """Without attributes; the scanner has read those of parameters."""

    def check(match: re.Match[str]) -> str:
        name = re.match(r"\[\[\s*(\w+)", match[0])
        known = (
            "buffer",
            "threadgroup",
            *FUNCTION_ATTRIBUTES,
            *ATTRIBUTES_XYZ,
            *ATTRIBUTES_INDEX,
        )
        if name and name[1] not in known:
            raise SourceError(f"unknown attribute '{name[1]}'", line_of(code, match.start()))
        return re.sub(r"[^\n\\]", " ", match[0])  # macros keep their continued lines

    code = re.sub(r"\[\[\s*kernel\b[^\]]*\]\]", "kernel", code)
    return re.sub(r"\[\[(?:[^\[\]]|\[[^\]]*\])*\]\]", check, code)


_VARIABLE = re.compile(
    r"\bthreadgroup\s+((?:[\w:]+(?:\s*<[^;(){}]*>)?\s+)+)(\w+)((?:\s*\[[^\]]*\])*)\s*;"
)


def _threadgroup_variables(code: str) -> str:
    def place(match: re.Match[str]) -> str:
        kind, name, size = match[1].strip(), match[2], match[3].strip()
        is_float = int(bool(_FLOATS.search(kind)))
        return f"MSL_THREADGROUP({name}, {is_float}, {kind} {name}{size});"

    return _VARIABLE.sub(place, code)


def _site(code: str, offset: int) -> int:
    return line_of(code, offset) * 512 + offset - code.rfind("\n", 0, offset)


def _loops(code: str) -> str:
    """Counts the rounds of each loop, so that only threads of one round meet."""
    out, at = [], 0
    do_ends = set()
    for match in re.finditer(r"\b(for|while|do)\b", code):
        if match.start() < at:
            continue
        word = match[1]
        if word == "do":
            brace = re.compile(r"\s*\{").match(code, match.end())
            if brace:
                end = closing(code, brace.end() - 1)
                do_ends.add(re.compile(r"\s*").match(code, end + 1).end())
            continue
        if match.start() in do_ends:
            continue
        opening = code.index("(", match.end())
        end = closing(code, opening)
        head = code[opening + 1 : end]
        name = f"msl_loop_{match.start()}"
        loop = f"switch (msl::Loop {name}{{{_site(code, match.start())}u}}; 0) default: "
        if word == "while":
            head = f"{name}.tick() && ({head})"
        else:
            parts = _semicolons(head)
            if len(parts) != 3:
                continue
            test = parts[1].strip()
            # A declaration in the head stays as it is.
            parts[1] = f" {name}.tick()" + (f" && ({test})" if test else "")
            head = ";".join(parts)
        out.append(code[at : match.start()] + loop + word + " (" + head + ")")
        at = end + 1
    out.append(code[at:])
    return "".join(out)


def _semicolons(head: str) -> list[str]:
    parts, depth, at = [], 0, 0
    for i, c in enumerate(head):
        depth += (c in "([{") - (c in ")]}")
        if c == ";" and not depth:
            parts.append(head[at:i])
            at = i + 1
    return [*parts, head[at:]]


_FUNCTION = re.compile(r"\binline\s+[\w:<>]+[\s*&]+(\w+)\s*\(")
_LABELLED = re.compile(r"\b(\w+)\s*\([^()]*\)\s*__asm\b")  # a function of the compiler's own


def _calls(code: str) -> str:
    """Marks calls of helpers, so that threads meet in one only when they came from one place."""
    found = [*_FUNCTION.finditer(code), *_LABELLED.finditer(code)]
    definitions = {m.start(1): m[1] for m in found}
    names = set(definitions.values())
    if not names:
        return code
    pattern = re.compile(r"(?<![\w.:])(" + "|".join(sorted(names)) + r")\s*\(")
    spans = []
    for match in pattern.finditer(code):
        if match.start() not in definitions:
            spans.append((match.start(), closing(code, match.end() - 1) + 1))
    inserts: dict[int, str] = {}
    for start, end in spans:
        inserts[start] = inserts.get(start, "") + f"(msl::Call({_site(code, start)}u), "
        inserts[end] = inserts.get(end, "") + ")"
    out, at = [], 0
    for offset in sorted(inserts):
        out += [code[at:offset], inserts[offset]]
        at = offset
    return "".join([*out, code[at:]])


_BYTES = {
    **dict.fromkeys(("bool", "char", "uchar", "int8_t", "uint8_t"), 1),
    **dict.fromkeys(("short", "ushort", "half", "bfloat", "int16_t", "uint16_t"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32_t", "uint32_t"), 4),
    **dict.fromkeys(("atomic_int", "atomic_uint", "atomic_float", "atomic_bool"), 4),
    **dict.fromkeys(("long", "ulong", "size_t", "atomic_ulong", "int64_t", "uint64_t"), 8),
}
_TYPE = re.compile(r"\b(packed_)?([a-z]\w*?)([234]?)\b(?!\s*\()")


def bytes_of(text: str) -> int:
    """The size of the type that a declaration begins with; 1 when it is none of Metal's own."""
    for match in _TYPE.finditer(text):
        if match[2] in _BYTES:
            lanes = int(match[3] or 1)
            return _BYTES[match[2]] * (4 if lanes == 3 and not match[1] else lanes)
    return 1


def is_written(parameter: Parameter) -> bool:
    """Whether a kernel may write to the memory of this parameter."""
    return not re.search(r"\b(?:const|constant)\b", parameter.text.split("*")[0])


def threadgroup_bytes(source: Source, kernel: Kernel) -> int:
    """The bytes of the threadgroup variables of a kernel, as far as their sizes are numbers."""
    total = 0
    for match in _VARIABLE.finditer(source.stripped, *kernel.body):
        size = bytes_of(match[1])
        for count in re.findall(r"\[\s*(\d+)u?\s*\]", match[3]):
            size *= int(count)
        total += size
    return total
