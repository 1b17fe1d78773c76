#include <metal_stdlib>
using namespace metal;

kernel void simd_reduce(device const float* X [[buffer(0)]],
                        device float* Sums [[buffer(1)]],
                        device atomic_uint* Count [[buffer(2)]],
                        uint3 thread_position_in_grid [[thread_position_in_grid]],
                        uint3 thread_position_in_threadgroup [[thread_position_in_threadgroup]],
                        uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]],
                        uint thread_index_in_simdgroup [[thread_index_in_simdgroup]],
                        uint simdgroup_index_in_threadgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup float partial[32];  // golden_kernels.py:98
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:97
    const float total = simd_sum(X[tid]);  // golden_kernels.py:99
    if (thread_index_in_simdgroup == 0u) {  // golden_kernels.py:100
        partial[simdgroup_index_in_threadgroup] = total;  // golden_kernels.py:101
    }
    // golden_kernels.py:102
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    if (thread_position_in_threadgroup.x == 0u) {  // golden_kernels.py:103
        // golden_kernels.py:104
        atomic_fetch_add_explicit(&Count[0], 1u, memory_order_relaxed);
        Sums[threadgroup_position_in_grid.x] = partial[0];  // golden_kernels.py:105
    }
}
