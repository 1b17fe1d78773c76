// A bfloat does not become a half by itself.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat b = bfloat(1.0f);
    half h = b;
    out[t.x] = float(h);
}
