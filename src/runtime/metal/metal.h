// metal-cpp as this folder uses it: who owns an object, autorelease pools, text.
#pragma once

#include <Foundation/Foundation.hpp>
#include <Metal/Metal.hpp>
#include <string>
#include <utility>

namespace enigma::metal {

/// An object that alloc, copy or a newX has returned: released once. NS::SharedPtr would do but for
/// its destructor, which sends release to null and so lets a compiler take null for impossible.
template <class T>
class Owned {
 public:
  Owned() = default;
  explicit Owned(T* object) : object_(object) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() {
    if (object_) object_->release();
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

/// Keeps an object that the pool would free.
template <class T>
Owned<T> retained(T* object) {
  return Owned<T>(object ? object->retain() : nullptr);
}

/// What is autoreleased on this thread during its life is freed at its end. Threads of Python's
/// have no pool: every entry from outside begins with one.
class Pool {
 public:
  Pool() : pool_(NS::AutoreleasePool::alloc()->init()) {}
  ~Pool() { pool_->release(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  NS::AutoreleasePool* pool_;
};

/// Autoreleased. UTF-8: from other encodings Metal makes null.
inline NS::String* string(const std::string& text) {
  return NS::String::string(text.c_str(), NS::UTF8StringEncoding);
}
inline std::string text(const NS::String* string) {
  const char* bytes = string ? string->utf8String() : nullptr;
  return bytes ? bytes : "";
}

}  // namespace enigma::metal
