// Index arithmetic: the digits of a coordinate, and sums of what is known and what is traced.
#pragma once

#include <string>

#include "enigma/tensor.h"

namespace enigma {

/// "'A'", "a tensor": how messages speak of a view.
std::string called(const View& v);

/// The places of a mixed-radix number, taken modulo its size.
class Digits {
 public:
  /// `x` counts through `size` elements; `wide`: in 64 bits. `b` may be null for a known x.
  Digits(Builder* b, const Index& x, int64_t size, bool wide);
  /// (x / place) % size
  Index at(int64_t place, int64_t size) const;

 private:
  Builder* b_;
  Index x_;
};

/// origin += x * stride
void add(Builder* b, Origin& origin, const Index& x, int64_t stride);
/// The origin's number.
Operand sum(Builder& b, const Origin& origin, int64_t more);
/// The largest power of two that is known to divide a number; 2^62 for 0.
int64_t power_in(int64_t x);
/// The same of a value, up to 2^30.
int64_t power_in(const Module& m, ValueId v);

}  // namespace enigma
