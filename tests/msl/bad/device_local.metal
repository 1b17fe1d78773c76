// A local variable is in device memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    device float x;
    x = 1.0f;
    out[t.x] = x;
}
