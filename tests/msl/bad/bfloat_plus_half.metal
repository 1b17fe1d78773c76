// There is no arithmetic between bfloat and half.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat b = bfloat(1.0f);
    half h = 2.0h;
    out[t.x] = float(b + h);
}
