// A function of bfloat gives what the library gave it, a float.
#include <metal_stdlib>
using namespace metal;

inline bfloat twice(bfloat x) { return fma(float(x), 2.0f, 0.0f); }

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    bfloat b = twice(bfloat(out[t.x]));
    out[t.x] = float(b);
}
