// An array is not assigned as a whole.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float a[2] = {1.0f, 2.0f}, b[2];
    b = a;
    out[t.x] = b[0];
}
