// A component is assigned twice.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 x = float4(1.0f);
    x.xx = float2(2.0f);
    out[t.x] = x.x;
}
