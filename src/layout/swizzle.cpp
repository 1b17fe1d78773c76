// Swizzles, and layouts whose indices go through one.

#include <bit>

#include "layout/operation.h"

namespace enigma {
namespace {

int64_t mask(int bits, int at) { return ((int64_t{1} << bits) - 1) << at; }

/// Looks for the largest swizzled index, the most promising coordinates first. A swizzle changes
/// bits below a bound alone, so that few coordinates are looked at.
class Largest {
 public:
  Largest(const SwizzledLayout& l)
      : swizzle_(l.swizzle), modes_(coalesced(l.layout.root(), false)) {
    std::sort(modes_.begin(), modes_.end(), [](const Mode& a, const Mode& b) {
      return checked_abs(a.stride.value) > checked_abs(b.stride.value);
    });
    rest_.push_back(0);
    for (size_t i = modes_.size(); i-- > 0;) {
      int64_t reach = checked_mul(modes_[i].size - 1, modes_[i].stride.value);
      rest_.push_back(checked_add(rest_.back(), std::max<int64_t>(reach, 0)));
    }
    look(0, l.offset);
  }
  int64_t value() const { return best_; }

 private:
  /// No swizzled index of `most` or less is larger than this.
  int64_t bound(int64_t most) const { return most | (swizzle_.size() - 1); }

  void look(size_t i, int64_t sum) {
    if (i == modes_.size()) {
      best_ = std::max(best_, swizzle_(sum));
      return;
    }
    const Mode& m = modes_[i];
    int64_t rest = rest_[modes_.size() - i - 1];
    bool up = m.stride.value > 0;
    int64_t count = m.stride.value == 0 ? 1 : m.size;
    for (int64_t k = 0; k < count; ++k) {
      int64_t here = checked_add(sum, checked_mul(up ? count - 1 - k : k, m.stride.value));
      if (bound(checked_add(here, rest)) <= best_) return;  // nor are those that follow larger
      look(i + 1, here);
    }
  }

  Swizzle swizzle_;
  ModeList modes_;
  SmallVector<int64_t, 4> rest_;  // what the modes from one on can add, the last mode first
  int64_t best_ = INT64_MIN;
};

}  // namespace

Swizzle::Swizzle(int bits, int base, int shift) : bits_(bits), base_(base), shift_(shift) {
  int distance = shift < 0 ? -shift : shift;
  if (bits < 0 || base < 0 || bits > 62 || base > 62 || distance > 62 ||
      bits + base + distance > 62)
    throw Error(concat(str(*this),
                       ": bits and base must be 0 or more, and bits + base + |shift| at "
                       "most 62"));
  if (distance < bits)
    throw Error(concat(str(*this),
                       ": |shift| is smaller than bits, so that the bits would change "
                       "themselves; give a shift of at least ",
                       bits));
}

int64_t Swizzle::size() const {
  return int64_t{1} << (bits_ + base_ + (shift_ < 0 ? -shift_ : shift_));
}

int64_t Swizzle::operator()(int64_t index) const {
  int64_t from = index & mask(bits_, base_ + std::max(shift_, 0));
  return index ^ (shift_ < 0 ? from << -shift_ : from >> shift_);
}

std::string str(const Swizzle& s) {
  return concat("Sw<", s.bits(), ",", s.base(), ",", s.shift(), ">");
}

int64_t SwizzledLayout::operator()(const IntTuple& coord) const {
  return swizzle(checked_add(offset, layout(coord)));
}

int64_t SwizzledLayout::cosize() const {
  if (layout.size() == 0) return 0;
  return checked_add(Largest(*this).value(), 1);
}

SwizzledLayout make_swizzled(const Swizzle& swizzle, int64_t offset, const Layout& layout) {
  if (layout.gives_coordinates())
    throw Error(concat(str(swizzle), " o ", offset, " o ", str(layout),
                       ": the layout gives coordinates; swizzle one that gives indices"));
  return {swizzle, offset, layout};
}

std::string str(const SwizzledLayout& l) {
  return concat(str(l.swizzle), " o ", l.offset, " o ", str(l.layout));
}

SwizzledLayout slice(const SwizzledLayout& l, const IntTuple& coord) {
  return {l.swizzle, checked_add(l.offset, l.layout(coord)), slice(l.layout, coord)};
}

SwizzledLayout recast_layout(int64_t new_bits, int64_t old_bits, const SwizzledLayout& l) {
  Layout layout = recast_layout(new_bits, old_bits, l.layout);
  auto power = [&](int64_t bits) {
    if (!std::has_single_bit(static_cast<uint64_t>(bits)))
      throw Error(concat("recast_layout<", new_bits, ",", old_bits, ">(", str(l),
                         "): a swizzle "
                         "moves whole bits; give widths that are powers of two"));
    return std::countr_zero(static_cast<uint64_t>(bits));
  };
  int base = l.swizzle.base() + power(old_bits) - power(new_bits);
  int64_t offset = old_bits > new_bits ? checked_mul(l.offset, old_bits / new_bits)
                                       : l.offset / (new_bits / old_bits);
  if (base < 0 || (old_bits < new_bits && l.offset % (new_bits / old_bits) != 0))
    throw Error(concat("recast_layout<", new_bits, ",", old_bits, ">(", str(l),
                       "): the swizzle "
                       "moves parts of the wider elements; use a swizzle with a larger base"));
  return {Swizzle(l.swizzle.bits(), base, l.swizzle.shift()), offset, layout};
}

}  // namespace enigma
