// A vector is made of too few components.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 x = float4(1.0f, 2.0f);
    out[t.x] = x.x;
}
