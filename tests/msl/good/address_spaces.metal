// Pointers and references of each address space, in each order of words.
#include <metal_stdlib>
using namespace metal;

struct Pair {
    float a, b;
};
inline float both(Pair p) { return p.a + p.b; }
inline void set(thread float& x, threadgroup float* from, const device float* other, uint i) {
    x = from[i] + other[i];
}
inline void put(device float* to, float x) { *to = x; }

kernel void f(const device float* in [[buffer(0)]], device float* out [[buffer(1)]],
              constant Pair& pair [[buffer(2)]], constant float* table [[buffer(3)]],
              threadgroup float* dynamic [[threadgroup(0)]],
              uint3 t [[thread_position_in_threadgroup]]) {
    threadgroup float tile[64];
    threadgroup float* half_tile = tile + 32;
    const device float* const from = in + t.x;
    tile[t.x] = *from * table[0];
    dynamic[t.x] = tile[t.x];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float x = 0.0f;
    set(x, t.x < 32u ? half_tile : dynamic, in, t.x % 32u);
    thread float* p = &x;
    *p += pair.a;
    put(&out[t.x], x);
}
