// A scalar parameter has no attribute.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint n) {
    out[0] = float(n);
}
