// A variable at program scope is not constant.
#include <metal_stdlib>
using namespace metal;

float scale = 2.0f;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = scale;
}
