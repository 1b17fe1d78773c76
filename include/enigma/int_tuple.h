// Nested tuples, the data of CuTe's layouts: shapes, strides and coordinates, and their arithmetic.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace enigma {

/// A vector that keeps a few values in itself: most layouts have few modes and cost no allocation.
template <class T, size_t N>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SmallVector() = default;
  SmallVector(const T* first, size_t count) { append(first, count); }
  SmallVector(const SmallVector& o) { append(o.data(), o.size_); }
  SmallVector(SmallVector&& o) noexcept { swap(o); }
  SmallVector& operator=(SmallVector o) noexcept {
    swap(o);
    return *this;
  }
  ~SmallVector() = default;

  const T* data() const { return heap_ ? heap_.get() : inline_; }
  T* data() { return heap_ ? heap_.get() : inline_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& operator[](size_t i) { return data()[i]; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T& back() const { return data()[size_ - 1]; }
  T& back() { return data()[size_ - 1]; }

  void push_back(const T& value) { append(&value, 1); }
  /// `first` must not point into this vector.
  void append(const T* first, size_t count) {
    if (size_ + count > capacity_) grow(size_ + count);
    std::copy(first, first + count, data() + size_);
    size_ += static_cast<uint32_t>(count);
  }
  bool operator==(const SmallVector& o) const {
    return std::equal(begin(), end(), o.begin(), o.end());
  }

 private:
  void grow(size_t least) {
    auto capacity = static_cast<uint32_t>(std::max(least, size_t{2} * capacity_));
    auto larger = std::make_unique<T[]>(capacity);
    std::copy(begin(), end(), larger.get());
    heap_ = std::move(larger);
    capacity_ = capacity;
  }
  void swap(SmallVector& o) noexcept {
    std::swap(inline_, o.inline_);
    std::swap(heap_, o.heap_);
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
  }

  T inline_[N] = {};
  std::unique_ptr<T[]> heap_;
  uint32_t size_ = 0;
  uint32_t capacity_ = N;
};

// ---- Nested tuples ----
// A tuple is a profile and its leaves. The profile has a character for each node, in order: '.' is
// a leaf with a value, '_' a leaf without (None, in coordinates that slice), '(' and ')' enclose
// the elements of a tuple. (4,(2,8)) is "(.(..))" with 4, 2, 8. Congruent tuples have equal
// profiles.

/// The length of the first subtree of a profile; `leaves` grows by its leaves with values.
inline size_t subtree_length(std::string_view profile, size_t& leaves) {
  int depth = 0;
  for (size_t i = 0; i < profile.size(); ++i) {
    if (profile[i] == '(') ++depth;
    if (profile[i] == ')') --depth;
    if (profile[i] == '.') ++leaves;
    if (depth == 0) return i + 1;
  }
  return profile.size();
}

/// A subtree of a tuple that lives elsewhere: an integer, None, or a tuple of such.
template <class T>
class Node {
 public:
  Node(std::string_view profile, const T* leaves) : profile_(profile), leaves_(leaves) {}

  bool is_tuple() const { return profile_[0] == '('; }
  bool is_none() const { return profile_[0] == '_'; }
  bool is_leaf() const { return profile_[0] == '.'; }
  const T& leaf() const { return *leaves_; }
  std::string_view profile() const { return profile_; }
  const T* leaves() const { return leaves_; }
  size_t leaf_count() const {
    return static_cast<size_t>(std::count(profile_.begin(), profile_.end(), '.'));
  }

  /// The number of elements; an integer counts as one mode.
  size_t rank() const {
    if (!is_tuple()) return 1;
    size_t n = 0;
    for (auto i = begin(); i != end(); ++i) ++n;
    return n;
  }
  /// Element `i`; that of an integer is the integer.
  Node mode(size_t i) const {
    if (!is_tuple()) return *this;
    auto it = begin();
    while (i-- > 0) ++it;
    return *it;
  }

  /// Over the elements of a tuple.
  class Iterator {
   public:
    Iterator(std::string_view rest, const T* leaves) : rest_(rest), leaves_(leaves) { measure(); }
    Node operator*() const { return {rest_.substr(0, length_), leaves_}; }
    Iterator& operator++() {
      rest_.remove_prefix(length_);
      leaves_ += count_;
      measure();
      return *this;
    }
    bool operator!=(const Iterator& o) const { return rest_.size() != o.rest_.size(); }

   private:
    void measure() { length_ = subtree_length(rest_, count_ = 0); }
    std::string_view rest_;
    const T* leaves_;
    size_t length_ = 0, count_ = 0;
  };
  Iterator begin() const { return {profile_.substr(1, profile_.size() - 2), leaves_}; }
  Iterator end() const { return {{}, nullptr}; }

 private:
  std::string_view profile_;
  const T* leaves_;
};

/// A nested tuple that owns its values. Braces make tuples: `IntTuple{4, {2, 8}}` is (4,(2,8)), and
/// `IntTuple{4}` is (4); `IntTuple(4)` is the integer 4.
template <class T>
class Nested {
 public:
  Nested() : profile_("()") {}
  template <class U>
    requires std::convertible_to<U, T>
  Nested(const U& leaf) {
    push(T(leaf));
  }
  Nested(std::initializer_list<Nested> elements) {
    open();
    for (const Nested& e : elements) push(e.root());
    close();
  }
  explicit Nested(Node<T> node) { push(node); }
  /// A profile with as many leaves as it needs.
  Nested(std::string profile, SmallVector<T, 4> leaves)
      : profile_(std::move(profile)), leaves_(std::move(leaves)) {}
  /// The same tuple of another kind of leaf.
  template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U, T>)
  Nested(const Nested<U>& o) : profile_(o.profile()) {
    for (const U& leaf : o.leaves()) leaves_.push_back(T(leaf));
  }
  static Nested none() { return blank().push_none(); }

  Node<T> root() const { return {profile_, leaves_.data()}; }
  const std::string& profile() const { return profile_; }
  const SmallVector<T, 4>& leaves() const& { return leaves_; }
  SmallVector<T, 4> leaves() && { return std::move(leaves_); }
  bool is_tuple() const { return profile_[0] == '('; }
  bool is_none() const { return profile_[0] == '_'; }
  bool has_none() const { return profile_.find('_') != std::string::npos; }
  size_t rank() const { return root().rank(); }
  bool operator==(const Nested& o) const { return profile_ == o.profile_ && leaves_ == o.leaves_; }

  // Building: an empty one, and its nodes in order.
  static Nested blank() {
    Nested t;
    t.profile_.clear();
    return t;
  }
  Nested& open() { return note('('); }
  Nested& close() { return note(')'); }
  Nested& push_none() { return note('_'); }
  Nested& push(const T& leaf) {
    leaves_.push_back(leaf);
    return note('.');
  }
  Nested& push(Node<T> node) {
    profile_.append(node.profile());
    leaves_.append(node.leaves(), node.leaf_count());
    return *this;
  }

 private:
  Nested& note(char c) {
    profile_.push_back(c);
    return *this;
  }
  std::string profile_;
  SmallVector<T, 4> leaves_;
};

/// An integer or a tuple of such: a shape, a coordinate, an order. None may stand in coordinates.
using IntTuple = Nested<int64_t>;

// ---- Arithmetic ----
// Every result is checked to fit into 64 bits. What has no answer is an Error that says why.

/// "(4,(2,8))"
std::string str(Node<int64_t> t);
inline std::string str(const IntTuple& t) { return str(t.root()); }
size_t hash(const IntTuple& t);

/// 0 for an integer, 1 for a tuple of integers, and so on.
int depth(const IntTuple& t);
/// The product of all leaves; 1 for ().
int64_t product(Node<int64_t> t);
inline int64_t product(const IntTuple& t) { return product(t.root()); }
/// The product of each element.
IntTuple product_each(const IntTuple& t);
/// All leaves in one tuple; an integer stays one.
IntTuple flatten(const IntTuple& t);
/// The sum of the products of paired leaves.
int64_t inner_product(const IntTuple& a, const IntTuple& b);
/// a / b, rounded up; an integer b is used up from the left of a tuple a.
IntTuple ceil_div(const IntTuple& a, const IntTuple& b);
/// a / b where one divides the other, at least 1: (6,2) / 3 is (2,2), (6,2) / 12 is (1,1).
IntTuple shape_div(const IntTuple& a, const IntTuple& b);

/// The same profile.
bool is_congruent(const IntTuple& a, const IntTuple& b);
/// The same profile down to the integers of a.
bool is_weakly_congruent(const IntTuple& a, const IntTuple& b);
/// Sizes agree at each integer of a: every coordinate of a is one of b.
bool is_compatible(const IntTuple& a, const IntTuple& b);

/// Strides that leave no gaps, first mode innermost, from `first` on. Modes of size 1 get stride 0.
IntTuple compact_col_major(const IntTuple& shape, int64_t first = 1);
/// The same with the last mode innermost.
IntTuple compact_row_major(const IntTuple& shape, int64_t first = 1);
/// The same in a given order: the mode with the smallest order is innermost. Errors are `caller`'s.
IntTuple compact_order(const IntTuple& shape, const IntTuple& order,
                       const char* caller = "compact_order");

/// The index of a coordinate: integers in place of tuples count through them, first mode fastest.
/// The last mode of a shape has no end, as in CuTe, and nothing is checked against the shape.
int64_t crd2idx(const IntTuple& coord, const IntTuple& shape, const IntTuple& stride);
int64_t crd2idx(const IntTuple& coord, const IntTuple& shape);
/// The coordinate of an index in a compact layout.
IntTuple idx2crd(const IntTuple& index, const IntTuple& shape, const IntTuple& stride);
IntTuple idx2crd(const IntTuple& index, const IntTuple& shape);
/// The coordinate in one shape that has the place of `coord` in another of the same size.
IntTuple crd2crd(const IntTuple& coord, const IntTuple& from, const IntTuple& to);

}  // namespace enigma
