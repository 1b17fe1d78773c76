// A condition is a vector.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 x = float4(1.0f), y = float4(2.0f);
    if (x == y) out[t.x] = 1.0f;
}
