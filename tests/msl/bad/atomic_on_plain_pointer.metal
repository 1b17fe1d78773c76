// An atomic function is given a plain pointer.
#include <metal_stdlib>
using namespace metal;

kernel void f(device uint* out [[buffer(0)]]) {
    atomic_fetch_add_explicit(&out[0], 1u, memory_order_relaxed);
}
