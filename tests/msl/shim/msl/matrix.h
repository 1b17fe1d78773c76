// SIMD-group matrices of 8 × 8, spread over the lanes as Apple's are, and plain matrices.
#pragma once

#include "atomic.h"

namespace metal {

template <class T, int Columns, int Rows>
struct simdgroup_matrix {
  static_assert(Columns == 8 && Rows == 8, "SIMD-group matrices are 8 x 8");
  static_assert(is_floating_point_v<T>, "SIMD-group matrices hold half, bfloat or float");
  alignas(2 * sizeof(T)) T own[2];
  simdgroup_matrix() { __builtin_memset(&own, 0xff, sizeof own); }
  explicit simdgroup_matrix(T diagonal) {
    for (int i = 0; i < 2; ++i) own[i] = row() == column() + i ? diagonal : T(0.0f);
  }
  static uint row() { return (lanes::self() >> 4 & 1) * 4 + (lanes::self() >> 1 & 3); }
  static uint column() { return (lanes::self() >> 3 & 1) * 4 + (lanes::self() & 1) * 2; }
  static uint lane_of(uint r, uint c) {
    return (r >> 2) * 16 + (c >> 2) * 8 + (r & 3) * 2 + (c >> 1 & 1);
  }
  vec<T, 2>& thread_elements() { return reinterpret_cast<vec<T, 2>&>(own); }
};
using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;

template <class T, int C, int R>
MSL_FN simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T x) {
  simdgroup_matrix<T, C, R> m;
  m.own[0] = m.own[1] = x;
  return m;
}

template <class T>
MSL_FN ulong matrix_offset(uint i, ulong pitch, ulong2 origin, bool transpose) {
  using M = simdgroup_matrix<T, 8, 8>;
  ulong r = M::row(), c = M::column() + i;
  return transpose ? (origin.y + c) * pitch + origin.x + r : (origin.y + r) * pitch + origin.x + c;
}
MSL_FN void need_all_lanes(const msl::Deposits* all, const char*) {
  if (all->mask != 0xffffffffu) __builtin_trap();
}
template <class T>
MSL_FN void simdgroup_load(simdgroup_matrix<T, 8, 8>& m, const type_identity_t<T>* source,
                           ulong pitch = 8, ulong2 origin = 0, bool transpose = false, MSL_SITE) {
  need_all_lanes(msl_exchange(&m, 1, site), "simdgroup_load");
  for (uint i = 0; i < 2; ++i) {
    const T* from = source + matrix_offset<T>(i, pitch, origin, transpose);
    m.own[i] = *from;
  }
}
template <class T>
MSL_FN void simdgroup_store(simdgroup_matrix<T, 8, 8> m, type_identity_t<T>* target,
                            ulong pitch = 8, ulong2 origin = 0, bool transpose = false, MSL_SITE) {
  need_all_lanes(msl_exchange(&m, 1, site), "simdgroup_store");
  for (uint i = 0; i < 2; ++i) {
    T* to = target + matrix_offset<T>(i, pitch, origin, transpose);
    *to = m.own[i];
  }
}
template <class D, class A, class B, class C>
MSL_FN void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8>& d,
                                          simdgroup_matrix<A, 8, 8>& a,
                                          simdgroup_matrix<B, 8, 8>& b,
                                          simdgroup_matrix<C, 8, 8>& c, MSL_SITE) {
  using M = simdgroup_matrix<D, 8, 8>;
  // What is seen to compile: one type for all, or sums in float of anything but half with bfloat.
  static_assert(is_same_v<D, C> &&
                    (is_same_v<A, B> || (!is_same_v<A, bfloat> && !is_same_v<B, bfloat>)) &&
                    (is_same_v<D, float> || (is_same_v<D, A> && is_same_v<D, B>)),
                "simdgroup_multiply_accumulate has no form for these types");
  msl::Lanes<simdgroup_matrix<A, 8, 8>> left(a, site);
  need_all_lanes(left.all, "simdgroup_multiply_accumulate");
  float rows[8];
  for (uint k = 0; k < 8; ++k) rows[k] = float(left[M::lane_of(M::row(), k)].own[k & 1]);
  msl::Lanes<simdgroup_matrix<B, 8, 8>> right(b, site);
  for (uint i = 0; i < 2; ++i) {
    float sum = float(c.own[i]);
    for (uint k = 0; k < 8; ++k)
      sum = fma(rows[k], float(right[M::lane_of(k, M::column() + i)].own[i]), sum);
    d.own[i] = D(sum);
  }
}
template <class D, class A, class B>
MSL_FN void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8>& a,
                               simdgroup_matrix<B, 8, 8>& b, MSL_SITE) {
  simdgroup_matrix<D, 8, 8> zero(D(0.0f));
  simdgroup_multiply_accumulate(d, a, b, zero, site);
}

// C columns of vectors of R.
template <class T, int C, int R>
struct matrix {
  vec<T, R> columns[C];
  matrix() = default;
  explicit matrix(T diagonal) {
    for (int c = 0; c < C; ++c)
      for (int r = 0; r < R; ++r) columns[c][r] = r == c ? diagonal : T(0.0f);
  }
  template <class... V, class = enable_if_t<sizeof...(V) == C>>
  matrix(V... v) : columns{v...} {}
  vec<T, R>& operator[](int c) { return columns[c]; }
  const vec<T, R>& operator[](int c) const { return columns[c]; }
  friend vec<T, R> operator*(const matrix& m, vec<T, C> v) {
    vec<T, R> r = m.columns[0] * v[0];
    for (int c = 1; c < C; ++c) r += m.columns[c] * v[c];
    return r;
  }
  friend vec<T, C> operator*(vec<T, R> v, const matrix& m) {
    vec<T, C> r;
    for (int c = 0; c < C; ++c) r[c] = dot(v, m.columns[c]);
    return r;
  }
  template <int K>
  friend matrix<T, K, R> operator*(const matrix& a, const matrix<T, K, C>& b) {
    matrix<T, K, R> m;
    for (int k = 0; k < K; ++k) m.columns[k] = a * b.columns[k];
    return m;
  }
  friend matrix operator*(matrix m, T s) {
    for (int c = 0; c < C; ++c) m.columns[c] *= s;
    return m;
  }
  friend matrix operator*(T s, matrix m) { return m * s; }
  friend matrix operator+(matrix a, const matrix& b) {
    for (int c = 0; c < C; ++c) a.columns[c] += b.columns[c];
    return a;
  }
  friend matrix operator-(matrix a, const matrix& b) {
    for (int c = 0; c < C; ++c) a.columns[c] -= b.columns[c];
    return a;
  }
};
template <class T, int C, int R>
MSL_FN matrix<T, R, C> transpose(const matrix<T, C, R>& m) {
  matrix<T, R, C> t;
  for (int c = 0; c < C; ++c)
    for (int r = 0; r < R; ++r) t.columns[r][c] = m.columns[c][r];
  return t;
}

// By the first row of those from `row` on, over the columns whose bits are set.
template <class T, int N>
static inline T minor_of(const matrix<T, N, N>& m, int row, int left, int count) {
  int c[N], n = 0;
  for (int k = 0; k < N; ++k)
    if (left >> k & 1) c[n++] = k;
  if (count == 2) {
    T down = m[c[0]][row] * m[c[1]][row + 1], up = m[c[1]][row] * m[c[0]][row + 1];
    return down - up;
  }
  T sum = T(0.0f);
  for (int k = 0; k < count; ++k) {
    T term = m[c[k]][row] * minor_of(m, row + 1, left & ~(1 << c[k]), count - 1);
    sum = k == 0 ? term : k % 2 ? sum - term : sum + term;
  }
  return sum;
}
template <class T, int N>
MSL_FN T determinant(const matrix<T, N, N>& m) {
  return minor_of(m, 0, (1 << N) - 1, N);
}

}  // namespace metal

#define MSL_MATRICES(T)                  \
  using T##2x2 = metal::matrix<T, 2, 2>; \
  using T##2x3 = metal::matrix<T, 2, 3>; \
  using T##2x4 = metal::matrix<T, 2, 4>; \
  using T##3x2 = metal::matrix<T, 3, 2>; \
  using T##3x3 = metal::matrix<T, 3, 3>; \
  using T##3x4 = metal::matrix<T, 3, 4>; \
  using T##4x2 = metal::matrix<T, 4, 2>; \
  using T##4x3 = metal::matrix<T, 4, 3>; \
  using T##4x4 = metal::matrix<T, 4, 4>;
MSL_MATRICES(float)
MSL_MATRICES(half)
