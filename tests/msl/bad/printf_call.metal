// There is no printf.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    printf("%u", t.x);
    out[t.x] = 1.0f;
}
