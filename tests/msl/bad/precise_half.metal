// precise:: has functions of float alone.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    half2 h = half2(1.0h, 2.0h);
    half2 y = precise::sqrt(h);
    out[t.x] = float(y.x);
}
