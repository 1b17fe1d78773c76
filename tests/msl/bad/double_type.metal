// There is no double.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    double x = 1.0;
    out[t.x] = float(x);
}
