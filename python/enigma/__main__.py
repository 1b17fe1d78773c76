"""python -m enigma: devices, emit and run."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import enigma


def devices() -> None:
    """Lists the devices that kernels can run on, the default one first marked."""
    default = enigma.default_runtime().device_capabilities()
    for make in (enigma.MetalRuntime, enigma.CpuRuntime):
        try:
            found = make().device_capabilities()
        except enigma.EnigmaError as why:
            print(f"  {make.__name__}: {why.message}")
            continue
        mark = "*" if (found.backend, found.name) == (default.backend, default.name) else " "
        print(f"{mark} {make.__name__}: {found.name} ({found.family})")
        print(f"    threads per threadgroup  {found.max_threads_per_threadgroup}")
        print(f"    threadgroup memory       {found.threadgroup_memory} bytes")
        print(f"    SIMD width               {found.simd_width}")


def kernels(where: str) -> list[enigma.KernelDef]:
    """The kernels of `FILE` or the one of `FILE:NAME`."""
    path, _, name = where.rpartition(":")
    if not path or not name.isidentifier():
        path, name = where, ""
    if not os.path.isfile(path):
        raise SystemExit(f"there is no file {path}")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))  # as `python FILE` does
    found = {k: v for k, v in runpy.run_path(path).items() if isinstance(v, enigma.KernelDef)}
    if name and name not in found:
        raise SystemExit(f"{path} has no kernel {name!r}; it has: {', '.join(found) or 'none'}")
    if not found:
        raise SystemExit(f"{path} has no kernel at its top level")
    return [found[name]] if name else list(found.values())


def argument(text: str, param: Any) -> Any:
    """An argument of `run`: a number, FILE.npy, or KIND:COUNT with zeros, ones, range or random."""
    kind, _, count = text.partition(":")
    if count:
        (n,) = sizes(count)
        dtype = param.dtype.numpy
        if kind == "random":
            return (np.random.default_rng(0).random(n) * 100).astype(dtype)
        makers: dict[str, Callable[[int], Any]]
        makers = {"zeros": np.zeros, "ones": np.ones, "range": np.arange}
        if kind in makers:
            return makers[kind](n).astype(dtype)
        raise SystemExit(f"unknown argument {text!r}: zeros:N, ones:N, range:N, random:N")
    try:
        if text.endswith(".npy"):
            return np.load(text)
        return float(text) if param.dtype.is_float else int(text, 0)
    except (OSError, ValueError) as why:
        raise SystemExit(f"argument '{param.name}': {why}") from None


def sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise SystemExit(f"expected a number, but got {text!r}")
    return tuple(map(int, parts))


def run(where: str, arguments: Sequence[str], grid: str, threads: str) -> None:
    """Runs one kernel and prints the arrays that it writes."""
    definition, *others = kernels(where)
    if others:
        raise SystemExit(
            f"{where} has several kernels: name one, as in {where}:{definition.__name__}"
        )
    compiled = enigma.compile(definition)
    if len(arguments) != len(compiled.params):
        names = " ".join(p.name for p in compiled.params)
        raise SystemExit(f"kernel '{compiled.kernel_name}' takes the arguments: {names}")
    values = [argument(text, p) for text, p in zip(arguments, compiled.params, strict=True)]
    compiled(*values, grid=sizes(grid), threads=sizes(threads))
    for param, value in zip(compiled.params, values, strict=True):
        if param.written:
            print(f"{param.name} = {value}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m enigma", description=enigma.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("devices", help="list the devices")
    emit = commands.add_parser("emit", help="print the MSL of the kernels of a file")
    emit.add_argument("kernel", metavar="FILE[:KERNEL]")
    emit.add_argument("--ir", action="store_true", help="print Enigma's IR instead")
    start = commands.add_parser("run", help="run a kernel and print what it writes")
    start.add_argument("kernel", metavar="FILE:KERNEL")
    start.add_argument("arguments", nargs="*", help=argument.__doc__)
    start.add_argument("--grid", required=True, help="threads in all: N or X,Y,Z")
    start.add_argument("--threads", default="256", help="threads of a threadgroup")
    given = parser.parse_args(arguments)
    try:
        if given.command == "devices":
            devices()
        elif given.command == "emit":
            for definition in kernels(given.kernel):
                compiled = enigma.compile(definition)
                print(compiled.ir if given.ir else compiled.metal_source)
        else:
            run(given.kernel, given.arguments, given.grid, given.threads)
    except enigma.EnigmaError as why:
        shown = why.message if why.filename == __file__ else why
        print(f"error: {shown}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
