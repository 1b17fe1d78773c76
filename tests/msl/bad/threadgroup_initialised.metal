// A threadgroup variable is initialised.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup float x = 0.0f;
    out[t.x] = x;
}
