// The index of a function constant has 16 bits.
#include <metal_stdlib>
using namespace metal;

constant int n [[function_constant(65536)]];

kernel void f(device int* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = n;
}
