// An attribute of the function stands behind its parameters.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]]) [[max_total_threads_per_threadgroup(64)]] {
    out[0] = 1.0f;
}
