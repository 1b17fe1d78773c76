"""Operands of a type that an operation does not take, and calls that are none: the whole message.

That every row refuses every such type is tested in test_every_row.py.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import enigma
from enigma import mistakes

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


NUMBER = "IRValue | float | numpy.generic"
CALLS: list[tuple[Callable[..., Any], str]] = [
    (
        lambda A, x: enigma.fma(x, 1.0),
        f"fma(IRValue, float) does not fit: write fma(x: {NUMBER}, y: {NUMBER}, z: {NUMBER})",
    ),
    (
        lambda A, x: enigma.clamp(x, min=0.0, max=1.0),
        "clamp(IRValue, min: float, max: float) does not fit: write "
        f"clamp(x: {NUMBER}, lo: {NUMBER}, hi: {NUMBER})",
    ),
    (
        lambda A, x: enigma.barrier("mem_device", "mem_threadgroup"),
        "barrier(str, str) does not fit: write barrier(mem_flags: str = 'mem_threadgroup')",
    ),
    (
        lambda A, x: A.atomic_load(),
        "atomic_load() does not fit: write atomic_load(index: IRValue | int | tuple[IRValue | int, "
        "...], order: str = 'relaxed', memory_order: str | None = None)",
    ),
    (
        lambda A, x: enigma.Swizzle(1, 2),
        "Swizzle(int, int) does not fit: write Swizzle(bits: int, base: int, shift: int)",
    ),
    (
        lambda A, x: enigma.for_range(10),
        "for_range.__init__() missing 1 required positional argument: 'hi'; write for_range(lo, "
        "hi, step=1, dtype='int', init=None)",
    ),
    (
        lambda A, x: enigma.register_tensor(4, value=1),
        "register_tensor() got an unexpected keyword argument 'value'; write register_tensor("
        "shape, dtype='float', fill=0)",
    ),
    (
        lambda A, x: enigma.fused(x),
        "module 'enigma' has no attribute 'fused'",
    ),
    (
        lambda A, x: enigma.simd_summ(x),
        "module 'enigma' has no attribute 'simd_summ'; did you mean simd_sum or simd_min or "
        "simd_max?",
    ),
    (
        lambda A, x: enigma.syncthreads(),
        "module 'enigma' has no attribute 'syncthreads'; write enigma.barrier()",
    ),
    (
        lambda A, x: x * 1j,
        "unsupported operand type(s) for *: 'IRValue' and 'complex': beside a value of the kernel "
        "stands another, or an int, a float or a bool",
    ),
    (
        lambda A, x: A.atomic_add(0, 1.0),
        "'TracingTensor' object has no attribute 'atomic_add'; did you mean atomic_load or "
        "atomic_fetch_add?",
    ),
    (
        lambda A, x: enigma.thread_position_in_grid(),
        "'IRValue' object is not callable: a value of the kernel is no function: leave out the "
        "parentheses, as in enigma.thread_position_in_grid",
    ),
    (
        lambda A, x: A(0),
        "'TracingTensor' object is not callable: its elements are read with brackets, as A[i]",
    ),
    (
        lambda A, x: A[enigma.thread_position_in_threadgroup],
        "the index of 'A' must be an int or a traced integer, but is the function "
        "thread_position_in_threadgroup; call it: thread_position_in_threadgroup()",
    ),
    (
        lambda A, x: enigma.threadgroup_position_in_grid * 32,
        "unsupported operand type(s) for *: 'nanobind.nb_func' and 'int': a function of Enigma "
        "stands where its value is meant: call it, as in enigma.thread_position_in_threadgroup()",
    ),
    (
        lambda A, x: enigma.thread_position_in_grid.y,
        "a uint has no component y; a grid query takes the dimension, as in "
        'enigma.thread_position_in_grid_xyz("y")',
    ),
    (
        lambda A, x: A[A.shape[0] - 1],
        "the shape of buffer 'A' is not known while tracing; pass it as a parameter, "
        "enigma.Scalar(...)",
    ),
    (
        lambda A, x: enigma.range_constexpr(2.5),
        "range_constexpr takes 1 to 3 ints, as Python's range: 'float' object cannot be "
        "interpreted as an integer",
    ),
    (
        lambda A, x: enigma.for_range(None, 3).__enter__(),
        "for_range: expected a value of the kernel or a number, but got None",
    ),
    (
        lambda A, x: enigma.for_range(0, 3, 0.5).__enter__(),
        "the step of a loop is an integer, the literal 0.5 was given",
    ),
    (
        lambda A, x: enigma.if_(None).__enter__(),
        "if_: expected a value of the kernel or a number, but got None",
    ),
    (
        lambda A, x: enigma.for_range(0, 3, init=enigma.sqrt),
        "for_range: init takes a list of values: init=[...]",
    ),
    (
        lambda A, x: enigma.Carry(x, 1)[2],
        "a Carry of 2 values is indexed by an int from 0 to 1, not 2",
    ),
    (
        lambda A, x: enigma.grid_size(None),
        'the dimension of a grid query is "x", "y" or "z", not None',
    ),
    (
        lambda A, x: round(x),
        "type IRValue doesn't define __round__ method: write enigma.round, or enigma.rint",
    ),
    (
        lambda A, x: f"{x:.2f}",
        "unsupported format string passed to IRValue.__format__: a traced value has no digits, "
        "since only the device knows it; write it to a buffer to see it",
    ),
    (
        lambda A, x: np.arange(3.0)[enigma.thread_position_in_grid],
        "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
        "boolean arrays are valid indices: an array of numpy takes indices that are known while "
        "tracing; for a traced one make the array a parameter, and index that",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), CALLS, ids=lambda x: str(x).split(" ")[0])
def test_a_call_that_is_none(wrong: Callable[..., Any], message: str) -> None:
    @enigma.kernel
    def kernel(A: enigma.f32):
        wrong(A, A[0])

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.message == message
    assert (
        caught.value.filename == __file__ and caught.value.lineno == wrong.__code__.co_firstlineno
    )


def test_what_is_advised_exists() -> None:
    for name, advice in mistakes._ELSEWHERE.items():
        assert name not in dir(enigma)
        assert set(re.findall(r"enigma\.(\w+)", advice)) <= set(dir(enigma)), advice


def test_other_errors_stay_as_they_are() -> None:
    @enigma.kernel
    def kernel(A: enigma.f32):
        A[0] = 1.0 + "2"

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        enigma.compile(kernel)
    assert not isinstance(caught.value, enigma.EnigmaError)


def test_a_wrong_call_in_a_jit_function() -> None:
    @enigma.jit
    def function(x: enigma.Tensor):
        enigma.make_ordered_layout((4, 64))

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(function, enigma.Tensor("x", 0, "float"))
    assert caught.value.message == (
        "make_ordered_layout(tuple) does not fit: write make_ordered_layout(shape: int | "
        "tuple[typing.Any, ...], order: int | tuple[typing.Any, ...])"
    )
