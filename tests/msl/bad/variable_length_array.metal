// The length of an array is not constant.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    float x[t.x];
    out[t.x] = x[0];
}
