// A kernel returns a value.
#include <metal_stdlib>
using namespace metal;

kernel float f(device float* out [[buffer(0)]]) {
    return out[0];
}
