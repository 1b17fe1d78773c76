// min of short and int is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    short x = 1;
    out[t.x] = float(min(x, 0));
}
