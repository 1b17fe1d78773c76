// A buffer has no address space.
#include <metal_stdlib>
using namespace metal;

kernel void f(float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = 1.0f;
}
