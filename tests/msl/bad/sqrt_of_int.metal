// sqrt of an integer is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int x = 4;
    out[t.x] = sqrt(x);
}
