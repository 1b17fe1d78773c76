// SIMD-group functions take no 64-bit types.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    ulong x = ulong(t.x);
    out[t.x] = float(simd_sum(x));
}
