// Lambdas need MSL 3.2.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    auto twice = [](float x) { return x + x; };
    out[t.x] = twice(1.0f);
}
