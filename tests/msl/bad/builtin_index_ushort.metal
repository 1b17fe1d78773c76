// Beside a position of uint the index in the threadgroup is a uint.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_threadgroup]],
              ushort i [[thread_index_in_threadgroup]]) {
    out[t.x] = float(i);
}
