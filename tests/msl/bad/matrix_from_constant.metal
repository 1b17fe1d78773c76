// Matrices are not loaded from constant memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], constant float* x [[buffer(1)]]) {
    simdgroup_float8x8 a;
    simdgroup_load(a, x, 8);
    simdgroup_store(a, out, 8);
}
