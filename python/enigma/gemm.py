"""gemm: a product of tiles, added to a tile by the threadgroup or to registers by each thread."""

from __future__ import annotations

from enigma import _core
from enigma.errors import error
from enigma.registers import RegisterTensor

__all__ = ["gemm"]


def gemm(
    A: _core.TracingTensor | _core.Tensor,
    B: _core.TracingTensor | _core.Tensor,
    C: _core.TracingTensor | _core.Tensor | RegisterTensor,
    *,
    M: int,
    N: int,
    K: int,
    transpose_A: bool = False,
    transpose_B: bool = False,
    accum_dtype: _core.DType | str | type = "float",
    use_simdgroup: bool | None = None,
) -> None:
    """C += A @ B, where A has M x K elements, B has K x N and C has M x N, of any of those sizes.

    The tiles lie in device or threadgroup memory, row after row, or are the first rows and columns
    of memory with two dimensions, or of a tensor of a layout such as (32,32):(pitch,1). With
    ``transpose_A`` A lies there as K x M, with ``transpose_B`` B as N x K. Products are added in
    ``accum_dtype``, and what C held is where they begin.

    The whole threadgroup shares the work, so all its threads must get here together; a barrier
    stands before it, after which the tiles are there, and another before C is read::

        enigma.copy(A, a, count=32 * 32, cooperative=True)
        enigma.copy(B, b, count=32 * 32, cooperative=True)
        enigma.barrier()
        enigma.gemm(a, b, c, M=32, N=32, K=32)
        enigma.barrier()

    SIMD-group matrices do multiples of 8 of the sizes where Metal has them for these types (A and B
    float, half or bfloat, accumulated in their type or in float), and the threads do the rest. They
    need a multiple of 32 threads in every threadgroup; ``use_simdgroup=False`` does without, and
    ``True`` insists. Where C is half or bfloat and sums are float, each SIMD-group that has work
    takes 256 bytes of threadgroup memory besides, to convert them.

    With a register tensor of shape (M, N) for C each thread computes all of its own product.

    Errors: EnigmaError for sizes that are no ints or do not fit the tiles, for
    ``use_simdgroup=True`` where the matrices cannot be used, and outside of a kernel.
    """
    flags = {"transpose_A": transpose_A, "transpose_B": transpose_B, "use_simdgroup": use_simdgroup}
    for name, flag in flags.items():
        if not isinstance(flag, bool) and (name != "use_simdgroup" or flag is not None):
            raise error(f"gemm: {name} must be True or False, but is {flag!r}")
    if isinstance(C, RegisterTensor):
        if use_simdgroup:
            raise error(
                "gemm: use_simdgroup=True needs C in device or threadgroup memory; a register "
                "tensor is one thread's own"
            )
        if C.shape != (M, N):
            raise error(f"gemm: C has M x N = {M} x {N} elements, and is {C}")
        C._values[:] = _core.gemm_own(
            A, B, list(C._values), M, N, K, transpose_A, transpose_B, accum_dtype
        )
    else:
        _core.gemm_shared(A, B, C, M, N, K, transpose_A, transpose_B, accum_dtype, use_simdgroup)
