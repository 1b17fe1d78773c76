// A parameter is named thread.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], device float* thread [[buffer(1)]]) {
    out[0] = thread[0];
}
