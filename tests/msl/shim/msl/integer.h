// MSL's integer functions, one overload for each type so that mixtures are ambiguous, and select.
#pragma once

#include "math.h"

namespace metal {

#define MSL_INTEGER(T, U, W, UW)                                                                  \
  MSL_FN T min(T a, T b) { return b < a ? b : a; }                                                \
  MSL_FN T max(T a, T b) { return a < b ? b : a; }                                                \
  MSL_FN T clamp(T x, T lo, T hi) { return min(max(x, lo), hi); }                                 \
  MSL_FN T min3(T a, T b, T c) { return min(min(a, b), c); }                                      \
  MSL_FN T max3(T a, T b, T c) { return max(max(a, b), c); }                                      \
  MSL_FN T median3(T a, T b, T c) { return max(min(a, b), min(max(a, b), c)); }                   \
  MSL_FN T abs(T x) { return x < T(0) ? T(U(0) - U(x)) : x; }                                     \
  MSL_FN U absdiff(T a, T b) { return a < b ? U(U(b) - U(a)) : U(U(a) - U(b)); }                  \
  MSL_FN T addsat(T a, T b) {                                                                     \
    T r;                                                                                          \
    if (!__builtin_add_overflow(a, b, &r)) return r;                                              \
    return b < T(0) ? numeric_limits<T>::min() : numeric_limits<T>::max();                        \
  }                                                                                               \
  MSL_FN T subsat(T a, T b) {                                                                     \
    T r;                                                                                          \
    if (!__builtin_sub_overflow(a, b, &r)) return r;                                              \
    return b < T(0) ? numeric_limits<T>::max() : numeric_limits<T>::min();                        \
  }                                                                                               \
  MSL_FN T hadd(T a, T b) { return T((W(a) + W(b)) >> 1); }                                       \
  MSL_FN T rhadd(T a, T b) { return T((W(a) + W(b) + 1) >> 1); }                                  \
  MSL_FN T mulhi(T a, T b) { return T((W(a) * W(b)) >> (sizeof(T) * 8)); }                        \
  MSL_FN T madhi(T a, T b, T c) { return T(U(mulhi(a, b)) + U(c)); }                              \
  MSL_FN T madsat(T a, T b, T c) {                                                                \
    W r = W(a) * W(b);                                                                            \
    W lo = W(numeric_limits<T>::min()), hi = W(numeric_limits<T>::max());                         \
    if (r > hi) return c < T(0) && r + W(c) <= hi ? T(r + W(c)) : numeric_limits<T>::max();       \
    r += W(c);                                                                                    \
    return r < lo ? T(lo) : r > hi ? T(hi) : T(r);                                                \
  }                                                                                               \
  MSL_FN T popcount(T x) { return T(__builtin_popcountl(ulong(U(x)))); }                          \
  MSL_FN T clz(T x) {                                                                             \
    return x == T(0) ? T(sizeof(T) * 8) : T(__builtin_clzl(ulong(U(x))) - (64 - sizeof(T) * 8));  \
  }                                                                                               \
  MSL_FN T ctz(T x) { return x == T(0) ? T(sizeof(T) * 8) : T(__builtin_ctzl(ulong(U(x)))); }     \
  MSL_FN T reverse_bits(T x) {                                                                    \
    return T(__builtin_bitreverse64(ulong(U(x))) >> (64 - sizeof(T) * 8));                        \
  }                                                                                               \
  MSL_FN T rotate(T x, T n) {                                                                     \
    uint k = uint(n) % (sizeof(T) * 8);                                                           \
    return k == 0 ? x : T((U(x) << k) | (U(x) >> (sizeof(T) * 8 - k)));                           \
  }                                                                                               \
  MSL_FN T extract_bits(T x, uint at, uint n) {                                                   \
    if (n == 0) return T(0);                                                                      \
    UW kept = UW(U(x)) << (sizeof(UW) * 8 - at - n);                                              \
    return is_signed_v<T> ? T(W(kept) >> (sizeof(UW) * 8 - n)) : T(kept >> (sizeof(UW) * 8 - n)); \
  }                                                                                               \
  MSL_FN T insert_bits(T x, T y, uint at, uint n) {                                               \
    if (n == 0) return x;                                                                         \
    U mask = U((n >= sizeof(T) * 8 ? U(-1) : U((UW(1) << n) - 1)) << at);                         \
    return T((U(x) & U(~mask)) | (U(U(y) << at) & mask));                                         \
  }
using int128 = __int128;
using uint128 = unsigned __int128;
MSL_INTEGER(char, uchar, long, ulong)
MSL_INTEGER(uchar, uchar, long, ulong)
MSL_INTEGER(short, ushort, long, ulong)
MSL_INTEGER(ushort, ushort, long, ulong)
MSL_INTEGER(int, uint, long, ulong)
MSL_INTEGER(uint, uint, int128, ulong)
MSL_INTEGER(long, ulong, int128, uint128)
MSL_INTEGER(ulong, ulong, uint128, uint128)
MSL_FN int mul24(int a, int b) { return a * b; }
MSL_FN uint mul24(uint a, uint b) { return a * b; }
MSL_FN int mad24(int a, int b, int c) { return a * b + c; }
MSL_FN uint mad24(uint a, uint b, uint c) { return a * b + c; }

#define MSL_DISTANCES(T, U, N)                                    \
  MSL_FN vec<U, N> absdiff(vec<T, N> x, vec<T, N> y) {            \
    vec<U, N> r;                                                  \
    for (int i = 0; i < N; ++i) r[i] = absdiff(T(x[i]), T(y[i])); \
    return r;                                                     \
  }
#define MSL_BIT_FIELDS(T, N)                                                 \
  MSL_FN vec<T, N> extract_bits(vec<T, N> x, uint at, uint n) {              \
    for (int i = 0; i < N; ++i) x[i] = extract_bits(T(x[i]), at, n);         \
    return x;                                                                \
  }                                                                          \
  MSL_FN vec<T, N> insert_bits(vec<T, N> x, vec<T, N> y, uint at, uint n) {  \
    for (int i = 0; i < N; ++i) x[i] = insert_bits(T(x[i]), T(y[i]), at, n); \
    return x;                                                                \
  }
#define MSL_INTEGER_VECTORS_OF(T, U, N) \
  MSL_ELEMENTWISE2(T, N, min)           \
  MSL_ELEMENTWISE2(T, N, max)           \
  MSL_ELEMENTWISE3(T, N, clamp)         \
  MSL_ELEMENTWISE1(T, N, abs)           \
  MSL_ELEMENTWISE2(T, N, mulhi)         \
  MSL_ELEMENTWISE2(T, N, addsat)        \
  MSL_ELEMENTWISE2(T, N, subsat)        \
  MSL_ELEMENTWISE3(T, N, madsat)        \
  MSL_ELEMENTWISE1(T, N, popcount)      \
  MSL_ELEMENTWISE1(T, N, clz)           \
  MSL_ELEMENTWISE1(T, N, ctz)           \
  MSL_ELEMENTWISE1(T, N, reverse_bits)  \
  MSL_ELEMENTWISE2(T, N, rotate)        \
  MSL_DISTANCES(T, U, N)                \
  MSL_BIT_FIELDS(T, N)

#define MSL_SELECT(T) \
  MSL_FN T select(T a, T b, bool c) { return c ? b : a; }
#define MSL_SELECT_VECTOR(T, N)                                  \
  MSL_FN vec<T, N> select(vec<T, N> a, vec<T, N> b, bvec<N> c) { \
    for (int i = 0; i < N; ++i)                                  \
      if (c[i]) a[i] = b[i];                                     \
    return a;                                                    \
  }
#define MSL_ALL_INTEGER(T, U)     \
  MSL_INTEGER_VECTORS_OF(T, U, 2) \
  MSL_INTEGER_VECTORS_OF(T, U, 3) \
  MSL_INTEGER_VECTORS_OF(T, U, 4)
#define MSL_ALL_SELECT(T) \
  MSL_SELECT(T)           \
  MSL_SELECT_VECTOR(T, 2) \
  MSL_SELECT_VECTOR(T, 3) \
  MSL_SELECT_VECTOR(T, 4)
MSL_ALL_INTEGER(char, uchar)
MSL_ALL_INTEGER(uchar, uchar)
MSL_ALL_INTEGER(short, ushort)
MSL_ALL_INTEGER(ushort, ushort)
MSL_ALL_INTEGER(int, uint)
MSL_ALL_INTEGER(uint, uint)
MSL_ALL_INTEGER(long, ulong)
MSL_ALL_INTEGER(ulong, ulong)
MSL_ALL_SELECT(char)
MSL_ALL_SELECT(uchar)
MSL_ALL_SELECT(short)
MSL_ALL_SELECT(ushort)
MSL_ALL_SELECT(int)
MSL_ALL_SELECT(uint)
MSL_ALL_SELECT(long)
MSL_ALL_SELECT(ulong)
MSL_ALL_SELECT(float)
MSL_ALL_SELECT(half)
MSL_SELECT(bfloat)

}  // namespace metal
