// A matrix of floats is loaded from memory of halves.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    simdgroup_float8x8 a;
    simdgroup_load(a, (device half*)out, 8);
    simdgroup_store(a, out, 8);
}
