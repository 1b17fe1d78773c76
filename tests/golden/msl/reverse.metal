#include <metal_stdlib>
using namespace metal;

kernel void reverse(device const float* A [[buffer(0)]],
                    device float* B [[buffer(1)]],
                    uint3 thread_position_in_grid [[thread_position_in_grid]],
                    uint3 thread_position_in_threadgroup [[thread_position_in_threadgroup]],
                    uint3 threads_per_threadgroup [[threads_per_threadgroup]]) {
    threadgroup float shared[256];  // golden_kernels.py:20
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:16
    const uint lid = thread_position_in_threadgroup.x;  // golden_kernels.py:17
    const uint bsize = threads_per_threadgroup.x;  // golden_kernels.py:18
    shared[lid] = A[tid];  // golden_kernels.py:21
    threadgroup_barrier(mem_flags::mem_threadgroup);  // golden_kernels.py:22
    B[tid] = shared[bsize - lid - 1u];  // golden_kernels.py:23
}
