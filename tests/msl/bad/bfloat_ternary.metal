// One arm of a choice is bfloat, the other a float literal.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat b = bfloat(out[t.x]);
    b = t.x > 3u ? 1.0f : b;
    out[t.x] = float(b);
}
