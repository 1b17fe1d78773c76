// A ballot is not a number by itself.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    ulong b = simd_ballot(t.x > 3u);
    out[t.x] = float(b);
}
