// Vectors: constructors, swizzles, choice, tests, and packed ones in memory.
#include <metal_stdlib>
using namespace metal;

kernel void f(device packed_float3* p [[buffer(0)]], device float4* out [[buffer(1)]],
              uint3 t [[thread_position_in_grid]]) {
    float3 a = float3(p[t.x]);
    float2 b(a.x, 2.0f);
    float4 v = float4(b, a.yz);
    v.xy = v.yx;
    v.w += 1.0f;
    v[2] = 3.0f;
    v = v * 2.0f + float4(int4(1, 2, 3, 4));
    v = select(v, -v, v < float4(0.0f));
    if (any(v < float4(0.0f)) || all(v == v)) v = clamp(v, float4(0.0f), float4(9.0f));
    out[t.x] = float4(dot(v, v), length(v.xyz), as_type<float>(as_type<uint>(v.x)), v.w);
    p[t.x] = packed_float3(normalize(v.xyz));
}
