// A swizzle has no address.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 v = float4(1.0f);
    thread float2* p = &v.xy;
    out[t.x] = (*p).x;
}
