// There is no goto.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    goto end;
end:
    out[t.x] = 1.0f;
}
