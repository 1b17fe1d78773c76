"""Operands of a type that an operation does not take: the whole message, at its line.

That every row refuses every such type is tested in test_every_row.py.
"""

from collections.abc import Callable
from typing import Any

import pytest

import enigma

REFUSED: list[tuple[Callable[..., Any], str]] = [
    (
        lambda x, n, c: enigma.saturate(n),
        "saturate takes floats, not n (i32): saturate(float) -> float; write "
        'metal_cast(x, "float")',
    ),
    (
        lambda x, n, c: enigma.popcount(x),
        "popcount takes integers, not x (f32): popcount(integer) -> integer; write "
        'metal_cast(x, "int")',
    ),
    (
        lambda x, n, c: x & n,
        "& takes integers or bool, not x (f32) and n (i32): &(integer, integer) -> integer, "
        '&(bool, bool) -> bool; write metal_cast(x, "int")',
    ),
    (
        lambda x, n, c: -c,
        "neg takes floats or integers, not c (b1): neg(float) -> float, neg(integer) -> integer; "
        'write metal_cast(x, "int")',
    ),
    (
        lambda x, n, c: enigma.where(x, x, n),
        "where takes a condition, n (i32) was given: where(any, any, bool) -> any; write n != 0",
    ),
    (
        lambda x, n, c: enigma.simd_broadcast(x, x),
        "simd_broadcast takes a uint here, x (f32) was given: simd_broadcast(any, uint) -> any; "
        'write metal_cast(x, "uint")',
    ),
    (
        lambda x, n, c: enigma.simd_shuffle(x, 1.5),
        "simd_shuffle takes a uint here, the literal 1.5 was given: simd_shuffle(any, uint) -> any",
    ),
    (
        lambda x, n, c: enigma.as_type(x, "short"),
        "as_type keeps the bits, so both types have the same width; x (f32) has 32 bits and i16 "
        "has 16: as_type(any, dtype) -> dtype; metal_cast(x, dtype) converts the value",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=lambda x: str(x).split(" ")[0])
def test_operand_of_another_type(wrong: Callable[..., Any], message: str) -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, N: enigma.i32, C: enigma.b1):
        i = enigma.thread_position_in_grid
        x, n, c = X[i], N[i], C[i]
        X[i] = enigma.metal_cast(wrong(x, n, c), "float")

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.message == message
    assert caught.value.filename == __file__
