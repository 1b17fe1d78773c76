// MSL's scalar and vector types, their constructors, conversions and limits, on clang's own
// vectors.
#pragma once

#define METAL_FUNC inline __attribute__((always_inline))
#define MSL_FN static inline __attribute__((always_inline))

using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;
using size_t = unsigned long;
using ptrdiff_t = long;
using int8_t = char;
using int16_t = short;
using int32_t = int;
using int64_t = long;
using uint8_t = uchar;
using uint16_t = ushort;
using uint32_t = uint;
using uint64_t = ulong;
using half = _Float16;

template <bool>
struct Exact {};
template <>
struct Exact<true> {
  using type = int;
};

// A type of its own, so that only what Metal converts to bfloat does.
struct bfloat {
  __bf16 raw;
  bfloat() = default;
  constexpr explicit bfloat(float x) : raw(static_cast<__bf16>(x)) {}
  template <class T, bool = true, typename Exact<__is_same(T, __bf16)>::type = 0>
  constexpr bfloat(T x) : raw(x) {}
  template <class T, typename Exact<!__is_same(T, __bf16)>::type = 0>
  constexpr explicit bfloat(T x) : bfloat(static_cast<float>(x)) {}
  template <class T, typename Exact<__is_same(T, float)>::type = 0>
  constexpr operator T() const {
    return static_cast<float>(raw);
  }
  template <class T, typename Exact<__is_integral(T) || __is_same(T, half)>::type = 0>
  constexpr explicit operator T() const {
    return static_cast<T>(static_cast<float>(raw));
  }
};

namespace metal {

template <class A, class B>
inline constexpr bool is_same_v = __is_same(A, B);
template <bool Condition, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  using type = T;
};
template <bool Condition, class T = void>
using enable_if_t = typename enable_if<Condition, T>::type;
template <class T>
struct type_identity {
  using type = T;
};
template <class T>
using type_identity_t = typename type_identity<T>::type;
template <class A, class B>
struct is_same {
  static constexpr bool value = __is_same(A, B);
};
template <class From, class To>
inline constexpr bool is_convertible_v = __is_convertible_to(From, To);
template <class T>
using remove_cv_t = __remove_cv(T);
template <class T>
using remove_reference_t = __remove_reference_t(T);

template <class T>
inline constexpr bool is_integral_v =
    is_same_v<T, char> || is_same_v<T, uchar> || is_same_v<T, short> || is_same_v<T, ushort> ||
    is_same_v<T, int> || is_same_v<T, uint> || is_same_v<T, long> || is_same_v<T, ulong> ||
    is_same_v<T, bool>;
template <class T>
inline constexpr bool is_floating_point_v =
    is_same_v<T, float> || is_same_v<T, half> || is_same_v<T, bfloat>;
template <class T>
inline constexpr bool is_signed_v = T(-1) < T(0);
template <class T>
inline constexpr bool is_unsigned_v = is_integral_v<T> && !is_signed_v<T>;

template <class T, int N>
struct vec_of {
  typedef T type __attribute__((ext_vector_type(N)));
};
template <int N>
struct vec_of<bfloat, N> {
  typedef __bf16 type __attribute__((ext_vector_type(N)));
};

// A vector of truth values: clang's comparisons give vectors of integers, Metal's give these.
template <int N>
struct bool_parts;
template <>
struct bool_parts<2> {
  bool x, y;
};
template <>
struct bool_parts<3> {
  bool x, y, z;
};
template <>
struct bool_parts<4> {
  bool x, y, z, w;
};
template <int N>
struct bvec : bool_parts<N> {
  bvec() = default;
  template <class... B, class = enable_if_t<sizeof...(B) + 2 == N>>
  constexpr bvec(bool first, bool second, B... rest)
      : bool_parts<N>{first, second, bool(rest)...} {}
  bvec(bool b) {
    for (int i = 0; i < N; ++i) (*this)[i] = b;
  }
  template <class V, class = decltype(V{} == V{}), class = enable_if_t<(sizeof(V{} == V{}) > 1)>,
            class = decltype(V{}.x)>
  bvec(V v) {
    for (int i = 0; i < N; ++i) (*this)[i] = v[i] != 0;
  }
  bool& operator[](int i) { return (&this->x)[i]; }
  bool operator[](int i) const { return (&this->x)[i]; }
  friend bvec operator!(bvec a) {
    for (int i = 0; i < N; ++i) a[i] = !a[i];
    return a;
  }
  friend bvec operator&&(bvec a, bvec b) {
    for (int i = 0; i < N; ++i) a[i] = a[i] && b[i];
    return a;
  }
  friend bvec operator||(bvec a, bvec b) {
    for (int i = 0; i < N; ++i) a[i] = a[i] || b[i];
    return a;
  }
  friend bvec operator==(bvec a, bvec b) {
    for (int i = 0; i < N; ++i) a[i] = a[i] == b[i];
    return a;
  }
  friend bvec operator!=(bvec a, bvec b) { return !(a == b); }
  friend bvec operator&(bvec a, bvec b) { return a && b; }
  friend bvec operator|(bvec a, bvec b) { return a || b; }
};
template <int N>
struct vec_of<bool, N> {
  using type = bvec<N>;
};
template <class T, int N>
using vec = typename vec_of<T, N>::type;

template <int N>
MSL_FN bool all(bvec<N> b) {
  for (int i = 0; i < N; ++i)
    if (!b[i]) return false;
  return true;
}
template <int N>
MSL_FN bool any(bvec<N> b) {
  for (int i = 0; i < N; ++i)
    if (b[i]) return true;
  return false;
}

// Number of components: 0 for scalars.
template <class T>
struct shape {
  static constexpr int n = 0;
  using element = T;
};
template <class T, int N>
struct shape<T __attribute__((ext_vector_type(N)))> {
  static constexpr int n = N;
  using element = T;
};
template <int N>
struct shape<bvec<N>> {
  static constexpr int n = N;
  using element = bool;
};

// What a comparison gives in clang.
template <class V, int N = shape<V>::n, class = enable_if_t<(N > 0)>>
MSL_FN bool all(V v) {
  return all(bvec<N>(v));
}
template <class V, int N = shape<V>::n, class = enable_if_t<(N > 0)>>
MSL_FN bool any(V v) {
  return any(bvec<N>(v));
}

// A component as a vector holds it.
template <class T>
MSL_FN auto held(T x) {
  if constexpr (is_same_v<T, bfloat>) {
    return x.raw;
  } else {
    return x;
  }
}
template <class V, class T, class A>
MSL_FN void put_parts(V& out, int& at, const A& part) {
  if constexpr (shape<A>::n == 0) {
    out[at++] = held(static_cast<T>(part));
  } else {
    for (int i = 0; i < shape<A>::n; ++i) out[at++] = held(static_cast<T>(part[i]));
  }
}
template <class T, int N, class... A>
MSL_FN vec<T, N> make_vector(const A&... parts) {
  constexpr int given = ((shape<A>::n == 0 ? 1 : shape<A>::n) + ... + 0);
  static_assert(given == N || (sizeof...(A) == 1 && given == 1) || given == 0,
                "a vector is made of exactly as many components, or of one scalar");
  vec<T, N> out{};
  int at = 0;
  (put_parts<vec<T, N>, T>(out, at, parts), ...);
  if (given == 1)
    for (int i = 1; i < N; ++i) out[i] = out[0];
  return out;
}

// A vector at the alignment of its element.
template <class T, int N>
struct packed_vec {
  T e[N];
  packed_vec() = default;
  packed_vec(vec<T, N> v) {
    for (int i = 0; i < N; ++i) e[i] = v[i];
  }
  operator vec<T, N>() const {
    vec<T, N> v;
    for (int i = 0; i < N; ++i) v[i] = e[i];
    return v;
  }
  T& operator[](int i) { return e[i]; }
  const T& operator[](int i) const { return e[i]; }
};

template <class T, int N>
struct shape<packed_vec<T, N>> {
  static constexpr int n = N;
  using element = T;
};

template <class To, class From>
MSL_FN To as_type_of(const From& x) {
  static_assert(sizeof(To) == sizeof(From), "as_type needs types of one size");
  return __builtin_bit_cast(To, x);
}

template <class T>
struct numeric_limits;
#define MSL_INT_LIMITS(T, lo, hi)                                 \
  template <>                                                     \
  struct numeric_limits<T> {                                      \
    static constexpr T min() { return T(lo); }                    \
    static constexpr T max() { return T(hi); }                    \
    static constexpr T lowest() { return T(lo); }                 \
    static constexpr int digits = sizeof(T) * 8 - (T(-1) < T(0)); \
  };
MSL_INT_LIMITS(bool, 0, 1)
MSL_INT_LIMITS(char, -128, 127)
MSL_INT_LIMITS(uchar, 0, 255)
MSL_INT_LIMITS(short, -32768, 32767)
MSL_INT_LIMITS(ushort, 0, 65535)
MSL_INT_LIMITS(int, -2147483647 - 1, 2147483647)
MSL_INT_LIMITS(uint, 0, 4294967295u)
MSL_INT_LIMITS(long, -9223372036854775807l - 1, 9223372036854775807l)
MSL_INT_LIMITS(ulong, 0, 18446744073709551615ul)
#define MSL_FLOAT_LIMITS(T, U, lo, hi, eps, inf, nan)                                    \
  template <>                                                                            \
  struct numeric_limits<T> {                                                             \
    static constexpr T bits(U b) { return __builtin_bit_cast(T, b); }                    \
    static constexpr T min() { return bits(lo); }                                        \
    static constexpr T max() { return bits(hi); }                                        \
    static constexpr T lowest() { return bits(U(hi) | U(U(1) << (sizeof(U) * 8 - 1))); } \
    static constexpr T epsilon() { return bits(eps); }                                   \
    static constexpr T infinity() { return bits(inf); }                                  \
    static constexpr T quiet_NaN() { return bits(nan); }                                 \
  };
MSL_FLOAT_LIMITS(float, uint, 0x00800000, 0x7f7fffff, 0x34000000, 0x7f800000, 0x7fc00000)
MSL_FLOAT_LIMITS(half, ushort, 0x0400, 0x7bff, 0x1400, 0x7c00, 0x7e00)
MSL_FLOAT_LIMITS(bfloat, ushort, 0x0080, 0x7f7f, 0x3c00, 0x7f80, 0x7fc0)

template <class T, size_t N>
struct array {
  T data_[N];
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  static constexpr size_t size() { return N; }
};

// bfloat with bfloat is computed in it, with float or an integer in float, with half not at all.
template <class T>
inline constexpr bool goes_with_bfloat_v = is_same_v<T, float> || is_integral_v<T>;
#define MSL_BFLOAT_BINARY(op, Result)                                                              \
  MSL_FN constexpr Result operator op(bfloat a, bfloat b) { return Result(float(a) op float(b)); } \
  template <class T, class = enable_if_t<goes_with_bfloat_v<T>>>                                   \
  MSL_FN constexpr auto operator op(bfloat a, T b) {                                               \
    return float(a) op float(b);                                                                   \
  }                                                                                                \
  template <class T, class = enable_if_t<goes_with_bfloat_v<T>>>                                   \
  MSL_FN constexpr auto operator op(T a, bfloat b) {                                               \
    return float(a) op float(b);                                                                   \
  }
MSL_BFLOAT_BINARY(+, bfloat)
MSL_BFLOAT_BINARY(-, bfloat)
MSL_BFLOAT_BINARY(*, bfloat)
MSL_BFLOAT_BINARY(/, bfloat)
MSL_BFLOAT_BINARY(<, bool)
MSL_BFLOAT_BINARY(<=, bool)
MSL_BFLOAT_BINARY(>, bool)
MSL_BFLOAT_BINARY(>=, bool)
MSL_BFLOAT_BINARY(==, bool)
MSL_BFLOAT_BINARY(!=, bool)
MSL_FN constexpr bfloat operator-(bfloat a) { return bfloat(-float(a)); }
MSL_FN constexpr bfloat& operator+=(bfloat& a, bfloat b) { return a = a + b; }
MSL_FN constexpr bfloat& operator-=(bfloat& a, bfloat b) { return a = a - b; }
MSL_FN constexpr bfloat& operator*=(bfloat& a, bfloat b) { return a = a * b; }
MSL_FN constexpr bfloat& operator/=(bfloat& a, bfloat b) { return a = a / b; }

}  // namespace metal
using metal::operator+;
using metal::operator-;
using metal::operator*;
using metal::operator/;
using metal::operator<;
using metal::operator<=;
using metal::operator>;
using metal::operator>=;
using metal::operator==;
using metal::operator!=;
using metal::operator+=;
using metal::operator-=;
using metal::operator*=;
using metal::operator/=;

template <class To, class From>
MSL_FN To as_type(const From& x) {
  return metal::as_type_of<To, From>(x);
}

constexpr half operator""h(long double x) { return static_cast<half>(x); }
constexpr bfloat operator"" bf(long double x) { return bfloat(static_cast<float>(x)); }

#define MSL_VECTORS(T)                           \
  using T##2 = metal::vec<T, 2>;                 \
  using T##3 = metal::vec<T, 3>;                 \
  using T##4 = metal::vec<T, 4>;                 \
  using packed_##T##2 = metal::packed_vec<T, 2>; \
  using packed_##T##3 = metal::packed_vec<T, 3>; \
  using packed_##T##4 = metal::packed_vec<T, 4>;
MSL_VECTORS(char)
MSL_VECTORS(uchar)
MSL_VECTORS(short)
MSL_VECTORS(ushort)
MSL_VECTORS(int)
MSL_VECTORS(uint)
MSL_VECTORS(long)
MSL_VECTORS(ulong)
MSL_VECTORS(float)
MSL_VECTORS(half)
MSL_VECTORS(bfloat)
using bool2 = metal::bvec<2>;
using bool3 = metal::bvec<3>;
using bool4 = metal::bvec<4>;

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define MAXFLOAT 0x1.fffffep127f
#define MAXHALF half(65504.0f)
#define HUGE_VALF __builtin_inff()
#define FLT_MAX 0x1.fffffep127f
#define FLT_MIN 0x1p-126f
#define FLT_EPSILON 0x1p-23f
#define HALF_MAX half(65504.0f)
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295u
#define CHAR_BIT 8
#define M_PI_F 3.14159265358979323846f
#define M_PI_H half(3.14159265358979323846f)
#define M_E_F 2.71828182845904523536f
#define M_LN10_F 2.30258509299404568402f
#define M_LN2_F 0.693147180559945309417f
#define M_LOG2E_F 1.44269504088896340736f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.707106781186547524401f
#define M_2_SQRTPI_F 1.12837916709551257390f
