// Every statement of control flow that Metal has.
#include <metal_stdlib>
using namespace metal;

kernel void f(device int* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    int x = 0, rounds = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) x += i;
    _Pragma("clang loop unroll(disable)")
    for (;;) {
        if (++x > 20) break;
        if (x % 3 == 0) continue;
        rounds++;
    }
    do {
        x -= 2;
    } while (x > 3);
    while (true) {
        if (x-- < 0) break;
    }
    switch (rounds & 3) {
        case 0:
            x = 7;
            break;
        case 1:
        case 2:
            x = 8;
        default:
            x += 1;
    }
    out[t.x] = t.x > 3u ? x : t.x > 2u ? -x : (x, rounds);
    if (t.x > 100u) return;
    out[t.x] += 1;
}
