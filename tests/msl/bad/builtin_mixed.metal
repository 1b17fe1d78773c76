// Positions mix a vector and a scalar.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]],
              uint l [[thread_position_in_threadgroup]]) {
    out[t.x] = float(l);
}
