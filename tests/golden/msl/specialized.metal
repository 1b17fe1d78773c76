#include <metal_stdlib>
using namespace metal;

constant ushort scale [[function_constant(0)]];  // golden_kernels.py:124
constant uint constant_1 [[function_constant(1)]];  // golden_kernels.py:127
constant bool constant_2 [[function_constant(2)]];  // golden_kernels.py:128
constant int taps [[function_constant(3)]];  // golden_kernels.py:123

kernel void specialized(device const float* X [[buffer(0)]],
                        device float* Out [[buffer(1)]],
                        uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:122
    const uint product = tid * constant_1;  // golden_kernels.py:127
    float acc = 0.0f;  // golden_kernels.py:126
    for (int i = 0; i < taps; i++) {
        acc = acc + X[product + uint(i)];  // golden_kernels.py:127
    }
    if (constant_2) {  // golden_kernels.py:128
        acc = acc * float(as_type<bfloat>(scale));  // golden_kernels.py:129
    }
    Out[tid] = acc;  // golden_kernels.py:130
}
