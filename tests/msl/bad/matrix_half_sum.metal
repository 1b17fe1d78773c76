// A product of matrices of floats is added to one of halves.
#include <metal_stdlib>
using namespace metal;

kernel void f(device half* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    simdgroup_float8x8 a = make_filled_simdgroup_matrix<float, 8, 8>(1.0f);
    simdgroup_half8x8 c = make_filled_simdgroup_matrix<half, 8, 8>(1.0h);
    simdgroup_multiply_accumulate(c, a, a, c);
    simdgroup_store(c, out, 8);
}
