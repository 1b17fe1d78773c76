// as_type of a sum of ushorts, which is an int.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    ushort x = 1, y = 2;
    out[t.x] = float(as_type<half>(x + y));
}
