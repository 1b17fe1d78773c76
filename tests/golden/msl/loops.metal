#include <metal_stdlib>
using namespace metal;
#pragma STDC FP_CONTRACT OFF

kernel void loops(device float* A [[buffer(0)]],
                  constant int& lo [[buffer(1)]],
                  constant int& hi [[buffer(2)]],
                  constant int& by [[buffer(3)]],
                  uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:112
    float acc = 0.0f;  // golden_kernels.py:114
    for (int i = hi; i > lo; i -= 2) {
        // golden_kernels.py:115
        for (int j = lo; by > 0 ? j < hi : by < 0 && j > hi; j += by) {
            acc = acc + A[i] * A[j];  // golden_kernels.py:116
        }
    }
    A[tid] = acc;  // golden_kernels.py:117
}
