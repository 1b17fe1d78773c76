// MSL's float functions with the meaning of its precise mode, for float, half and their vectors.
#pragma once

#include "types.h"

namespace metal {
namespace real {  // each in double, to be rounded once; not to be called from kernels

MSL_FN double pi() { return 0x1.921fb54442d18p+1; }
// Exact reduction to [-1, 1].
MSL_FN double turn(double x) { return x - 2.0 * __builtin_rint(x * 0.5); }
MSL_FN double sinpi(double x) {
  double t = turn(x);
  return t == 0.0 || __builtin_fabs(t) == 1.0 ? 0.0 * x : __builtin_sin(pi() * t);
}
MSL_FN double cospi(double x) {
  double t = turn(x);
  return __builtin_fabs(t) == 0.5 ? 0.0 : __builtin_cos(pi() * t);
}
MSL_FN double sign(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? x : 0.0; }
MSL_FN double saturate(double x) { return x > 0 ? (x < 1 ? x : 1.0) : 0.0; }
MSL_FN double minimum(double a, double b) { return a != a ? b : b != b ? a : b < a ? b : a; }
MSL_FN double maximum(double a, double b) { return a != a ? b : b != b ? a : a < b ? b : a; }
MSL_FN double clamp(double x, double lo, double hi) { return minimum(maximum(x, lo), hi); }
MSL_FN float mix(float x, float y, float a) { return x + (y - x) * a; }
MSL_FN float smoothstep(float e0, float e1, float x) {
  float t = float(saturate((x - e0) / (e1 - e0)));
  return t * t * (3.0f - 2.0f * t);
}

}  // namespace real

#define MSL_ELEMENTWISE1(T, N, name)                  \
  MSL_FN vec<T, N> name(vec<T, N> x) {                \
    vec<T, N> r;                                      \
    for (int i = 0; i < N; ++i) r[i] = name(T(x[i])); \
    return r;                                         \
  }
#define MSL_ELEMENTWISE2(T, N, name)                           \
  MSL_FN vec<T, N> name(vec<T, N> x, vec<T, N> y) {            \
    vec<T, N> r;                                               \
    for (int i = 0; i < N; ++i) r[i] = name(T(x[i]), T(y[i])); \
    return r;                                                  \
  }
#define MSL_ELEMENTWISE3(T, N, name)                                    \
  MSL_FN vec<T, N> name(vec<T, N> x, vec<T, N> y, vec<T, N> z) {        \
    vec<T, N> r;                                                        \
    for (int i = 0; i < N; ++i) r[i] = name(T(x[i]), T(y[i]), T(z[i])); \
    return r;                                                           \
  }
#define MSL_ON_VECTORS(M, T, name) M(T, 2, name) M(T, 3, name) M(T, 4, name)

#define MSL_FLOAT1_AS(T, name, expression) \
  MSL_FN T name(T a) {                     \
    [[maybe_unused]] double x = double(a); \
    return T(expression);                  \
  }
#define MSL_FLOAT1(name, expression)            \
  MSL_FLOAT1_AS(float, name, expression)        \
  MSL_FLOAT1_AS(half, name, expression)         \
  MSL_ON_VECTORS(MSL_ELEMENTWISE1, float, name) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE1, half, name)
#define MSL_FLOAT2_AS(T, name, expression)                \
  MSL_FN T name(T a, T b) {                               \
    [[maybe_unused]] double x = double(a), y = double(b); \
    return T(expression);                                 \
  }
#define MSL_FLOAT2(name, expression)            \
  MSL_FLOAT2_AS(float, name, expression)        \
  MSL_FLOAT2_AS(half, name, expression)         \
  MSL_ON_VECTORS(MSL_ELEMENTWISE2, float, name) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE2, half, name)
#define MSL_FLOAT3_AS(T, name, expression)                               \
  MSL_FN T name(T a, T b, T c) {                                         \
    [[maybe_unused]] double x = double(a), y = double(b), z = double(c); \
    return T(expression);                                                \
  }
#define MSL_FLOAT3(name, expression)            \
  MSL_FLOAT3_AS(float, name, expression)        \
  MSL_FLOAT3_AS(half, name, expression)         \
  MSL_ON_VECTORS(MSL_ELEMENTWISE3, float, name) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE3, half, name)

#define MSL_FLOAT_FUNCTIONS                                   \
  MSL_FLOAT1(sin, __builtin_sin(x))                           \
  MSL_FLOAT1(cos, __builtin_cos(x))                           \
  MSL_FLOAT1(tan, __builtin_tan(x))                           \
  MSL_FLOAT1(asin, __builtin_asin(x))                         \
  MSL_FLOAT1(acos, __builtin_acos(x))                         \
  MSL_FLOAT1(atan, __builtin_atan(x))                         \
  MSL_FLOAT1(sinh, __builtin_sinh(x))                         \
  MSL_FLOAT1(cosh, __builtin_cosh(x))                         \
  MSL_FLOAT1(tanh, __builtin_tanh(x))                         \
  MSL_FLOAT1(asinh, __builtin_asinh(x))                       \
  MSL_FLOAT1(acosh, __builtin_acosh(x))                       \
  MSL_FLOAT1(atanh, __builtin_atanh(x))                       \
  MSL_FLOAT1(sinpi, real::sinpi(x))                           \
  MSL_FLOAT1(cospi, real::cospi(x))                           \
  MSL_FLOAT1(tanpi, real::sinpi(x) / real::cospi(x))          \
  MSL_FLOAT1(exp, __builtin_exp(x))                           \
  MSL_FLOAT1(exp2, __builtin_exp2(x))                         \
  MSL_FLOAT1(exp10, __builtin_pow(10.0, x))                   \
  MSL_FLOAT1(log, __builtin_log(x))                           \
  MSL_FLOAT1(log2, __builtin_log2(x))                         \
  MSL_FLOAT1(log10, __builtin_log10(x))                       \
  MSL_FLOAT1(sqrt, __builtin_sqrt(x))                         \
  MSL_FLOAT1(rsqrt, 1.0 / __builtin_sqrt(x))                  \
  MSL_FLOAT1(sign, real::sign(x))                             \
  MSL_FLOAT1(saturate, real::saturate(x))                     \
  MSL_FLOAT2(fmin, real::minimum(x, y))                       \
  MSL_FLOAT2(fmax, real::maximum(x, y))                       \
  MSL_FLOAT2(min, real::minimum(x, y))                        \
  MSL_FLOAT2(max, real::maximum(x, y))                        \
  MSL_FLOAT2(pow, __builtin_pow(x, y))                        \
  MSL_FLOAT2(powr, x < 0 ? double(NAN) : __builtin_pow(x, y)) \
  MSL_FLOAT2(fmod, __builtin_fmod(x, y))                      \
  MSL_FLOAT2(atan2, __builtin_atan2(x, y))                    \
  MSL_FLOAT2(divide, x / y)                                   \
  MSL_FLOAT2(step, y < x ? 0.0 : 1.0)                         \
  MSL_FLOAT3(clamp, real::clamp(x, y, z))                     \
  MSL_FLOAT1(fabs, __builtin_fabs(x))                         \
  MSL_FLOAT1(abs, __builtin_fabs(x))                          \
  MSL_FLOAT1(ceil, __builtin_ceil(x))                         \
  MSL_FLOAT1(floor, __builtin_floor(x))                       \
  MSL_FLOAT1(trunc, __builtin_trunc(x))                       \
  MSL_FLOAT1(rint, __builtin_rint(x))                         \
  MSL_FLOAT1(round, __builtin_round(x))
MSL_FLOAT_FUNCTIONS

MSL_FLOAT2(copysign, __builtin_copysign(x, y))
MSL_FLOAT2(fdim, x != x || y != y ? double(NAN) : x > y ? x - y : 0.0)
// Metal leaves the formulas of these two, and so their rounding, open.
MSL_FLOAT3(mix, real::mix(float(x), float(y), float(z)))
MSL_FLOAT3(smoothstep, real::smoothstep(float(x), float(y), float(z)))
MSL_FLOAT3(fmin3, real::minimum(real::minimum(x, y), z))
MSL_FLOAT3(fmax3, real::maximum(real::maximum(x, y), z))
MSL_FLOAT3(min3, real::minimum(real::minimum(x, y), z))
MSL_FLOAT3(max3, real::maximum(real::maximum(x, y), z))
MSL_FLOAT3(median3, real::maximum(real::minimum(x, y), real::minimum(real::maximum(x, y), z)))
MSL_FLOAT3(fmedian3, real::maximum(real::minimum(x, y), real::minimum(real::maximum(x, y), z)))

// Functions that are defined by their arithmetic in the type itself.
#define MSL_IN_TYPE(T, below_one)                                                        \
  MSL_FN T fract(T x) {                                                                  \
    T f = x - floor(x);                                                                  \
    return f >= T(1.0f) ? T(below_one) : f;                                              \
  }                                                                                      \
  MSL_FN T modf(T x, T& whole) {                                                         \
    whole = trunc(x);                                                                    \
    return __builtin_isinf(float(x)) ? copysign(T(0.0f), x) : copysign(T(x - whole), x); \
  }                                                                                      \
  MSL_FN T sincos(T x, T& c) {                                                           \
    c = cos(x);                                                                          \
    return sin(x);                                                                       \
  }                                                                                      \
  MSL_FN T frexp(T x, int& e) {                                                          \
    e = 0;                                                                               \
    if (x == T(0.0f) || __builtin_isinf(float(x)) || x != x) return x;                   \
    return T(__builtin_frexp(double(x), &e));                                            \
  }                                                                                      \
  MSL_FN T ldexp(T x, int e) { return T(__builtin_ldexp(double(x), e)); }                \
  MSL_FN int ilogb(T x) { return __builtin_ilogb(double(x)); }                           \
  MSL_ON_VECTORS(MSL_ELEMENTWISE1, T, fract)
MSL_IN_TYPE(float, 0x1.fffffep-1f)
MSL_IN_TYPE(half, 0x1.ffcp-1f)

MSL_FN float nextafter(float x, float y) { return __builtin_nextafterf(x, y); }
MSL_FN float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
// The product of two halves is exact in double, and the sum as good as exact.
MSL_FN half fma(half a, half b, half c) { return half(double(a) * double(b) + double(c)); }
MSL_ON_VECTORS(MSL_ELEMENTWISE3, float, fma)
MSL_ON_VECTORS(MSL_ELEMENTWISE3, half, fma)

#define MSL_PREDICATE(T, name, expression) \
  MSL_FN bool name(T a) {                  \
    float x = float(a);                    \
    return expression;                     \
  }
#define MSL_PREDICATES(T)                                   \
  MSL_PREDICATE(T, isnan, x != x)                           \
  MSL_PREDICATE(T, isinf, __builtin_fabsf(x) == INFINITY)   \
  MSL_PREDICATE(T, isfinite, __builtin_fabsf(x) < INFINITY) \
  MSL_PREDICATE(T, signbit, __builtin_signbitf(x) != 0)     \
  MSL_PREDICATE(                                            \
      T, isnormal,                                          \
      __builtin_fabsf(x) < INFINITY && __builtin_fabsf(x) >= float(numeric_limits<T>::min()))
MSL_PREDICATES(float)
MSL_PREDICATES(half)
MSL_PREDICATES(bfloat)
#define MSL_PREDICATE_VECTOR(T, N, name)              \
  MSL_FN bvec<N> name(vec<T, N> x) {                  \
    bvec<N> r;                                        \
    for (int i = 0; i < N; ++i) r[i] = name(T(x[i])); \
    return r;                                         \
  }
#define MSL_PREDICATE_VECTORS(name)                 \
  MSL_ON_VECTORS(MSL_PREDICATE_VECTOR, float, name) \
  MSL_ON_VECTORS(MSL_PREDICATE_VECTOR, half, name)
MSL_PREDICATE_VECTORS(isnan)
MSL_PREDICATE_VECTORS(isinf)
MSL_PREDICATE_VECTORS(isfinite)
MSL_PREDICATE_VECTORS(isnormal)
MSL_PREDICATE_VECTORS(signbit)

// Geometry is for vectors alone.
#define MSL_GEOMETRY(T, N)                                                                     \
  MSL_FN T dot(vec<T, N> a, vec<T, N> b) {                                                     \
    T s = a[0] * b[0];                                                                         \
    for (int i = 1; i < N; ++i) s += a[i] * b[i];                                              \
    return s;                                                                                  \
  }                                                                                            \
  MSL_FN T length_squared(vec<T, N> a) { return dot(a, a); }                                   \
  MSL_FN T length(vec<T, N> a) { return sqrt(dot(a, a)); }                                     \
  MSL_FN T distance_squared(vec<T, N> a, vec<T, N> b) { return length_squared(a - b); }        \
  MSL_FN T distance(vec<T, N> a, vec<T, N> b) { return length(a - b); }                        \
  MSL_FN vec<T, N> normalize(vec<T, N> a) { return a / length(a); }                            \
  MSL_FN vec<T, N> faceforward(vec<T, N> n, vec<T, N> i, vec<T, N> r) {                        \
    return dot(r, i) < T(0.0f) ? n : -n;                                                       \
  }                                                                                            \
  MSL_FN vec<T, N> reflect(vec<T, N> i, vec<T, N> n) { return i - n * (T(2.0f) * dot(n, i)); } \
  MSL_FN vec<T, N> refract(vec<T, N> i, vec<T, N> n, T eta) {                                  \
    T d = dot(n, i), k = T(1.0f) - eta * eta * (T(1.0f) - d * d);                              \
    return k < T(0.0f) ? vec<T, N>(T(0.0f)) : eta * i - n * (eta * d + sqrt(k));               \
  }
MSL_GEOMETRY(float, 2)
MSL_GEOMETRY(float, 3)
MSL_GEOMETRY(float, 4)
MSL_GEOMETRY(half, 2)
MSL_GEOMETRY(half, 3)
MSL_GEOMETRY(half, 4)
#define MSL_CROSS(T)                                                     \
  MSL_FN vec<T, 3> cross(vec<T, 3> a, vec<T, 3> b) {                     \
    return vec<T, 3>{T(a.y * b.z - a.z * b.y), T(a.z * b.x - a.x * b.z), \
                     T(a.x * b.y - a.y * b.x)};                          \
  }
MSL_CROSS(float)
MSL_CROSS(half)

// precise:: and fast:: are for float alone.
#undef MSL_FLOAT1
#undef MSL_FLOAT2
#undef MSL_FLOAT3
#define MSL_FLOAT1(name, expression)     \
  MSL_FLOAT1_AS(float, name, expression) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE1, float, name)
#define MSL_FLOAT2(name, expression)     \
  MSL_FLOAT2_AS(float, name, expression) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE2, float, name)
#define MSL_FLOAT3(name, expression)     \
  MSL_FLOAT3_AS(float, name, expression) \
  MSL_ON_VECTORS(MSL_ELEMENTWISE3, float, name)
namespace precise {
MSL_FLOAT_FUNCTIONS
using metal::fma;
using metal::fract;
}  // namespace precise
namespace fast {
MSL_FLOAT_FUNCTIONS
using metal::fma;
using metal::fract;
}  // namespace fast

}  // namespace metal
