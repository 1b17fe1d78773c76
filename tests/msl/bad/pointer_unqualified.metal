// A local pointer has no address space.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float* p = out;
    p[t.x] = 1.0f;
}
