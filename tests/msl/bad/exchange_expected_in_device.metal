// The expected value of an exchange is a variable of the thread.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* a [[buffer(0)]], device uint* expected [[buffer(1)]]) {
    atomic_compare_exchange_weak_explicit(a, expected, 1u, memory_order_relaxed,
                                          memory_order_relaxed);
}
