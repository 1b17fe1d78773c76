// The lane is a uint, the SIMD-group's number a ushort.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint lane [[thread_index_in_simdgroup]],
              ushort group [[simdgroup_index_in_threadgroup]]) {
    out[lane] = float(group);
}
