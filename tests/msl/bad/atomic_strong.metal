// There is no strong compare-exchange.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* out [[buffer(0)]]) {
    uint expected = 0u;
    atomic_compare_exchange_strong_explicit(&out[0], &expected, 1u, memory_order_relaxed,
                                            memory_order_relaxed);
}
