"""What vectors and matrices refuse, and what the message says."""

from collections.abc import Callable
from typing import Any

import pytest

import enigma

Body = Callable[..., Any]


def matrix(rows: int, cols: int) -> Any:
    return enigma.make_matrix(*(enigma.make_vec(*[0.5] * rows) for _ in range(cols)))


def refusal(body: Body) -> str:
    @enigma.kernel
    def kernel(X: enigma.f32, I: enigma.i32, Out: enigma.f32):
        body(X, I, Out)

    with pytest.raises(enigma.EnigmaError) as error:
        enigma.compile(kernel)
    assert error.value.lineno
    return str(error.value).splitlines()[0]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            lambda X, I, Out: enigma.make_vec(X[0]),
            "make_vec takes 2 to 4 components, 1 was given",
        ),
        (
            lambda X, I, Out: enigma.make_vec(1, 2, enigma.make_float3(0)),
            "make_vec takes 2 to 4 components, 5 were given",
        ),
        (
            lambda X, I, Out: enigma.make_float3(1, 2),
            "vector<3xf32> has 3 components, 2 were given",
        ),
        (
            lambda X, I, Out: enigma.make_vec("a", 2),
            "make_vec: expected a value of the kernel or a number, but got 'a' (str)",
        ),
        (
            lambda X, I, Out: enigma.make_float2(1, 2).z,
            "vector<2xf32> has the components 0 to 1, not 2",
        ),
        (
            lambda X, I, Out: enigma.make_float2(1, 2)[-1],
            "vector<2xf32> has the components 0 to 1, not -1",
        ),
        (
            lambda X, I, Out: X[0].y,
            "f32 is one number, and has no components",
        ),
        (
            lambda X, I, Out: enigma.make_float2(1, 2).__setitem__(0, 3.0),
            "a value (vector<2xf32>) cannot be changed in part, as no value can; make another, "
            "as in `v = enigma.make_vec(2.0, v.y)`",
        ),
        (
            lambda X, I, Out: setattr(enigma.make_float2(1, 2), "x", 3.0),
            "a value (vector<2xf32>) cannot be changed in part, as no value can; make another, "
            "as in `v = enigma.make_vec(2.0, v.y)`",
        ),
        (
            lambda X, I, Out: X[0].__setitem__(0, 3.0),
            "a value (f32) is one number, which has no elements to write; memory is a parameter "
            "annotated with a dtype, as in `A: enigma.f32`",
        ),
        (
            lambda X, I, Out: Out.__setitem__(0, enigma.make_float2(1, 2)),
            "vector<2xf32> cannot be converted to f32; take one component of it, as v.x",
        ),
        (
            lambda X, I, Out: enigma.make_float2(1, 2) + enigma.make_float3(1, 2, 3),
            "+ takes vectors of one size, vector<2xf32> and vector<3xf32> were given",
        ),
        (
            lambda X, I, Out: enigma.dot(X[0], X[1]),
            "dot takes float vectors, not f32 and f32: dot(float vector, float vector) -> float; "
            "write make_vec(...), which takes the components",
        ),
        (
            lambda X, I, Out: enigma.length(enigma.make_vec(I[0], I[1])),
            "length takes float vectors, not vector<2xi32>: length(float vector) -> float; "
            'write metal_cast(x, "float")',
        ),
        (
            lambda X, I, Out: enigma.cross(enigma.make_float2(1, 2), enigma.make_float2(1, 2)),
            "cross takes float 3-vectors, not vector<2xf32> and vector<2xf32>: "
            "cross(float 3-vector, float 3-vector) -> float 3-vector; "
            "write make_vec(...), which takes the components",
        ),
        (
            lambda X, I, Out: enigma.refract(*(enigma.make_float2(1, 2),) * 3),
            "refract takes float vectors, not vector<2xf32> and vector<2xf32> and vector<2xf32>: "
            "refract(float vector, float vector, float) -> float vector; "
            "write v.x, one component, for the operand that is no vector",
        ),
        (
            lambda X, I, Out: enigma.if_(enigma.make_float2(1, 2) < 0).__enter__(),
            "if_ takes one condition, vector<2xb1> was given",
        ),
        (
            lambda X, I, Out: X[enigma.make_vec(0, 1)],
            'an index is an integer, vector<2xi32> was given; write metal_cast(i, "uint")',
        ),
        (
            lambda X, I, Out: enigma.as_type(enigma.make_float2(1, 2), "half"),
            "as_type keeps the bits, so both types have the same width; vector<2xf32> has 32 bits "
            "and f16 has 16: as_type(any, dtype) -> dtype; metal_cast(x, dtype) converts the value",
        ),
        (
            lambda X, I, Out: enigma.pack_float_to_unorm4x8(X[0], X[1]),
            "pack_float_to_unorm4x8 takes vector<4xf32> or 4 numbers, f32 and f32 was given",
        ),
        (
            lambda X, I, Out: enigma.pack_uint8x4(enigma.make_float4(1)),
            "pack_uint8x4 takes vector<4xu32> or 4 numbers, vector<4xf32> was given",
        ),
        (
            lambda X, I, Out: enigma.unpack_unorm4x8_to_float(X[0]),
            "unpack_unorm4x8_to_float takes a uint here, f32 was given",
        ),
        (
            lambda X, I, Out: enigma.make_matrix(X[0], X[1]),
            "make_matrix takes 2 to 4 columns, which are float or half vectors of one size, "
            "f32 and f32 were given",
        ),
        (
            lambda X, I, Out: enigma.make_matrix(enigma.make_float2(1), enigma.make_float3(1)),
            "make_matrix takes 2 to 4 columns, which are float or half vectors of one size, "
            "vector<2xf32> and vector<3xf32> were given",
        ),
        (
            lambda X, I, Out: matrix(2, 2) * matrix(2, 2),
            "write a @ b for a product of matrices, or compute with their columns, as m[0]",
        ),
        (
            lambda X, I, Out: enigma.sin(matrix(2, 2)),
            "sin takes floats, not matrix<2x2xf32>: sin(float) -> float; write a @ b for a product "
            "of matrices, or compute with their columns, as m[0]",
        ),
        (
            lambda X, I, Out: matrix(2, 3) + matrix(3, 2),
            "+ takes floats or integers or float matrices, not matrix<2x3xf32> and "
            "matrix<3x2xf32>: ",
        ),
        (
            lambda X, I, Out: matrix(2, 3) @ matrix(2, 3),
            "matmul takes factors whose inner sizes agree, matrix<2x3xf32> and matrix<2x3xf32> "
            "were given",
        ),
        (
            lambda X, I, Out: matrix(2, 2) @ X[0],
            "matmul takes float or half matrices and vectors, matrix<2x2xf32> and f32 were given",
        ),
        (
            lambda X, I, Out: enigma.make_float2(1, 2) @ enigma.make_float2(1, 2),
            "matmul takes factors whose inner sizes agree, vector<2xf32> and vector<2xf32> were "
            "given",
        ),
        (
            lambda X, I, Out: enigma.determinant(matrix(2, 3)),
            "determinant takes square float matrices, not matrix<2x3xf32>: "
            "determinant(square float matrix) -> float; write make_matrix(...), which takes the "
            "columns",
        ),
        (
            lambda X, I, Out: enigma.transpose(X[0]),
            "transpose takes float matrices, not f32: transpose(float matrix) -> float matrix; "
            "write make_matrix(...), which takes the columns",
        ),
        (
            lambda X, I, Out: matrix(2, 2).x,
            "a matrix has columns, as m[0], and no component x",
        ),
        (
            lambda X, I, Out: matrix(2, 2)[2],
            "matrix<2x2xf32> has the columns 0 to 1, not 2",
        ),
        (
            lambda X, I, Out: enigma.metal_cast(matrix(2, 2), "int"),
            "matrix<2x2xf32> cannot be converted to matrix<2x2xi32>",
        ),
    ],
)
def test_refused(body: Body, text: str) -> None:
    assert text in refusal(body)


def test_a_number_that_becomes_a_vector_in_a_loop() -> None:
    @enigma.kernel
    def kernel(X: enigma.f32, Out: enigma.f32):
        total = 0.0
        with enigma.for_range(0, 3):
            total = total + enigma.make_vec(X[0], X[1])
        Out[0] = total

    with pytest.raises(enigma.EnigmaError) as error:
        enigma.compile(kernel)
    assert error.value.message == (
        "total starts as the float literal 0.0 (f32) but becomes vector<2xf32> in the loop; write "
        "enigma.make_vec(0.0, 0.0) before the loop"
    )
