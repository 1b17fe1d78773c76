// A product of SIMD-group matrices is made of variables, not temporaries.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    simdgroup_float8x8 a = make_filled_simdgroup_matrix<float, 8, 8>(1.0f), c;
    simdgroup_multiply(c, a, make_filled_simdgroup_matrix<float, 8, 8>(2.0f));
    simdgroup_store(c, out, 8);
}
