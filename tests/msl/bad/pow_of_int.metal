// pow of float and int is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int n = 2;
    out[t.x] = pow(out[t.x], n);
}
