// An index is a vector.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_index_in_threadgroup]]) {
    out[0] = float(t.x);
}
