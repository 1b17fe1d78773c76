// A variable is named half.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float half = 1.0f;
    out[t.x] = half;
}
