"""The seam to LLVM: the text of LLVM IR to an object file for this machine, by llvmlite."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import Any

from enigma.errors import EnigmaError

_OPTIONS = {"reloc": "pic", "codemodel": "small"}
# Texts of so many lines do without two passes whose time grows with the square of the function:
# what they do for the addresses of loops matters less there than minutes of waiting.
_HUGE = 20_000
_SLOW = ("-disable-cgp", "-disable-lsr")
# Texts of so many lines and few loops are not optimised: the time to allocate registers grows so,
# too, and straight code takes two or three times as long without it, where loops take twenty.
_VAST = 100_000
_REVISION = 4  # one more with every change of this file that makes other objects

_lock = threading.Lock()
_machines: dict[int, Any] = {}  # by level of optimisation
_binding: Any = None


def compile_ir(text: str) -> bytes:
    """LLVM IR to a relocatable ELF object with position-independent code.

    No module passes: what the emitter writes is clean already, and instruction selection at
    level 2 is all that pays. Errors: EnigmaError when llvmlite is missing, RuntimeError for IR that
    LLVM refuses, which is a bug of Enigma's.
    """
    lines = text.count("\n")
    machine = _target_machine(_level(text, lines))
    with _lock:  # one LLVM context serves all threads
        module = _binding.parse_assembly(text)
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        huge = lines >= _HUGE
        try:
            module.verify()
            if huge:
                _set(_SLOW, "true")
            return bytes(machine.emit_object(module))
        finally:
            if huge:
                _set(_SLOW, "false")
            module.close()


def _level(text: str, lines: int) -> int:
    """Of optimisation."""
    if lines < _VAST:
        return 2
    seen, loops = set(), 0
    for label, target in re.findall(r"^(\S+):$|label %([^,\s]+)", text, re.MULTILINE):
        if label:
            seen.add(label)
        else:
            loops += target in seen  # a jump that goes back
    return 2 if loops * 1000 > lines else 0


def _set(options: tuple[str, ...], value: str) -> None:
    for option in options:
        _binding.set_option("enigma", f"{option}={value}")


def identity() -> str:
    """What objects depend on besides their text and the processor; "" when llvmlite is missing.

    It is found without importing llvmlite, which takes longer than reading an object from disk.
    """
    for folder in sys.path:
        try:
            with open(os.path.join(folder, "llvmlite", "_version.py"), encoding="utf-8") as file:
                return f"{_REVISION} {_OPTIONS} {file.read()}"
        except OSError:
            pass
    return ""


def _target_machine(level: int) -> Any:
    global _binding
    with _lock:
        if _binding is None:
            try:
                import llvmlite.binding as llvm
            except ImportError as why:
                raise EnigmaError(
                    "the CPU device needs llvmlite to compile kernels: pip install llvmlite"
                ) from why
            # From so many blocks on, CodeGenPrepare looks again only at those that it has changed.
            # It makes the same code, in time that does not grow with the square of their number.
            llvm.set_option("enigma", "-cgpp-huge-func=100")
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            _binding = llvm
        if level not in _machines:
            target = _binding.Target.from_triple(_triple(_binding))
            _machines[level] = target.create_target_machine(
                cpu=_binding.get_host_cpu_name(),
                features=_features(_binding),
                opt=level,
                **_OPTIONS,
            )
        return _machines[level]


def _triple(llvm: Any) -> str:
    """This machine with ELF as its object format, which is the one that the runtime loads."""
    if sys.platform == "darwin":
        machine = os.uname().machine
        return f"{'aarch64' if machine == 'arm64' else machine}-unknown-linux-gnu"
    return str(llvm.get_process_triple())


def _features(llvm: Any) -> str:
    found = dict(llvm.get_host_cpu_features())
    if found.get("avx512f"):
        # A SIMD-group is two 512-bit registers; LLVM's choice for some hosts is 256 bits.
        found["prefer-256-bit"] = False
    if sys.platform == "darwin":
        found["reserve-x18"] = True  # Apple's ABI keeps that register for the system
    return ",".join(("+" if on else "-") + name for name, on in sorted(found.items()))
