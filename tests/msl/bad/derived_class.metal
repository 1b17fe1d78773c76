// There are no derived classes.
#include <metal_stdlib>
using namespace metal;

struct B {
    float x;
};
struct D : B {};

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    D d;
    d.x = 1.0f;
    out[t.x] = d.x;
}
