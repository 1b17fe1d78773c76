// SIMD-group functions take no bfloat.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat b = bfloat(out[t.x]);
    out[t.x] = float(simd_sum(b));
}
