#include <metal_stdlib>
using namespace metal;

// Quotient rounded toward negative infinity; 0 for a divisor of 0.
inline int enigma_floordiv(int a, int b) {
    if (b == 0) return int(0);
    if (b == -1) return int(uint(0) - uint(a));
    int q = int(a / b);
    int r = int(a - q * b);
    return r != 0 && (r < 0) != (b < 0) ? int(q - 1) : q;
}

kernel void wrapping(device const int* A [[buffer(0)]],
                     device const char* B [[buffer(1)]],
                     device const ushort* C [[buffer(2)]],
                     device int* Out [[buffer(3)]],
                     uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    const uint i = thread_position_in_grid.x;  // golden_kernels.py:66
    const int a = A[i];  // golden_kernels.py:67
    const char narrow = char(B[i] + char(B[i] * 3));  // golden_kernels.py:68
    const ushort unsigned_ = ushort(C[i] - 1);  // golden_kernels.py:69
    // golden_kernels.py:70
    const int sum = int(uint(a) * uint(a) + (uint(a) << 5) - uint(enigma_floordiv(a >> 2, 3)) + uint(int(narrow)));
    Out[i] = int(uint(sum) + uint(int(unsigned_)));
}
