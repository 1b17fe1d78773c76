// A threadgroup has 32 KiB at most.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup float a[8000];
    threadgroup half b[400];
    a[t.x] = float(b[t.x]);
    out[t.x] = a[t.x];
}
