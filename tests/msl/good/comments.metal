// Comments and strings hold what would be refused as code.
#include <metal_stdlib>
using namespace metal;

// kernel void g(device float* p [[buffer(40)]]) { goto end; "double
/* threadgroup float tile[1 << 20]; static int x; } } ( [[ */
kernel void f(device float* out [[buffer(0)]],  // device float* other [[buffer(0)]],
              uint3 t [[thread_position_in_grid]]) {
    // Prepare threadgroup memory; new double[3], printf(1f) and 1.0L
    out[t.x] = 1.0f; /* } */ // out[t.x] = std::sqrt(2.0);
}
