#include <metal_stdlib>
using namespace metal;

// Remainder with the sign of the divisor; 0 for a divisor of 0 or -1.
inline int enigma_floormod(int a, int b) {
    if (b == 0 || b == -1) return int(0);
    int r = int(a - (a / b) * b);
    return r != 0 && (r < 0) != (b < 0) ? int(r + b) : r;
}

kernel void branches(device const int* X [[buffer(0)]],
                     device int* Out [[buffer(1)]],
                     uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint tid = thread_position_in_grid.x;  // golden_kernels.py:38
    int x = X[tid];  // golden_kernels.py:39
    int sign_;  // golden_kernels.py:41
    if (x > 0) {
        sign_ = 1;
    } else {
        sign_ = x < 0 ? -1 : 0;  // golden_kernels.py:45
    }
    int steps = 0;  // golden_kernels.py:48
    while (x > 1) {
        // golden_kernels.py:49
        x = enigma_floormod(x, 2) == 0 ? x >> 1 : int(3u * uint(x) + 1u);
        steps = int(uint(steps) + 1u);  // golden_kernels.py:50
    }
    Out[tid] = int(uint(sign_) * uint(steps));  // golden_kernels.py:51
}
