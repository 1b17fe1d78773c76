"""The lab's other half for programs in C++: compiles texts, and says what findings mean.

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
import os
import re
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from . import lab
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


@functools.lru_cache(maxsize=1024)
def build(text: str, constants: tuple[str, ...]) -> lab.Built:
    numbers = [int(n) for n in constants]
    bits = dict(zip(numbers[::2], numbers[1::2], strict=True))
    return lab.build(text, checked=True, constants=bits)


def as_metal_says(error: lab.CompileError) -> str:
    """The messages of the lab's compiler, in the form of Metal's."""
    text = str(error)
    scanned = re.match(r"line (\d+): (.*)", text, re.S)
    if scanned:
        return f"program_source:{scanned[1]}:1: error: {scanned[2]}\n"
    return text.replace("kernel.metal:", "program_source:").rstrip() + "\n"


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
