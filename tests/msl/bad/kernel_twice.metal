// A kernel is overloaded.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]]) { out[0] = 1.0f; }
kernel void f(device int* out [[buffer(0)]]) { out[0] = 1; }
