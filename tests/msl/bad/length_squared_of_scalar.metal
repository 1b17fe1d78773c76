// dot takes no scalars.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = dot(out[t.x], 2.0f);
}
