// Quad functions take no 64-bit types.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = float(quad_sum(ulong(t.x)));
}
