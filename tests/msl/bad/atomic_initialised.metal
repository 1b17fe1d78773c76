// An atomic cannot be copied.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* out [[buffer(0)]]) {
    out[0] = out[1];
}
