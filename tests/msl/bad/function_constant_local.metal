// A function constant is declared at program scope.
#include <metal_stdlib>
using namespace metal;

kernel void f(device int* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    constant int n [[function_constant(0)]];
    out[t.x] = n;
}
