// Threadgroup memory is declared in a nested block.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    if (t.x < 5u) {
        threadgroup float x[32];
        out[t.x] = x[t.x];
    }
}
