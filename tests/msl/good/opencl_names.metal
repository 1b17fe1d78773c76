// Words of OpenCL, C and C++'s library are ordinary names.
#include <metal_stdlib>
using namespace metal;

inline float local(float global) { return global + 1.0f; }

kernel void image2d_t(device float* read_only [[buffer(0)]],
                      device float* __restrict write [[buffer(1)]],
                      constant uint& pipe [[buffer(2)]], uint3 id [[thread_position_in_grid]]) {
    const uint get_global_id = id.x, uniform = pipe, event_t = 3u, generic = 4u, priv = 5u;
    float std = local(read_only[get_global_id]), cl_int = 0.5f, vec_step = 2.0f, erf = 1.0f;
    write[get_global_id] = std + cl_int + vec_step + erf;
    write[get_global_id] += float(uniform + event_t + generic + priv);
}
