// A helper that takes a threadgroup pointer is given a device pointer.
#include <metal_stdlib>
using namespace metal;

inline void g(threadgroup float* p) { p[0] = 1.0f; }

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    g(out);
}
