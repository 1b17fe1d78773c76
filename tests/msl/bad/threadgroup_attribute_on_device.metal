// A device pointer has the attribute of threadgroup memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[threadgroup(0)]]) {
    out[0] = 1.0f;
}
