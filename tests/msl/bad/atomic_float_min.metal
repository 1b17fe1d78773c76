// There is no minimum of atomic floats.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_float* out [[buffer(0)]]) {
    atomic_fetch_min_explicit(&out[0], 1.0f, memory_order_relaxed);
}
