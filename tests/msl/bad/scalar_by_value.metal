// A scalar argument is a value, not a constant reference.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], float alpha [[buffer(1)]]) {
    out[0] = alpha;
}
