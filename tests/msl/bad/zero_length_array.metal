// An array has no elements.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float a[0];
    out[t.x] = a[t.x];
}
