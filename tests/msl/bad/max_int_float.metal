// max of int and float is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = max(1, out[t.x]);
}
