// A function constant is no constant expression, so no array can have its size.
#include <metal_stdlib>
using namespace metal;

constant int n [[function_constant(0)]];

kernel void f(device int* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int values[n];
    values[0] = n;
    out[t.x] = values[0];
}
