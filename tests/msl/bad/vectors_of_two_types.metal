// There is no sum of vectors of two types.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int4 i = int4(1);
    uint4 u = uint4(2u);
    out[t.x] = float((i + u).x);
}
