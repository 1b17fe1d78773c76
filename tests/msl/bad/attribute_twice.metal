// Two parameters have the same attribute.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]],
              uint3 u [[thread_position_in_grid]]) {
    out[t.x] = float(u.x);
}
