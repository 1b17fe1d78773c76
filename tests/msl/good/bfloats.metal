// What bfloat can do: arithmetic of its own, and float in between.
#include <metal_stdlib>
using namespace metal;

kernel void f(device bfloat* b [[buffer(0)]], device half* h [[buffer(1)]],
              device float* out [[buffer(2)]], uint3 t [[thread_position_in_grid]]) {
    bfloat x = b[t.x], y = bfloat(0.5f);
    bfloat z = x + y * x - y / x;
    z += x;
    const bool less = x < y || isnan(z);
    z = less ? x : y;
    h[t.x] = half(float(z));
    b[t.x] = bfloat(exp(float(x)));
    b[t.x] = bfloat(float(h[t.x]));
    out[t.x] = x * 2.0f + float(-z) + float(as_type<bfloat>(ushort(as_type<ushort>(x) ^ 1)));
    out[t.x] += float(select(x, y, less)) + float(int(x));
}
