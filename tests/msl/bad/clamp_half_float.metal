// clamp of a half between floats is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    half x = 1.0h;
    out[t.x] = float(clamp(x, 0.0f, 1.0f));
}
