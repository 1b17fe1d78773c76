// SIMD-group functions take no bool.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bool x = t.x > 3u;
    out[t.x] = simd_shuffle(x, 1) ? 1.0f : 0.0f;
}
