// There is no % of floats.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = out[t.x] % 2.0f;
}
