// A small Objective-C runtime: classes, methods typed by metal-cpp's own declarations, ownership.
#pragma once

#include <objc/message.h>
#include <objc/runtime.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "softmetal.h"

struct objc_selector {
  uint32_t index;
  const char* name;
};

using IMP = void (*)();

// msgsend.S knows the offsets of isa and imps.
struct objc_class {
  Class isa = nullptr;
  Class super = nullptr;
  const char* name = nullptr;
  IMP* imps = nullptr;  // by selector's index, filled as messages come
  std::unordered_map<SEL, IMP>* methods = nullptr;
  void (*destroy)(struct objc_object*) = nullptr;
  Class zombie = nullptr;
  bool is_meta = false, is_zombie = false;
  std::atomic<uint64_t> live{0};
};

namespace softmetal {

/// A misuse of the API, or something that this model lacks: ends the process.
[[noreturn]] void fail(const char* name, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

/// Whether an injected fault strikes now.
bool strikes(const char* fault);

struct Os {
  int major, minor;
};
Os os();
int family();
/// Waits while softmetal_hold is on.
void wait_while_held();
softmetal_kernel_compiler kernel_compiler();

struct Statistics {
  std::atomic<uint64_t> libraries, pipelines, archive_hits, command_buffers, dispatches,
      shared_buffers;
  std::atomic<uint32_t> msl_version, fast_math;
};
Statistics& statistics();

/// What every instance begins with. Instances are made by make<T>, and freed by their last release.
struct Object : objc_object {
  std::atomic<uint32_t> references{1};
};

/// A class whose instances are of a type that define<T> knows; an unknown `super` is our bug.
Class define_class(const char* name, const char* super);
/// All classes of the model, once.
void register_all();

/// The class of which T are instances; T::kName names it.
template <class T>
Class class_of() {
  static const Class c = objc_lookUpClass(T::kName);
  return c;
}

void count_birth(Class c);

template <class T>
Class define(const char* super = "NSObject") {
  Class c = define_class(T::kName, super);
  c->destroy = [](objc_object* o) { static_cast<T*>(o)->~T(); };
  return c;
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
template <class T, class... Args>
T* make(Args&&... args) {
  T* object = new (::operator new(sizeof(T))) T{{}, std::forward<Args>(args)...};
  object->isa = class_of<T>();
  count_birth(object->isa);
  return object;
}
#pragma clang diagnostic pop

void retain(objc_object* object);
void release(objc_object* object);
void autorelease(objc_object* object);

template <class T>
T* autoreleased(T* object) {
  autorelease(object);
  return object;
}

/// A reference that a part of the model holds.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(T* object) : object_(object) {  // NOLINT: retains
    if (object_) retain(object_);
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) release(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

/// A pool for the worker threads of the model.
class PoolScope {
 public:
  PoolScope();
  ~PoolScope();

 private:
  objc_object* pool_;
};

// ---- Methods ----------------------------------------------------------------------------------
// A method is a lambda whose types must be those of the member function of metal-cpp that sends the
// message: a mismatch does not compile.

template <class>
struct Signature;
template <class R, class C, class... A>
struct Signature<R (C::*)(A...)> {
  using Type = R(A...);
};
template <class R, class C, class... A>
struct Signature<R (C::*)(A...) const> {
  using Type = R(A...);
};
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Type = R(A...);
};

template <class>
struct Body;
template <class R, class L, class Self, class... A>
struct Body<R (L::*)(Self*, A...) const> {
  using Type = R(A...);
  static R imp(Self* self, SEL, A... arguments) { return L{}(self, arguments...); }
};

void add_method(Class c, const char* selector, IMP imp);

template <class Declared, class L>
void method(Class c, const char* selector, L) {
  using B = Body<decltype(&L::operator())>;
  static_assert(std::is_same_v<typename Signature<Declared>::Type, typename B::Type>,
                "the method's types are not those that metal-cpp declares");
  add_method(c, selector, reinterpret_cast<IMP>(&B::imp));
}
/// A method that metal-cpp declares as a template, or not at all.
template <class L>
void untyped_method(Class c, const char* selector, L) {
  add_method(c, selector, reinterpret_cast<IMP>(&Body<decltype(&L::operator())>::imp));
}

void define_foundation();
void define_device();
void define_library();
void define_commands();

}  // namespace softmetal
