// There is no new.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    thread float* p = new float[4];
    out[t.x] = p[0];
}
