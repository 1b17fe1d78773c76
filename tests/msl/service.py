"""The lab's other half for programs in C++: compiles texts, and says what findings mean.

A text is refused when Apple's compiler would refuse it, as far as the lab knows (lint.py).

A message is a number of strings, each with its length before it; numbers are 32 bits. Requests and
answers alternate on the standard input and output, until the input ends.

    compile, text, function,   ok, server, library, symbol, fibers, most threads, threadgroup bytes,
      then index and bits of   then name, index, bytes of an element and written of each buffer
      each function constant   | refused, messages as of Metal's compiler
    findings, text, library,   their text, the line of the first
      then kind, text and five numbers of each
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from . import lab, lint
from . import source as msl

MOST_FINDINGS = 4  # that are told
_MOST_THREADS = re.compile(r"\bmax_total_threads_per_threadgroup\s*\(\s*(\d+)u?\s*\)")


def read(stream: BinaryIO) -> list[str] | None:
    """The next message; None at the end."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    strings = []
    for _ in range(struct.unpack("<I", head)[0]):
        (length,) = struct.unpack("<I", stream.read(4))
        strings.append(stream.read(length).decode())
    return strings


def write(stream: BinaryIO, strings: list[str]) -> None:
    encoded = [s.encode() for s in strings]
    parts = [struct.pack("<I", len(encoded))]
    for raw in encoded:
        parts += [struct.pack("<I", len(raw)), raw]
    stream.write(b"".join(parts))
    stream.flush()


@functools.cache
def _strictness() -> str:
    files = [Path(lint.__file__), *sorted((lab.HERE / "check").rglob("*"))]
    return hashlib.sha256(b"".join(p.read_bytes() for p in files if p.is_file())).hexdigest()


def _check(text: str) -> None:
    """Errors: CompileError with all that the lint and the check of address spaces find."""
    key = lab._key(text, _strictness())
    known = lab.BUILD / "checks" / key[:2] / f"{key}.txt"
    if not known.exists():
        with lab._whole(known) as out:
            out.write_text("\n".join(lint.refused(text, execute=False)))
    found = known.read_text()
    if found:
        raise lab.CompileError(found)


@functools.lru_cache(maxsize=1024)
def build(text: str, constants: tuple[str, ...]) -> lab.Built:
    """The text, compiled with the checks for races and bounds."""
    numbers = [int(n) for n in constants]
    bits = dict(zip(numbers[::2], numbers[1::2], strict=True))
    built = lab.build(text, checked=True, constants=bits)
    _check(text)
    return built


_PLACES = (
    (r"^line (\d+): ", r"program_source:\1:1: error: "),  # the scanner, the lint
    (r"^(\d+:\d+: )", r"program_source:\1"),  # the check of address spaces
    (r"^kernel\.metal:", "program_source:"),  # clang
)


def as_metal_says(error: lab.CompileError) -> str:
    """The messages of the lab's compilers, in the form of Metal's."""
    text = str(error)
    for pattern, replacement in _PLACES:
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text.rstrip() + "\n"


def compile_kernel(text: str, function: str, *constants: str) -> list[str]:
    """The answer to `compile`."""
    try:
        built = build(text, constants)
        kernel = built.source.kernel(function)
        server = lab.server_binary()
    except (lab.CompileError, msl.SourceError) as error:
        return ["refused", as_metal_says(error)]
    slots = kernel.slots()
    if any(p.attribute == "threadgroup" for p in slots):
        place = f"program_source:{kernel.line}:1"
        return ["refused", f"{place}: error: the lab's bridge has no threadgroup arguments\n"]
    line = built.source.stripped.splitlines()[kernel.line - 1]
    most = _MOST_THREADS.search(line)
    answer = [
        *["ok", str(server), str(built.library)],
        f"msl_entry_{built.source.kernels.index(kernel)}",
        str(int(msl.needs_fibers(built.source))),
        most[1] if most else "0",
        str(msl.threadgroup_bytes(built.source, kernel)),
    ]
    for p in slots:
        size = msl.bytes_of(p.text)
        answer += [p.name, str(p.index), str(size), str(int(msl.is_written(p)))]
    return answer


def findings(text: str, library: str, parts: list[str]) -> list[str]:
    """The answer to `findings`."""
    built = lab.Built(Path(library), msl.Source(text, text), True)
    told, first = [], 0
    for at in range(0, len(parts), 7):
        kind, what, *numbers = parts[at : at + 7]
        found = lab.finding(built, kind, what, [int(n) for n in numbers])
        told.append(str(found))
        first = first or next(iter(found.lines), 0)
        if len(told) == MOST_FINDINGS < len(parts) // 7:
            told.append(f"and {len(parts) // 7 - MOST_FINDINGS} more")
            break
    return ["; ".join(told), str(first)]


def answer(request: list[str]) -> list[str]:
    verb, *rest = request
    if verb == "compile":
        return compile_kernel(*rest)
    return findings(rest[0], rest[1], rest[2:])


def main() -> None:
    """Serves whoever has started this process."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that prints can spoil the answers
    while request := read(sys.stdin.buffer):
        try:
            reply = answer(request)
        except Exception as error:  # the caller's test is to fail, with the reason
            reply = ["refused", f"the MSL lab failed: {type(error).__name__}: {error}\n"]
        write(output, reply)
