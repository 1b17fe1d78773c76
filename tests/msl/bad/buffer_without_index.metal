// An attribute of a buffer has no index.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer]]) {
    out[0] = 1.0f;
}
