// A local variable is static.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    static uint calls = 0;
    calls += 1u;
    out[t.x] = float(calls);
}
