// MSL's atomics: only the _explicit functions, on the types and with the orders that MSL 3.1 has.
#pragma once

#include "simd.h"

namespace metal {

enum memory_order { memory_order_relaxed = 0, memory_order_seq_cst = 5 };
enum thread_scope {
  thread_scope_thread,
  thread_scope_simdgroup,
  thread_scope_threadgroup,
  thread_scope_device
};
MSL_FN void atomic_thread_fence(mem_flags flags, memory_order order,
                                thread_scope scope = thread_scope_device) {
  if (order == memory_order_seq_cst) msl_fence(uint(flags), scope == thread_scope_device);
}

template <class T>
struct atomic {
  T value_;
  atomic() = default;
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;
};

template <class T>
inline constexpr bool is_atomic_word_v = is_same_v<T, int> || is_same_v<T, uint>;
template <class T>
inline constexpr bool is_atomic_number_v = is_atomic_word_v<T> || is_same_v<T, float>;
template <class T>
inline constexpr bool is_atomic_v = is_atomic_number_v<T> || is_same_v<T, bool>;

template <class T>
MSL_FN void touch(const volatile atomic<T>* object, msl::AtomicAccess access, memory_order order) {
  msl_atomic(object, sizeof(T), access);
  if (order != memory_order_relaxed) __builtin_trap();
}

// Through clang's atomics, which the race checker leaves to msl_atomic.
template <class T>
MSL_FN T take(const volatile atomic<T>* object) {
  T x;
  __atomic_load(&object->value_, &x, __ATOMIC_RELAXED);
  return x;
}
template <class T>
MSL_FN void put(volatile atomic<T>* object, T x) {
  __atomic_store(&object->value_, &x, __ATOMIC_RELAXED);
}

template <class T, class = enable_if_t<is_atomic_v<T>>>
MSL_FN T atomic_load_explicit(const volatile atomic<T>* object, memory_order order) {
  touch(object, msl::kAtomicLoad, order);
  return take(object);
}
template <class T, class = enable_if_t<is_atomic_v<T>>>
MSL_FN void atomic_store_explicit(volatile atomic<T>* object, type_identity_t<T> x,
                                  memory_order order) {
  touch(object, msl::kAtomicStore, order);
  put(object, x);
}
template <class T, class = enable_if_t<is_atomic_v<T>>>
MSL_FN bool atomic_compare_exchange_weak_explicit(volatile atomic<T>* object, T* expected,
                                                  type_identity_t<T> desired, memory_order order,
                                                  memory_order) {
  touch(object, msl::kAtomicUpdate, order);
  T old = take(object);
  if (old == *expected && !msl_spurious()) {
    put(object, desired);
    return true;
  }
  *expected = old;
  return false;
}
#define MSL_FETCH(name, needs, expression)                                              \
  template <class T, class = enable_if_t<needs<T>>>                                     \
  MSL_FN T name(volatile atomic<T>* object, type_identity_t<T> x, memory_order order) { \
    touch(object, msl::kAtomicUpdate, order);                                           \
    T old = take(object);                                                               \
    put(object, T(expression));                                                         \
    return old;                                                                         \
  }
// In the unsigned type, since atomics wrap.
template <class T>
MSL_FN T wrap_add(T a, T b) {
  if constexpr (is_same_v<T, int>)
    return int(uint(a) + uint(b));
  else
    return a + b;
}
template <class T>
MSL_FN T wrap_sub(T a, T b) {
  if constexpr (is_same_v<T, int>)
    return int(uint(a) - uint(b));
  else
    return a - b;
}
MSL_FETCH(atomic_exchange_explicit, is_atomic_v, x)
MSL_FETCH(atomic_fetch_add_explicit, is_atomic_number_v, wrap_add(old, x))
MSL_FETCH(atomic_fetch_sub_explicit, is_atomic_number_v, wrap_sub(old, x))
MSL_FETCH(atomic_fetch_min_explicit, is_atomic_word_v, x < old ? x : old)
MSL_FETCH(atomic_fetch_max_explicit, is_atomic_word_v, old < x ? x : old)
MSL_FETCH(atomic_fetch_and_explicit, is_atomic_word_v, old& x)
MSL_FETCH(atomic_fetch_or_explicit, is_atomic_word_v, old | x)
MSL_FETCH(atomic_fetch_xor_explicit, is_atomic_word_v, old ^ x)

MSL_FN void atomic_min_explicit(volatile atomic<ulong>* object, ulong x, memory_order order) {
  touch(object, msl::kAtomicUpdate, order);
  if (x < take(object)) put(object, x);
}
MSL_FN void atomic_max_explicit(volatile atomic<ulong>* object, ulong x, memory_order order) {
  touch(object, msl::kAtomicUpdate, order);
  if (take(object) < x) put(object, x);
}

}  // namespace metal

using atomic_int = metal::atomic<int>;
using atomic_uint = metal::atomic<uint>;
using atomic_bool = metal::atomic<bool>;
using atomic_ulong = metal::atomic<ulong>;
using atomic_float = metal::atomic<float>;
using metal::memory_order;
using metal::memory_order_relaxed;
using metal::memory_order_seq_cst;
