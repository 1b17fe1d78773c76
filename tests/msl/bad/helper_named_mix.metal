// A function of the library's name and types makes the call ambiguous.
#include <metal_stdlib>
using namespace metal;

inline float mix(float a, float b, float x) { return a; }

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = mix(out[0], out[1], 0.5f);
}
