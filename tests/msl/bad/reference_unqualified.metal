// A reference parameter of a helper has no address space.
#include <metal_stdlib>
using namespace metal;

inline void g(float& x) { x = 1.0f; }

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = 1.0f;
}
