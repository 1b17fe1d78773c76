// min of uint and ulong is ambiguous.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    ulong n = 4ul;
    out[t.x] = float(min(t.x, n));
}
