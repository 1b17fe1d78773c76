#include <metal_stdlib>
using namespace metal;

kernel void guarded(device const float* A [[buffer(0)]],
                    device float* C [[buffer(1)]],
                    constant uint& N [[buffer(2)]],
                    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:75
    const bool mask = tid < N;  // golden_kernels.py:76
    const float val = mask ? A[tid] : 0.0f;  // golden_kernels.py:77
    if (mask) {  // golden_kernels.py:78
        C[tid] = val;
    }
}
