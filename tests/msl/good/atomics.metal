// Atomics of each type, of plain memory too, and a loop of exchanges.
#include <metal_stdlib>
using namespace metal;

kernel void f(device atomic_uint* a [[buffer(0)]], device int* plain [[buffer(1)]],
              device atomic_float* sum [[buffer(2)]], device uint* bits [[buffer(3)]],
              uint3 t [[thread_position_in_threadgroup]]) {
    threadgroup atomic_int shared[4];
    if (t.x < 4u) atomic_store_explicit(&shared[t.x], 0, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_max_explicit(&shared[t.x % 4u], plain[t.x], memory_order_relaxed);
    atomic_fetch_min_explicit((device atomic_int*)&plain[0], -1, memory_order_relaxed);
    atomic_fetch_add_explicit(sum, 0.5f, memory_order_relaxed);
    atomic_fetch_xor_explicit(reinterpret_cast<device atomic_uint*>(bits + t.x), 7u,
                              memory_order_relaxed);
    uint old = atomic_load_explicit(a, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(a, &old,
                                                  as_type<uint>(as_type<float>(old) + 1.0f),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}
