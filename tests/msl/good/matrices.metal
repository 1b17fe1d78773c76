// SIMD-group matrices of each type, from device and threadgroup memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device const half* a [[buffer(0)]], device float* c [[buffer(1)]]) {
    threadgroup half tile[64];
    simdgroup_half8x8 left, right;
    simdgroup_float8x8 sum = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_load(left, a, 8);
    simdgroup_load(right, a, 16, ulong2(8, 0), true);
    simdgroup_store(left, tile, 8);
    simdgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_multiply_accumulate(sum, left, right, sum);
    simdgroup_store(sum, c, 8, ulong2(0, 0), false);
}
