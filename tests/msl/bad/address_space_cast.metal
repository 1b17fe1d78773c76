// A pointer is cast from one address space to another.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup float* p = (threadgroup float*)out;
    p[0] = 1.0f;
}
