"""What Python itself says of a wrong use of Enigma in a kernel, told as every other mistake is."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from enigma.errors import EnigmaError, is_ours

_WRONG_ARGUMENTS = re.compile(
    r"(?P<name>\w+)\(\): incompatible function arguments\..*\n"
    r"(?P<signatures>(?: +\d+\. .*\n)+)\nInvoked with types: (?P<given>.*)"
)
_WRONG_CALL = re.compile(r"(?P<name>[\w.]+)\(\) (missing|got|takes) ")
# What else Python says, and what to write instead.
_ADVICE = {
    r"nanobind\.nb_func": "a function of Enigma stands where its value is meant: call it, as in "
    "enigma.thread_position_in_threadgroup()",
    r"'IRValue' object is not callable": "a value of the kernel is no function: leave out the "
    "parentheses, as in enigma.thread_position_in_grid",
    r"'(TracingTensor|Tensor|RegisterTensor)' object is not callable": "its elements are read with "
    "brackets, as A[i]",
    r"IRValue doesn't define __round__": "write enigma.round, or enigma.rint",
    r"passed to IRValue\.__format__": "a traced value has no digits, since only the device knows "
    "it; write it to a buffer to see it",
    r"unsupported operand .*'(IRValue|Fragment)'": "beside a value of the kernel stands another, "
    "or an int, a float or a bool",
    r"only integers, slices .* are valid indices": "an array of numpy takes indices that are known "
    "while tracing; for a traced one make the array a parameter, and index that",
}  # fmt: skip


# Names of other languages for what Enigma has.
_ELSEWHERE = {
    "else_": "with enigma.if_(c) as (then, otherwise):, and with otherwise: in it",
    "elif_": "with enigma.if_(c) as (then, otherwise):, and another if_ in with otherwise:",
    "syncthreads": "enigma.barrier()",
    "syncwarp": "enigma.simd_barrier()",
    "shared": "enigma.threadgroup_alloc(dtype, size)",
    "program_id": 'enigma.threadgroup_position_in_grid("x")',
    "thread_idx": "enigma.arch.thread_idx()",
    "block_idx": "enigma.arch.block_idx()",
    "block_dim": "enigma.arch.block_dim()",
    "min": "enigma.fmin or enigma.imin",
    "max": "enigma.fmax or enigma.imax",
    "minimum": "enigma.fmin or enigma.imin",
    "maximum": "enigma.fmax or enigma.imax",
    "sum": "enigma.simd_sum",
    "select": "enigma.where(false_val, true_val, condition)",
    "cast": "enigma.metal_cast(x, dtype)",
    "float32": "enigma.f32",
    "float16": "enigma.f16",
    "bfloat16": "enigma.bf16",
    "int32": "enigma.i32",
    "uint32": "enigma.u32",
}


def called(function: Callable[..., Any], arguments: Iterable[Any]) -> Any:
    """What a user's function gives. Python's own errors about our objects become EnigmaErrors."""
    try:
        return function(*arguments)
    except Exception as why:
        told = _told(why)
        if told is None:
            raise
        raise told from None


def _told(why: Exception) -> EnigmaError | None:
    place = why.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if isinstance(why, EnigmaError) or place is None or is_ours(place.tb_frame):
        return None
    message = _attribute(why) if isinstance(why, AttributeError) else _said(str(why))
    if message is None:
        return None
    told = EnigmaError(message, place.tb_frame.f_code.co_filename, place.tb_lineno)
    return told.with_traceback(why.__traceback__)


def suggested(name: str, known: list[str]) -> str:
    """What to write instead of a name that is none: its equivalent, or those that are close."""
    if name in _ELSEWHERE:
        return f"; write {_ELSEWHERE[name]}"
    import difflib

    close = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], cutoff=0.7)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _attribute(why: AttributeError) -> str | None:
    kind = type(why.obj)
    if kind.__module__.partition(".")[0] != "enigma":
        return None
    return f"{why}{suggested(str(why.name), dir(kind))}"


def _said(text: str) -> str | None:
    if found := _WRONG_ARGUMENTS.fullmatch(text):
        name, given = found["name"], re.sub(r"enigma\.(_core\.)?", "", found["given"])
        given = re.sub(r"kwargs = \{ (.*) \}", r"\1", given)
        takes = ", or ".join(re.findall(r"\d+\. (.*?)(?: -> .*)?\n", found["signatures"]))
        if takes.startswith(f"{name}(self"):
            takes = re.sub(r"\(self(, )?", "(", takes)
            own, _, given = given.partition(", ")
            if name == "__init__":
                name, takes = own, takes.replace("__init__", own)
        return f"{name}({given}) does not fit: write {takes}"
    if (found := _WRONG_CALL.match(text)) and (function := _ours(found["name"])):
        signature = inspect.signature(function)
        plain = signature.replace(
            parameters=[
                p.replace(annotation=p.empty)
                for p in signature.parameters.values()
                if p.name != "self"
            ],
            return_annotation=signature.empty,
        )
        return f"{text}; write {found['name'].removesuffix('.__init__').split('.')[-1]}{plain}"
    for pattern, advice in _ADVICE.items():
        if re.search(pattern, text):
            return f"{text}: {advice}"
    return None


def _ours(name: str) -> Any:
    """The function or method of this package that Python calls so."""
    for module in [m for key, m in sys.modules.items() if key.startswith("enigma.")]:
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if inspect.isfunction(found) and found.__module__.startswith("enigma."):
            return found
    return None
