// A constexpr constant is written.
#include <metal_stdlib>
using namespace metal;

constant float kScale = 1.0f;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    kScale = 2.0f;
    out[t.x] = kScale;
}
