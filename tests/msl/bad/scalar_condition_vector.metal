// A vector of truth values is a condition.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    if (float2(1.0f) < float2(2.0f)) out[t.x] = 1.0f;
}
