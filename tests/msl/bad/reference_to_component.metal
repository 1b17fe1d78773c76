// There is no reference to a component of a vector.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float4 v = float4(1.0f);
    thread float& r = v.x;
    r = 2.0f;
    out[t.x] = v.x;
}
