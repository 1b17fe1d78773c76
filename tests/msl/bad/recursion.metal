// A function calls itself by way of another.
#include <metal_stdlib>
using namespace metal;

inline uint h(uint n);
inline uint g(uint n) { return n == 0u ? 0u : h(n - 1u); }
inline uint h(uint n) { return n == 0u ? 1u : g(n - 1u); }

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = float(g(t.x));
}
