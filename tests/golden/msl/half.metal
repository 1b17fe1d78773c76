#include <metal_stdlib>
using namespace metal;

kernel void half_(device const float* kernel_ [[buffer(0)]],
                  device const float* uint_ [[buffer(1)]],
                  device float* thread_ [[buffer(2)]],
                  uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint float4_ = thread_position_in_grid.x;  // golden_kernels.py:90
    const float mix_ = kernel_[float4_] + uint_[float4_];  // golden_kernels.py:91
    thread_[float4_] = mix_ * mix_;  // golden_kernels.py:92
}
