// A vector does not become one of another type by itself.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int4 i = int4(1);
    float4 x = i;
    out[t.x] = x.x;
}
