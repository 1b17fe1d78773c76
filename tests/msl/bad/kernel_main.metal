// A kernel is named main.
#include <metal_stdlib>
using namespace metal;

kernel void main(device float* out [[buffer(0)]]) {
    out[0] = 1.0f;
}
