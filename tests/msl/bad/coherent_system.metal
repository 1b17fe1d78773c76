// Coherence with the host is not for programs.
#include <metal_stdlib>
using namespace metal;

kernel void f(coherent(system) device uint* out [[buffer(0)]]) {
    out[0] = 1u;
}
