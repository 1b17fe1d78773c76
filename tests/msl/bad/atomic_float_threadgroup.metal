// Atomic floats in threadgroup memory need MSL 4.1.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]]) {
    threadgroup atomic_float sum[1];
    atomic_fetch_add_explicit(&sum[0], 1.0f, memory_order_relaxed);
    out[0] = 1.0f;
}
