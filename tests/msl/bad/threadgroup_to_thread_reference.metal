// A function that writes to a thread's variable is given threadgroup memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    threadgroup float whole[32];
    out[t.x] = modf(out[t.x], whole[t.x]);
}
