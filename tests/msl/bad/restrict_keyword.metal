// restrict is no keyword.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* restrict out [[buffer(0)]]) {
    out[0] = 1.0f;
}
