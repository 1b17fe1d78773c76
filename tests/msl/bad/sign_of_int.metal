// sign is for floats.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int i = 3;
    out[t.x] = sign(i);
}
