#include <metal_stdlib>
using namespace metal;

kernel void inner(device const float* A [[buffer(0)]],
                  device const float* B [[buffer(1)]],
                  device float* C [[buffer(2)]],
                  constant uint& M [[buffer(3)]],
                  constant uint& N [[buffer(4)]],
                  uint3 thread_position_in_grid [[thread_position_in_grid]],
                  uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]]) {
    const uint shifted = (M + 15u) >> 4u;  // tiled_add.py:27
    const uint thread_idx = thread_position_in_grid.x;  // tiled_add.py:21
    // tiled_add.py:22
    const uint sum = threadgroup_position_in_grid.x / shifted * 256u + (thread_idx & 63u) * 4u;
    const uint sum_1 = threadgroup_position_in_grid.x % shifted * 16u + ((thread_idx >> 6u) & 3u) * 4u;
    const bool test = sum < N;  // tiled_add.py:25
    const bool test_1 = sum_1 < M && test;
    const uint sum_2 = sum_1 * N + sum;
    const bool test_2 = sum_1 + 1u < M && test;
    const uint sum_3 = sum_2 + N;
    const bool test_3 = sum_1 + 2u < M && test;
    const uint sum_4 = sum_2 + 2u * N;
    const bool test_4 = sum_1 + 3u < M && test;
    const uint sum_5 = sum_2 + 3u * N;
    const float4 sum_6 = (test_1 ? *(device const float4*)(A + sum_2) : float4(0.0f)) + (test_1 ? *(device const float4*)(B + sum_2) : float4(0.0f));
    const float4 sum_7 = (test_2 ? *(device const float4*)(A + sum_3) : float4(0.0f)) + (test_2 ? *(device const float4*)(B + sum_3) : float4(0.0f));
    const float4 sum_8 = (test_3 ? *(device const float4*)(A + sum_4) : float4(0.0f)) + (test_3 ? *(device const float4*)(B + sum_4) : float4(0.0f));
    const float4 sum_9 = (test_4 ? *(device const float4*)(A + sum_5) : float4(0.0f)) + (test_4 ? *(device const float4*)(B + sum_5) : float4(0.0f));
    if (test_1) {
        *(device float4*)(C + sum_2) = sum_6;
    }
    if (test_2) {
        *(device float4*)(C + sum_3) = sum_7;
    }
    if (test_3) {
        *(device float4*)(C + sum_4) = sum_8;
    }
    if (test_4) {
        *(device float4*)(C + sum_5) = sum_9;
    }
}
