// max of int and uint is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int x = 1;
    out[t.x] = float(max(x, t.x));
}
