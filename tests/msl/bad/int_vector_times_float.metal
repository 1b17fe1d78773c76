// A vector of integers is not multiplied by a float.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int4 i = int4(3);
    out[t.x] = float((i * 0.5f).x);
}
