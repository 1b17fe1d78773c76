"""Kernels whose MSL is kept in tests/golden: one for each thing that the text must get right."""

import numpy as np

import enigma


@enigma.kernel
def saxpy(X: enigma.f32, alpha: enigma.Scalar(enigma.f32), Y: enigma.f32, Out: enigma.f32):
    tid = enigma.thread_position_in_grid
    Out[tid] = alpha * X[tid] + Y[tid]


@enigma.kernel
def reverse(A: enigma.f32, B: enigma.f32):
    tid = enigma.thread_position_in_grid
    lid = enigma.thread_position_in_threadgroup()
    bsize = enigma.threads_per_threadgroup()

    shared = enigma.threadgroup_alloc("float", 256)
    shared[lid] = A[tid]
    enigma.barrier()
    B[tid] = shared[bsize - lid - 1]


@enigma.kernel
def carried(A: enigma.f32, Out: enigma.f32, n: enigma.Scalar(enigma.i32)):
    tid = enigma.thread_position_in_grid
    previous = 0.0
    current = 1.0
    with enigma.for_range(0, n) as i:
        previous, current = current, previous + A[i]
    Out[tid] = previous * current


@enigma.kernel
def branches(X: enigma.i32, Out: enigma.i32):
    tid = enigma.thread_position_in_grid
    x = X[tid]
    sign = 0
    with enigma.if_(x > 0) as (then, otherwise):
        with then:
            sign = 1
        with otherwise:
            with enigma.if_(x < 0):
                sign = -1
    steps = 0
    with enigma.while_(lambda: x > 1):
        x = enigma.where(3 * x + 1, x >> 1, x % 2 == 0)
        steps = steps + 1
    Out[tid] = sign * steps


@enigma.kernel
def constants(Out: enigma.f32, Half: enigma.f16, Ints: enigma.i64):
    for k, value in enumerate([0.1, -0.0, 1e-45, np.nan, np.inf, -np.inf, 16777216.0, 1e30]):
        Out[k] = value
    Half[0] = 0.1
    Half[1] = 65504.0
    for k, value in enumerate([-(2**63), 2**63 - 1, -(2**31), 2**31]):
        Ints[k] = enigma.i64(value)


@enigma.kernel
def wrapping(A: enigma.i32, B: enigma.i8, C: enigma.u16, Out: enigma.i32):
    i = enigma.thread_position_in_grid
    a = A[i]
    narrow = B[i] + B[i] * 3
    unsigned = C[i] - 1
    Out[i] = a * a + (a << 5) - (a >> 2) // 3 + narrow + unsigned


@enigma.kernel
def guarded(A: enigma.f32, C: enigma.f32, N: enigma.Scalar(enigma.u32)):
    tid = enigma.thread_position_in_grid
    mask = enigma.cmp_ult(tid, N)
    val = enigma.load_if(A, tid, mask, default=0.0)
    enigma.store_if(C, tid, val, mask)


@enigma.kernel
def narrow_floats(H: enigma.f16, B: enigma.bf16, Out: enigma.bf16):
    i = enigma.thread_position_in_grid
    h = enigma.exp(H[i]) * 0.5
    Out[i] = enigma.tanh(B[i]) + h


@enigma.kernel
def half(kernel: enigma.f32, uint: enigma.f32, thread: enigma.f32):
    float4 = enigma.thread_position_in_grid
    mix = kernel[float4] + uint[float4]
    thread[float4] = mix * mix


@enigma.kernel
def simd_reduce(X: enigma.f32, Sums: enigma.f32, Count: enigma.u32):
    tid = enigma.thread_position_in_grid
    partial = enigma.threadgroup_alloc("float", 32)
    total = enigma.simd_sum(X[tid])
    with enigma.if_(enigma.thread_index_in_simdgroup() == 0):
        partial[enigma.simdgroup_index_in_threadgroup()] = total
    enigma.barrier("mem_device_and_threadgroup")
    with enigma.if_(enigma.thread_position_in_threadgroup() == 0):
        enigma.atomic_fetch_add(Count, 0, 1)
        Sums[enigma.threadgroup_position_in_grid()] = partial[0]


@enigma.kernel
def loops(
    A: enigma.f32, lo: enigma.Scalar("int"), hi: enigma.Scalar("int"), by: enigma.Scalar("int")
):
    tid = enigma.thread_position_in_grid
    acc = 0.0
    with enigma.for_range(hi, lo, -2) as i:
        with enigma.for_range(lo, hi, by) as j:
            acc = acc + A[i] * A[j]
    A[tid] = acc


@enigma.kernel
def specialized(X: enigma.f32, Out: enigma.f32):
    tid = enigma.thread_position_in_grid
    taps = enigma.function_constant(enigma.i32, 3)
    scale = enigma.function_constant(enigma.bf16, 0)
    acc = 0.0
    with enigma.for_range(0, taps) as i:
        acc = acc + X[tid * enigma.function_constant(enigma.u32, 1) + i]
    with enigma.if_(enigma.function_constant(enigma.b1, 2)):
        acc = acc * scale
    Out[tid] = acc


KERNELS = [saxpy, reverse, carried, branches, constants, wrapping]
KERNELS += [guarded, narrow_floats, half, simd_reduce, loops, specialized]
