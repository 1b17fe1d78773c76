#include <metal_stdlib>
using namespace metal;
#pragma STDC FP_CONTRACT OFF

kernel void saxpy(device const float* X [[buffer(0)]],
                  constant float& alpha [[buffer(1)]],
                  device const float* Y [[buffer(2)]],
                  device float* Out [[buffer(3)]],
                  uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:10
    Out[tid] = alpha * X[tid] + Y[tid];  // golden_kernels.py:11
}
