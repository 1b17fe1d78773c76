// A position and the size of its grid are of two types.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]],
              ushort3 n [[threads_per_grid]]) {
    out[t.x] = float(n.x);
}
