// The address of a local variable is no device pointer.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float x = 1.0f;
    device float* p = &x;
    out[t.x] = p[0];
}
