// A variable is named as a macro.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float INFINITY = 1.0f;
    out[t.x] = INFINITY;
}
