// There is no atomic long.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_long* a [[buffer(0)]]) {
    atomic_fetch_add_explicit(a, 1l, memory_order_relaxed);
}
