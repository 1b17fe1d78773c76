// The library has no bfloat functions.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat x = bfloat(out[t.x]);
    bfloat y = exp(x);
    out[t.x] = float(y);
}
