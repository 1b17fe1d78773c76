// MSL's operations across the lanes of a SIMD-group or a quad, and barriers.
#pragma once

#include "abi.h"
#include "integer.h"

namespace msl {

// A source position, as a default argument: it is that of the call.
#define MSL_SITE unsigned site = __builtin_LINE() * 512u + __builtin_COLUMN()

struct Call {  // inside of a helper function, to the end of the expression
  explicit Call(unsigned site) {
    Path& p = msl_current->path;
    if (p.depth < Path::kDepth) p.keys[p.depth] = (unsigned long)site << 32;
    ++p.depth;
  }
  ~Call() { --msl_current->path.depth; }
};

struct Loop : Call {
  using Call::Call;
  bool tick() {
    Path& p = msl_current->path;
    if (p.depth <= Path::kDepth) ++p.keys[p.depth - 1];
    return true;
  }
};

// Valid until the next exchange: the deposits are the SIMD-group's.
template <class T>
struct Lanes {
  const Deposits* all;
  Lanes(const T& x, unsigned site) : all(msl_exchange(&x, sizeof(T), site)) {
    static_assert(sizeof(T) <= kDeposit);
  }
  bool active(unsigned lane) const { return lane < kLanes && (all->mask >> lane & 1); }
  T operator[](unsigned lane) const {
    T x;
    if (!active(lane)) {  // undefined in Metal: something that is surely wrong
      __builtin_memset(&x, 0xff, sizeof x);
      return x;
    }
    __builtin_memcpy(&x, all->bytes[lane], sizeof x);
    return x;
  }
};

}  // namespace msl

namespace metal {

enum class mem_flags : uint {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_threadgroup_imageblock = 8
};
MSL_FN constexpr mem_flags operator|(mem_flags a, mem_flags b) {
  return mem_flags(uint(a) | uint(b));
}
MSL_FN void threadgroup_barrier(mem_flags flags, MSL_SITE) { msl_barrier(uint(flags), site); }
MSL_FN void simdgroup_barrier(mem_flags flags, MSL_SITE) {
  msl_simdgroup_barrier(uint(flags), site);
}

template <class T>
inline constexpr bool is_simd_element_v =
    (is_integral_v<T> && sizeof(T) <= 4 && !is_same_v<T, bool>) || is_same_v<T, float> ||
    is_same_v<T, half>;
template <class T>
inline constexpr bool is_simd_v = is_simd_element_v<typename shape<T>::element>;
template <class T>
inline constexpr bool is_simd_integer_v = is_simd_v<T> && is_integral_v<typename shape<T>::element>;

struct simd_vote {
  using vote_t = ulong;
  ulong mask;
  explicit simd_vote(vote_t m) : mask(m) {}
  explicit operator vote_t() const { return mask; }
  bool all() const { return (mask & 0xffffffff) == 0xffffffff; }
  bool any() const { return (mask & 0xffffffff) != 0; }
};
using quad_vote = simd_vote;

namespace lanes {

template <class T>
struct Pair {
  T x, fill;
};

template <class T, class F>
MSL_FN T reduce(const msl::Lanes<T>& all, uint first, uint count, F f) {
  T r{};
  bool some = false;
  for (uint i = first; i < first + count; ++i) {
    if (!all.active(i)) continue;
    r = some ? f(r, all[i]) : all[i];
    some = true;
  }
  return r;
}
template <class T, class F>
MSL_FN T prefix(const msl::Lanes<T>& all, uint first, uint end, T start, F f) {
  T r = start;
  for (uint i = first; i < end; ++i)
    if (all.active(i)) r = f(r, all[i]);
  return r;
}
MSL_FN uint self() { return msl_current->lane; }

}  // namespace lanes

// `width` lanes from `base`: a SIMD-group or a quad.
#define MSL_REDUCTION(name, width, base, needs, expression)                         \
  template <class T, class = enable_if_t<needs<T>>>                                 \
  MSL_FN T name(T x, MSL_SITE) {                                                    \
    msl::Lanes<T> all(x, site);                                                     \
    return lanes::reduce(all, base, width, [](T a, T b) { return T(expression); }); \
  }
#define MSL_PREFIX(name, width, base, extra, start, expression)      \
  template <class T, class = enable_if_t<is_simd_v<T>>>              \
  MSL_FN T name(T x, MSL_SITE) {                                     \
    msl::Lanes<T> all(x, site);                                      \
    return lanes::prefix(all, base, lanes::self() + extra, T(start), \
                         [](T a, T b) { return T(expression); });    \
  }
#define MSL_SHUFFLE(name, parameter, lane_expression)   \
  template <class T, class = enable_if_t<is_simd_v<T>>> \
  MSL_FN T name(T x, ushort parameter, MSL_SITE) {      \
    msl::Lanes<T> all(x, site);                         \
    uint lane = lanes::self();                          \
    return all[lane_expression];                        \
  }
#define MSL_CROSS_LANE(kind, width, base)                                                        \
  MSL_REDUCTION(kind##_sum, width, base, is_simd_v, a + b)                                       \
  MSL_REDUCTION(kind##_product, width, base, is_simd_v, a* b)                                    \
  MSL_REDUCTION(kind##_min, width, base, is_simd_v, min(a, b))                                   \
  MSL_REDUCTION(kind##_max, width, base, is_simd_v, max(a, b))                                   \
  MSL_REDUCTION(kind##_and, width, base, is_simd_integer_v, a& b)                                \
  MSL_REDUCTION(kind##_or, width, base, is_simd_integer_v, a | b)                                \
  MSL_REDUCTION(kind##_xor, width, base, is_simd_integer_v, a ^ b)                               \
  MSL_PREFIX(kind##_prefix_inclusive_sum, width, base, 1, 0, a + b)                              \
  MSL_PREFIX(kind##_prefix_exclusive_sum, width, base, 0, 0, a + b)                              \
  MSL_PREFIX(kind##_prefix_inclusive_product, width, base, 1, 1, a* b)                           \
  MSL_PREFIX(kind##_prefix_exclusive_product, width, base, 0, 1, a* b)                           \
  MSL_SHUFFLE(kind##_shuffle, i, (base) + i)                                                     \
  MSL_SHUFFLE(kind##_broadcast, i, (base) + i)                                                   \
  MSL_SHUFFLE(kind##_shuffle_xor, i, (base) + ((lane - (base)) ^ i))                             \
  MSL_SHUFFLE(kind##_shuffle_up, i, lane - (base) >= i ? lane - i : lane)                        \
  MSL_SHUFFLE(kind##_shuffle_down, i, lane - (base) + i < width ? lane + i : lane)               \
  MSL_SHUFFLE(kind##_shuffle_rotate_up, i, (base) + (lane - (base) + width - i % width) % width) \
  MSL_SHUFFLE(kind##_shuffle_rotate_down, i, (base) + (lane - (base) + i) % width)               \
  template <class T, class = enable_if_t<is_simd_v<T>>>                                          \
  MSL_FN T kind##_shuffle_and_fill_up(T x, T fill, ushort delta, MSL_SITE) {                     \
    msl::Lanes<lanes::Pair<T>> all({x, fill}, site);                                             \
    uint lane = lanes::self(), in = lane - (base);                                               \
    return in >= delta ? all[lane - delta].x : all[(base) + in + width - delta].fill;            \
  }                                                                                              \
  template <class T, class = enable_if_t<is_simd_v<T>>>                                          \
  MSL_FN T kind##_shuffle_and_fill_down(T x, T fill, ushort delta, MSL_SITE) {                   \
    msl::Lanes<lanes::Pair<T>> all({x, fill}, site);                                             \
    uint lane = lanes::self(), in = lane - (base);                                               \
    return in + delta < width ? all[lane + delta].x : all[(base) + in + delta - width].fill;     \
  }                                                                                              \
  template <class T, class = enable_if_t<is_simd_v<T>>>                                          \
  MSL_FN T kind##_broadcast_first(T x, MSL_SITE) {                                               \
    msl::Lanes<T> all(x, site);                                                                  \
    uint lane = base;                                                                            \
    while (!all.active(lane)) ++lane;                                                            \
    return all[lane];                                                                            \
  }                                                                                              \
  MSL_FN bool kind##_is_first(MSL_SITE) {                                                        \
    msl::Lanes<bool> all(true, site);                                                            \
    uint lane = base;                                                                            \
    while (!all.active(lane)) ++lane;                                                            \
    return lane == lanes::self();                                                                \
  }                                                                                              \
  MSL_FN kind##_vote kind##_ballot(bool b, MSL_SITE) {                                           \
    msl::Lanes<bool> all(b, site);                                                               \
    ulong mask = 0;                                                                              \
    for (uint i = 0; i < width; ++i)                                                             \
      if (all.active((base) + i) && all[(base) + i]) mask |= 1ul << i;                           \
    /* Bits beyond the lanes are undefined. */                                                   \
    return kind##_vote(mask | (0xabcdabcdul << width));                                          \
  }                                                                                              \
  MSL_FN kind##_vote kind##_active_threads_mask(MSL_SITE) { return kind##_ballot(true, site); }  \
  MSL_FN bool kind##_all(bool b, MSL_SITE) {                                                     \
    msl::Lanes<bool> all(b, site);                                                               \
    for (uint i = 0; i < width; ++i)                                                             \
      if (all.active((base) + i) && !all[(base) + i]) return false;                              \
    return true;                                                                                 \
  }                                                                                              \
  MSL_FN bool kind##_any(bool b, MSL_SITE) {                                                     \
    msl::Lanes<bool> all(b, site);                                                               \
    for (uint i = 0; i < width; ++i)                                                             \
      if (all.active((base) + i) && all[(base) + i]) return true;                                \
    return false;                                                                                \
  }
MSL_CROSS_LANE(simd, 32u, 0u)
MSL_CROSS_LANE(quad, 4u, (lanes::self() & ~3u))

}  // namespace metal
