// Orders other than relaxed need MSL 4.1.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* out [[buffer(0)]]) {
    atomic_fetch_add_explicit(&out[0], 1u, memory_order_acq_rel);
}
