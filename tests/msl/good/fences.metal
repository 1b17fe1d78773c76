// Orders between threadgroups: fences around relaxed atomics, on memory that is coherent.
#include <metal_stdlib>
using namespace metal;

inline uint last(coherent(device) device atomic_uint* count) {
    atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
    uint old = atomic_fetch_add_explicit(count, 1u, memory_order_relaxed);
    atomic_thread_fence(mem_flags::mem_device | mem_flags::mem_threadgroup, memory_order_seq_cst,
                        thread_scope_device);
    return old;
}

kernel void f(coherent(device) device float* data [[buffer(0)]],
              device coherent(device) atomic_uint* count [[buffer(1)]],
              uint3 t [[thread_position_in_grid]]) {
    data[t.x] = 1.0f;
    if (last(count) == 3u) data[0] = 2.0f;
    atomic_fetch_add_explicit((coherent(device) device atomic_uint*)&count[1], 1u,
                              memory_order_relaxed);
}
