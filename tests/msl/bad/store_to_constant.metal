// A constant is written.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], constant float& x [[buffer(1)]]) {
    x = 2.0f;
    out[0] = x;
}
