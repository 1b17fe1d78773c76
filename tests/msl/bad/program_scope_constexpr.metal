// A constexpr at program scope lacks the constant address space.
#include <metal_stdlib>
using namespace metal;

constexpr uint kSize = 4;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = float(kSize);
}
