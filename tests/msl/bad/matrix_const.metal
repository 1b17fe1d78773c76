// A product of SIMD-group matrices is made of matrices that are not const.
#include <metal_stdlib>
using namespace metal;

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    const simdgroup_float8x8 a = make_filled_simdgroup_matrix<float, 8, 8>(1.0f);
    simdgroup_float8x8 c;
    simdgroup_multiply(c, a, a);
    simdgroup_store(c, out, 8);
}
