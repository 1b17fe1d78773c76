// Attributes of functions, and positions of other types.
#include <metal_stdlib>
using namespace metal;

[[max_total_threads_per_threadgroup(256)]] [[kernel]] void f(
    device float* out, device const float* in, constant uint& n,
    ushort2 t [[thread_position_in_grid]], ushort2 size [[threads_per_grid]],
    ushort lane [[thread_index_in_simdgroup]],
    ushort group [[simdgroup_index_in_threadgroup]]) {
    if (uint(t.x) < n) out[t.x] = in[t.y] + float(size.x + lane + group);
}

kernel void nothing() {}

[[kernel, max_total_threads_per_threadgroup(64)]] void g(device float* out [[buffer(30)]],
                                                         uint i [[thread_index_in_threadgroup]]) {
    out[i] = 1.0f;
}
