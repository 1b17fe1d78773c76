// There is no such memory flag.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup_barrier(mem_flags::mem_all);
    out[t.x] = 1.0f;
}
