// Numbers at the ends of their types, and in each way of writing them.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], device long* l [[buffer(1)]],
              device half* h [[buffer(2)]]) {
    const int lowest = (-2147483647 - 1), same = as_type<int>(0x80000000u);
    l[0] = (-9223372036854775807l - 1l);
    l[1] = long(18446744073709551615ul);
    l[2] = long(lowest - (-1)) + long(same) - -1l;
    out[0] = 1e-45f;
    out[1] = 0x1p-3f;
    out[2] = -INFINITY;
    out[3] = as_type<float>(0x7fc00000u);
    out[4] = .5f + 1.f + 1e3f + 3.4028235e+38f;
    out[5] = 1.0;
    h[0] = 6e-08h;
    h[1] = half(INFINITY);
    h[2] = as_type<half>(ushort(0x7e00));
}
