"""What Apple's compiler refuses in MSL text, checked without running it: lint, then address spaces.

The address spaces are checked by clang, which takes the text as C++ for OpenCL; the lint finds what
that language allows and MSL does not.
"""

from __future__ import annotations

import math
import re
import subprocess

from . import source as msl
from .lab import HERE, CompileError, build, compiler

_FORBIDDEN = {
    r"\bdouble\b": "there is no double in Metal",
    r"\blong\s+long\b": "there is no long long in Metal",
    r"\blong\s+double\b": "there is no long double in Metal",
    r"\bgoto\b": "there is no goto in Metal",
    r"\b(?:new|delete)\b": "there is no new and delete in Metal",
    r"\b(?:try|catch|throw)\b": "there are no exceptions in Metal",
    r"\b(?:dynamic_cast|typeid)\b": "there is no run-time type information in Metal",
    r"\bvirtual\b": "there are no virtual functions in Metal",
    r"\bthread_local\b": "there is no thread_local in Metal",
    r"\bregister\b": "there is no register in Metal",
    r"\brestrict\b": "restrict is no keyword of Metal",
    r"\bstd::": "there is no C++ standard library in Metal",
    r"\bprintf\b": "there is no printf in Metal",
    r"\b(?:struct|class)\s+\w+\s*:\s*(?!:)": "there are no derived classes in Metal",
    r"\basm\b": "inline assembly is refused",
    r"__asm(?!\(\"(?:\\01)?air\.)": "a label names a function of AIR",
    r"\[\s*[=&]?[\w\s,&=]*\]\s*\([^()]*\)\s*(?:->\s*\w+\s*)?\{": "lambdas need MSL 3.2",
    r"\b\d+\.?\d*(?:e[+-]?\d+)?[lL]\b(?<=[.e]\w)": "there is no long double in Metal",
    r"\b\d*\.\d*(?:e[+-]?\d+)?L\b": "there is no long double in Metal",
    r"(?<![\w.+-])\d+f\b": "a float literal needs a point or an exponent",
    r"\bmemory_order_(?:acquire|release|acq_rel|consume)\b": "only relaxed order before MSL 4.1",
    r"\bcoherent\b(?!\(device\))": "memory is coherent(device); other scopes are Metal's own",
    r"\batomic_compare_exchange_strong": "there is no strong compare-exchange in Metal",
    r"\batomic_(?:load|store|exchange|fetch_(?:add|sub|min|max|and|or|xor))\s*\(": (
        "only the _explicit atomic functions exist"
    ),
    r"\bstatic\s+(?!constexpr\s+constant\b|inline\b)(?=[^;{]*;)": "no static variables in Metal",
    r"#\s*include\s*[<\"](?!metal_)": "only Metal's own headers can be included",
}
# Names that are types, keywords or macros of Metal and may not be declared.
RESERVED = frozenset(
    "half uint ushort uchar ulong bfloat device constant thread threadgroup kernel vertex fragment "
    "sampler vec matrix array atomic patch visible access level bias and or not xor compl bitand "
    "bitor asm signed template new this union main INFINITY NAN float2 float3 float4 int2 int3 "
    "int4 uint2 uint3 uint4 half2 half3 half4".split()
)
_DECLARED = re.compile(
    r"\b(?:float|half|bfloat|int|uint|long|ulong|short|ushort|char|uchar|bool)[234]?\s*[*&]?\s*"
    r"(\w+)\s*(?=[=;,)\[]|\[\[)"
)
_POINTER = re.compile(
    r"(?<![\w<.])((?:const\s+|volatile\s+)*)"
    r"(float|half|bfloat|int|uint|long|ulong|short|ushort|char|uchar|bool|atomic_\w+)[234]?"
    r"(?:\s+const)?\s*([*&])\s*(?!&)(\w+)?\s*(?=[=;,)\[])"
)


def lint(text: str) -> list[str]:
    """The faults that the scanner and the patterns find, each with its line."""
    try:
        source = msl.scan(text)
    except msl.SourceError as error:
        return [str(error)]
    code = source.stripped
    found = []

    def report(message: str, offset: int) -> None:
        found.append(f"line {msl.line_of(code, offset)}: {message}")

    for pattern, message in _FORBIDDEN.items():
        for match in re.finditer(pattern, code):
            report(message, match.start())
    for match in _DECLARED.finditer(code):
        if match[1] in RESERVED:
            report(f"'{match[1]}' is a name of Metal and cannot be declared", match.start(1))
    for match in _POINTER.finditer(code):
        before = re.split(r"[;{}(,]", code[: match.start()])[-1]
        if not re.search(r"\b(?:device|constant|threadgroup|thread)\b", before + match[1]):
            kind = "pointer" if match[3] == "*" else "reference"
            report(f"{kind} type must have explicit address space qualifier", match.start())
    found += _recursion(code)
    found += _program_scope(code)
    for kernel in source.kernels:
        found += _threadgroup_placing(code, kernel)
        found += _threadgroup_bytes(code, kernel)
        named = code[: kernel.body[0]].rfind(kernel.name)
        if kernel.name in RESERVED:
            report(f"a kernel cannot be named '{kernel.name}'", named)
        for other in source.kernels:
            start, end = kernel.body
            called = re.search(rf"\b{other.name}\s*\(", code[start:end])
            if called:
                report(f"kernel '{other.name}' is called", start + called.start())
    return found


def _functions(code: str) -> list[tuple[str, int, int]]:
    """The functions at program scope: their names, and where their bodies begin and end."""
    found = []
    for match in re.finditer(r"\b(\w+)\s*\(", code):
        depth = code.count("{", 0, match.start()) - code.count("}", 0, match.start())
        if depth:
            continue
        end = msl.closing(code, match.end() - 1)
        brace = re.compile(r"\s*(?:const\s*)?\{").match(code, end + 1)
        if brace:
            found.append((match[1], brace.end() - 1, msl.closing(code, brace.end() - 1)))
    return found


def _recursion(code: str) -> list[str]:
    """Functions that reach themselves: allowed from MSL 2.4 on, but never what we emit.

    A name with several overloads is taken to mean those that stand before the call.
    """
    functions = _functions(code)

    def called(number: int) -> set[int]:
        _, start, end = functions[number]
        reached = set()
        for name in {name for name, _, _ in functions}:
            if re.search(rf"\b{name}\s*\(", code[start:end]):
                same = [k for k, (other, _, _) in enumerate(functions) if other == name]
                reached.update([k for k in same if k < number] or same)
        return reached

    calls = [called(number) for number in range(len(functions))]
    found = []
    for number, (name, start, _) in enumerate(functions):
        reached, todo = set(), list(calls[number])
        while todo:
            callee = todo.pop()
            if callee not in reached:
                reached.add(callee)
                todo += calls[callee]
        if number in reached:
            found.append(f"line {msl.line_of(code, start)}: '{name}' calls itself")
    return found


def _program_scope(code: str) -> list[str]:
    """Variables at program scope must be constant."""
    found, depth, at = [], 0, 0
    for match in re.finditer(r"[{};]", code):
        if match[0] == ";" and depth == 0:
            statement = re.sub(r"#[^\n]*", "", code[at : match.start()]).strip()
            variable = re.match(r"[\w\s:<>]+\b\w+\s*(?:\[[^\]]*\])?\s*(?:=.*)?$", statement, re.S)
            plain = variable and not re.match(r"(?:using|typedef|template|struct)\b", statement)
            if plain and not re.search(r"\bconstant\b", statement):
                found.append(
                    f"line {msl.line_of(code, match.start())}: program scope variable must reside "
                    "in constant address space"
                )
        depth += (match[0] == "{") - (match[0] == "}")
        at = match.end()
    return found


_BYTES = {"char": 1, "uchar": 1, "bool": 1, "short": 2, "ushort": 2, "half": 2, "bfloat": 2}
_BYTES |= {"int": 4, "uint": 4, "float": 4, "long": 8, "ulong": 8}
_BYTES |= {
    f"{name}{n}": size * (4 if n == 3 else n) for name, size in _BYTES.items() for n in (2, 3, 4)
}
_BYTES |= {"atomic_int": 4, "atomic_uint": 4, "atomic_float": 4}
_THREADGROUP_ARRAY = re.compile(r"\bthreadgroup\s+(\w+)\s+\w+((?:\s*\[\s*\d+\s*\])+)\s*;")


def _threadgroup_bytes(code: str, kernel: msl.Kernel) -> list[str]:
    """The arrays whose sizes are numbers have at most 32 KiB together."""
    total = 0
    for match in _THREADGROUP_ARRAY.finditer(code, *kernel.body):
        elements = math.prod(map(int, re.findall(r"\d+", match[2])))
        total += _BYTES.get(match[1], 0) * elements
    if total <= 32 * 1024:
        return []
    return [f"line {kernel.line}: {total} bytes of threadgroup memory; there are 32768"]


def _threadgroup_placing(code: str, kernel: msl.Kernel) -> list[str]:
    """Threadgroup variables stand at the top level of a kernel, without an initialiser."""
    found = []
    start, end = kernel.body
    for match in re.finditer(r"\bthreadgroup\s+[\w:]+\s+(\w+)\s*((?:\[[^\]]*\])*)\s*([=;{])", code):
        line = msl.line_of(code, match.start())
        if not start < match.start() < end:
            inside = any(k.body[0] < match.start() < k.body[1] for k in msl.scan(code).kernels)
            if not inside:
                found.append(f"line {line}: threadgroup variable '{match[1]}' outside of a kernel")
            continue
        body = code[start + 1 : match.start()]
        if body.count("{") != body.count("}"):
            found.append(f"line {line}: threadgroup variable '{match[1]}' in a nested block")
        if match[3] != ";":
            found.append(f"line {line}: threadgroup variable '{match[1]}' has an initialiser")
    return found


_CHECK = [
    *["-x", "cl", "-cl-std=clc++2021", "-target", "spir64", "-Xclang"],
    *["-cl-single-precision-constant", "-cl-no-stdinc", "-Xclang"],
    "-cl-ext=-all,+cl_khr_fp16,+__cl_clang_non_portable_kernel_param_types",
    *["-nostdinc", "-fsyntax-only", "-Wno-everything", "-Werror=vla", "-Werror=return-type"],
    "-Werror=zero-length-array",
    *["-isystem", str(HERE / "check")],
]


# Words of OpenCL that are names like any other in Metal.
_OPENCL = re.compile(
    r"\b(local|global|generic|read_only|write_only|read_write|pipe|vec_step|image\w+_t|sampler_t"
    r"|event_t|queue_t|clk_event_t|reserve_id_t|ndrange_t|addrspace_cast)\b"
)
# OpenCL has a choice by components, which Metal has not: one whose condition is a vector.
_CHOICE = re.compile(
    r"ConditionalOperator 0x\w+ <(.*)> .*\n"
    r"[ |`]*-\w+ 0x\w+ <.*?> '[^']*(?:':')?[^']*ext_vector_type"
)


def _vector_choices(tree: str) -> list[str]:
    """The conditions that are vectors, in clang's dump of the syntax tree."""
    found = []
    for match in _CHOICE.finditer(tree):
        line = re.findall(r"(?:line|<stdin>):(\d+)", tree[: match.end(1)])[-1]
        found.append(f"line {line}: the condition of ?: is a vector, which is what select is for")
    return found


def check_address_spaces(text: str) -> list[str]:
    """The errors of clang in C++ for OpenCL."""
    # A function constant is no constant expression: it is as if it were defined elsewhere.
    code = msl.with_constants(msl.scan(text), lambda c: f"extern constant {c.type} {c.name}")
    code = re.sub(r"#\s*pragma[^\n]*", "", code)
    code = re.sub(r"\[\[(?:[^\[\]]|\[[^\]]*\])*\]\]", " ", code)
    code = _OPENCL.sub(r"\1__", msl.vector_declarations(code))
    code = re.sub(r"\b(?:simd|quad)_vote::vote_t\b", "ulong", code)
    code = re.sub(r"(?<=[\d.])bf\b", "h", code)
    command = [compiler(), *_CHECK, "-"]
    dump = ["-Xclang", "-ast-dump"] if "?" in code and re.search(r"\w[234]\(", code) else []
    done = subprocess.run(
        [*command, *dump], input=code, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return _vector_choices(done.stdout)
    return re.findall(r"<stdin>:(\d+:\d+: error: .*)", done.stderr) or [done.stderr.strip()]


def refused(text: str, execute: bool = True) -> list[str]:
    """All reasons to refuse a text; empty for one that passes lint and both compilations."""
    found = lint(text) or check_address_spaces(text)
    if not found and execute:
        try:
            build(text, constants={c.index: 0 for c in msl.scan(text).constants})
        except CompileError as error:
            found = [str(error)]
    return found
