// An index is a signed integer.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], int t [[thread_index_in_simdgroup]]) {
    out[0] = float(t);
}
