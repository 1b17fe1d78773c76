// How the runtime calls a kernel: buffers, scalars and built-in values go where its parameters ask.
#pragma once

#include "matrix.h"

namespace msl {

struct Slot {  // a bound buffer, or the bytes of a scalar
  void* address;
};
struct Position {  // an attribute with three components
  const unsigned* xyz;
};
struct Index {  // an attribute with one
  unsigned value;
};

template <class P>
struct To {
  template <class A>
  static P from(A) {
    static_assert(sizeof(A) == 0, "this parameter cannot have this attribute");
  }
  static P from(Position p) {
    using E = typename metal::shape<P>::element;
    static_assert(__is_same(E, unsigned) || __is_same(E, unsigned short),
                  "a position is ushort or uint, or a vector of 2 or 3 of them");
    if constexpr (metal::shape<P>::n == 0) {
      return E(p.xyz[0]);
    } else {
      static_assert(metal::shape<P>::n <= 3, "a position has at most three components");
      P v;
      for (int i = 0; i < metal::shape<P>::n; ++i) v[i] = E(p.xyz[i]);
      return v;
    }
  }
  static P from(Index i) {
    static_assert(__is_same(P, unsigned) || __is_same(P, unsigned short),
                  "an index is ushort or uint");
    return P(i.value);
  }
};
template <class T>
struct To<T*> {
  static T* from(Slot s) { return static_cast<T*>(s.address); }
};
template <class T>
struct To<T&> {
  static T& from(Slot s) { return *static_cast<T*>(s.address); }
};
template <class T>
struct To<const T*> {
  static const T* from(Slot s) { return static_cast<const T*>(s.address); }
};
template <class T>
struct To<const T&> {
  static const T& from(Slot s) { return *static_cast<const T*>(s.address); }
};

template <class... P, class... A>
MSL_FN void enter(void (*kernel)(P...), A... arguments) {
  kernel(To<P>::from(arguments)...);
}

}  // namespace msl

// Threadgroup memory is one section of the library, so that the runtime can tell it.
#define MSL_THREADGROUP(name, is_float, ...)                               \
  static __attribute__((section("msl_tg"), aligned(64))) __VA_ARGS__;      \
  static __attribute__((section("msl_tg"), used)) char name##_behind[256]; \
  msl_threadgroup_variable(&name, sizeof(name), msl_element_size(name), is_float, #name)
template <class T, unsigned long N>
constexpr unsigned msl_element_size(T (&)[N]) {
  return sizeof(T);
}
template <class T>
constexpr unsigned msl_element_size(T&) {
  return sizeof(T);
}
