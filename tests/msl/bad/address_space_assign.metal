// A device pointer becomes a threadgroup pointer.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup float* p = out;
    p[0] = 1.0f;
}
