// A function constant gets its value from the host alone.
#include <metal_stdlib>
using namespace metal;

constant int n [[function_constant(0)]] = 4;

kernel void f(device int* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = n;
}
