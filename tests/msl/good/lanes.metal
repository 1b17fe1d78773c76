// SIMD-group functions on each type that they take, and votes as numbers.
#include <metal_stdlib>
using namespace metal;

kernel void f(device uint* out [[buffer(0)]], device half2* h [[buffer(1)]],
              uint3 t [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]]) {
    const char c = simd_sum(char(t.x));
    const uint2 wide = simd_shuffle_xor(uint2(t.x, t.y), 1);
    h[t.x] = simd_shuffle_down(h[t.x], ushort(2));
    const ulong votes = (ulong)(simd_vote::vote_t)simd_ballot(t.x % 3u == 0u) & 0xfffffffful;
    const bool first = lane == ctz(uint(votes));
    out[t.x] = uint(c) + wide.x + (simd_any(first) ? simd_prefix_exclusive_sum(1u) : 0u);
    out[t.x] += quad_broadcast(lane, 1) + simd_broadcast_first(lane) + quad_sum(1u);
}
