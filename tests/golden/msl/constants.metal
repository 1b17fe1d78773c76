#include <metal_stdlib>
using namespace metal;

kernel void constants(device float* Out [[buffer(0)]],
                      device half* Half [[buffer(1)]],
                      device long* Ints [[buffer(2)]]) {
    Out[0] = 0.1f;  // golden_kernels.py:57
    Out[1] = -0.0f;
    Out[2] = 1e-45f;
    Out[3] = as_type<float>(0x7fc00000u);
    Out[4] = INFINITY;
    Out[5] = -INFINITY;
    Out[6] = 16777216.0f;
    Out[7] = 1e+30f;
    Half[0] = 0.1h;  // golden_kernels.py:58
    Half[1] = 65504.0h;  // golden_kernels.py:59
    Ints[0] = (-9223372036854775807l - 1l);  // golden_kernels.py:61
    Ints[1] = 9223372036854775807l;
    Ints[2] = -2147483648l;
    Ints[3] = 2147483648l;
}
