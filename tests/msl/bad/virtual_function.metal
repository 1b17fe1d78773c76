// There are no virtual functions.
#include <metal_stdlib>
using namespace metal;

struct S {
    virtual float g() const { return 1.0f; }
};

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    out[t.x] = 1.0f;
}
