// select chooses between values of one type.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    half h = 1.0h;
    out[t.x] = select(h, out[t.x], t.x > 3u);
}
