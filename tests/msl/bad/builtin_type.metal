// A position is float3.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], float3 t [[thread_position_in_grid]]) {
    out[0] = t.x;
}
