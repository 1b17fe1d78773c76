// A function that returns a value ends without one.
#include <metal_stdlib>
using namespace metal;

inline float g(float x) {
    if (x > 0.0f) return x;
}

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = g(out[t.x]);
}
