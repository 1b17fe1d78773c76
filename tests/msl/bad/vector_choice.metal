// The condition of ?: is a vector.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 x = float4(1.0f), y = float4(2.0f);
    float4 z = x < y ? x : y;
    out[t.x] = z.x;
}
