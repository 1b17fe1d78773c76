// A read-only buffer is written.
#include <metal_stdlib>
using namespace metal;

kernel void f(device const float* x [[buffer(0)]], device float* out [[buffer(1)]]) {
    x[0] = 2.0f;
    out[0] = x[0];
}
