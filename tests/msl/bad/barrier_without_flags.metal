// A barrier says which memory it orders.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup_barrier();
    out[t.x] = 1.0f;
}
