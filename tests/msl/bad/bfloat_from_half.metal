// A half does not become a bfloat by itself.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    half x = half(out[t.x]);
    bfloat y = x;
    out[t.x] = float(y);
}
