#include <metal_stdlib>
using namespace metal;

kernel void carried(device const float* A [[buffer(0)]],
                    device float* Out [[buffer(1)]],
                    constant int& n [[buffer(2)]],
                    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:28
    float previous = 0.0f;  // golden_kernels.py:31
    float current = 1.0f;
    for (int i = 0; i < n; i++) {
        const float current_1 = previous + A[i];  // golden_kernels.py:32
        previous = current;
        current = current_1;
    }
    Out[tid] = previous * current;  // golden_kernels.py:33
}
