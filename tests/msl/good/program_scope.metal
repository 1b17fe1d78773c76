// Constants, types, templates and macros at program scope.
#include <metal_stdlib>
using namespace metal;

constant float kTable[3] = {1.0f, 2.0f, 3.0f};
constexpr constant uint kCount = 3;
enum Mode { kPlain, kDouble = 4 };
typedef float Number;
using Numbers = vec<float, 4>;
#define SQUARE(x) ((x) * (x))
struct Sum {
    template <typename T>
    T operator()(T a, T b) const thread {
        return a + b;
    }
};
template <typename T, int N>
inline T power(T x) {
    T r = T(1);
    for (int i = 0; i < N; i++) r *= x;
    return r;
}
namespace mine {
inline Number twice(Number x) { return x + x; }
}  // namespace mine

kernel void f(device float* out [[buffer(0)]], uint3 t [[thread_position_in_grid]]) {
    Numbers n = Numbers(kTable[t.x % kCount]);
    Sum sum;
    out[t.x] = power<float, 3>(mine::twice(SQUARE(n.x))) + float(kDouble) + sum(1.0f, 2.0f);
}
