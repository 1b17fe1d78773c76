// A list whose first elements need no memory of their own: most instructions have few operands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace enigma {

/// As std::vector, with room for `own` elements in the list itself. Only for elements that are
/// plain bytes, such as ids.
template <class T, uint32_t own>
class ShortList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  ShortList() noexcept : more_(nullptr) {}
  ShortList(std::initializer_list<T> items) : ShortList(items.begin(), items.end()) {}
  template <std::forward_iterator It>
  ShortList(It first, It last) : ShortList() {
    append(first, last);
  }
  ShortList(const ShortList& from) : ShortList(from.begin(), from.end()) {}
  ShortList(ShortList&& from) noexcept : ShortList() { take(from); }
  ShortList& operator=(const ShortList& from) {
    if (this != &from) *this = ShortList(from);
    return *this;
  }
  ShortList& operator=(ShortList&& from) noexcept {
    if (this == &from) return *this;
    release();
    take(from);
    return *this;
  }
  ~ShortList() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return is_outside() ? more_ : own_; }
  const T* data() const { return is_outside() ? more_ : own_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t k) { return data()[k]; }
  const T& operator[](size_t k) const { return data()[k]; }
  T& front() { return data()[0]; }
  const T& front() const { return data()[0]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void push_back(T item) {
    reserve(size_ + 1);
    std::construct_at(data() + size_++, item);
  }
  void pop_back() { --size_; }
  void clear() { size_ = 0; }
  template <std::forward_iterator It>
  void append(It first, It last) {
    reserve(size_ + static_cast<size_t>(std::distance(first, last)));
    for (; first != last; ++first) push_back(*first);
  }

  friend bool operator==(const ShortList& a, const ShortList& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  bool is_outside() const { return room_ > own; }
  void reserve(size_t size) {
    if (size <= room_) return;
    const auto room = static_cast<uint32_t>(std::max<size_t>(size, size_t{room_} * 2));
    T* const items = std::allocator<T>().allocate(room);
    std::uninitialized_copy(begin(), end(), items);
    release();
    more_ = items;
    room_ = room;
  }
  void release() {
    if (is_outside()) std::allocator<T>().deallocate(more_, room_);
    room_ = own;
  }
  // Of a list that has released what it had.
  void take(ShortList& from) noexcept {
    size_ = std::exchange(from.size_, 0);
    if (from.is_outside()) {
      more_ = from.more_;
      room_ = std::exchange(from.room_, own);
    } else {
      std::uninitialized_copy(from.own_, from.own_ + size_, own_);
    }
  }

  uint32_t size_ = 0;
  uint32_t room_ = own;
  union {
    T own_[own];
    T* more_;
  };
};

}  // namespace enigma
