// A variable is named xor.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int xor = 1;
    out[t.x] = float(xor);
}
