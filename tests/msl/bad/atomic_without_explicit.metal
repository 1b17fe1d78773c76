// Only the _explicit atomic functions exist.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* out [[buffer(0)]]) {
    atomic_fetch_add(&out[0], 1u);
}
