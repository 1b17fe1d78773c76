// A helper declares threadgroup memory.
#include <metal_stdlib>
using namespace metal;

inline float g(uint i) {
    threadgroup float x[32];
    return x[i];
}

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = g(t.x);
}
