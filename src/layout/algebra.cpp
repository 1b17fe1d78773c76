// The core of the algebra: coalesce, filter, complement and composition.

#include <algorithm>

#include "layout/operation.h"

namespace enigma {
namespace {

/// Applies f below the integers of a profile.
template <class F>
void below(Nested<Mode>& out, Node<Mode> l, Node<int64_t> profile, const char* name, const F& f) {
  if (!profile.is_tuple()) {
    out.push(f(l).root());
    return;
  }
  size_t rank = l.rank(), named = profile.rank();
  if (named > rank)
    throw Error(concat(name, ": the profile ", str(profile), " has more modes than the layout ",
                       str(Layout(Nested<Mode>(l))), "; give at most one for each of its modes"));
  out.open();
  for (size_t i = 0; i < rank; ++i) {
    if (i < named) {
      below(out, l.mode(i), profile.mode(i), name, f);
    } else {
      out.push(l.mode(i));
    }
  }
  out.close();
}

Layout filtered(Node<Mode> l) {
  ModeList modes;
  size_t n = l.leaf_count();
  for (size_t i = 0; i < n; ++i) {
    const Mode& m = l.leaves()[i];
    if ((m.stride.value == 0 && m.size != 0) || m.size == 1) continue;
    if (!modes.empty() && continues(modes.back(), m)) {
      modes.back().size = checked_mul(modes.back().size, m.size);
    } else {
      modes.push_back(m);
    }
  }
  return layout_of(modes);
}

/// The left side of a composition, or the part of it that one basis of the right side names, and
/// how far the right side's modes reach into each of its modes.
struct Left {
  Basis basis;
  ModeList modes;  // coalesced; the last one goes on without end
  SmallVector<int64_t, 4> low, high;
};

class Composition {
 public:
  Composition(const Layout& a, const Layout& b, const Operation& op) : a_(a), b_(b), op_(op) {}

  Layout run() {
    Nested<Mode> out = Nested<Mode>::blank();
    size_t next = 0;
    for (char c : b_.modes().profile()) {
      if (c == '(') out.open();
      if (c == ')') out.close();
      if (c == '.') mode(out, b_.leaves()[next++]);
    }
    for (const Left& left : lefts_) check_sums(left);
    return Layout(std::move(out));
  }

 private:
  [[noreturn]] void fail(const std::string& reason, const char* advice) const {
    bool whole = op_.right == &b_;  // the user's own composition is not named twice
    throw Error(concat(whole ? concat(op_.name, ": ") : op_.text(), str(a_), " o ", str(b_),
                       " is not a layout: ", reason, "; ", advice));
  }

  Left& left_of(const Basis& basis) {
    for (Left& left : lefts_) {
      if (left.basis == basis) return left;
    }
    Node<Mode> part = a_.root();
    for (int64_t i : basis.path()) {
      if (static_cast<size_t>(i) >= part.rank())
        fail(concat("the right side steps along ", str(Stride(1, basis)),
                    ", a mode that the left side does not have"),
             "give a left side with the modes of those coordinates");
      part = part.mode(static_cast<size_t>(i));
    }
    Left left{basis, coalesced(part, true), {}, {}};
    for (size_t i = 0; i < left.modes.size(); ++i) {
      left.low.push_back(0);
      left.high.push_back(0);
    }
    lefts_.push_back(std::move(left));
    return lefts_.back();
  }

  std::string name(const Left& left, size_t i) const {
    const Mode& m = left.modes[i];
    std::string of = left.basis.empty() ? "" : concat(" of ", str(Stride(1, left.basis)));
    return concat("mode ", i, of, " of the coalesced left side, ", m.size, ":", str(m.stride));
  }

  static void reach(Left& left, size_t i, int64_t steps) {
    int64_t& end = steps < 0 ? left.low[i] : left.high[i];
    end = checked_add(end, steps);
  }

  /// A mode of the right side becomes one mode for each mode of the left side that it walks
  /// through.
  void mode(Nested<Mode>& out, const Mode& b) {
    int64_t d = b.stride.value;
    if (d == 0) {
      out.push({b.size, 0});
      return;
    }
    Left& left = left_of(b.stride.basis);
    size_t last = left.modes.size() - 1;
    if (last == 0) {
      out.push({b.size, scaled(left.modes[0].stride, d)});
      if (b.size > 1) reach(left, 0, checked_mul(b.size - 1, d));
      return;
    }
    if (b.size <= 1) {
      out.push({b.size, 0});
      return;
    }
    int64_t rest = b.size, step = checked_abs(d), direction = sign(d);
    ModeList parts;
    auto take = [&](size_t i, int64_t count) {
      parts.push_back({count, scaled(scaled(left.modes[i].stride, step), direction)});
      reach(left, i, checked_mul(checked_mul(count - 1, step), direction));
      rest /= count;
      step = 1;
    };
    for (size_t i = 0; i < last && rest > 1; ++i) {
      int64_t size = left.modes[i].size;
      if (size == 0) fail(concat(name(left, i), ", is empty"), "compose with a layout that is not");
      if (step % size == 0) {
        step /= size;  // each step is a whole number of turns through this mode
      } else if (rest - 1 <= (size - 1) / step) {
        take(i, rest);  // does not leave this mode
      } else if (size % step != 0) {
        fail(concat(b.size, ":", d, " steps by ", step, " through ", name(left, i),
                    ", and neither of ", step, " and ", size, " divides the other"),
             "choose strides that divide the sizes that they step through, or are multiples of "
             "them");
      } else if (rest % (size / step) != 0) {
        fail(concat(b.size, ":", d, " takes ", size / step, " steps to the end of ", name(left, i),
                    ", which do not divide its ", rest),
             "choose sizes that end where the modes of the left side end");
      } else {
        take(i, size / step);
      }
    }
    if (rest > 1) take(last, rest);
    if (parts.size() != 1) out.open();
    for (const Mode& m : parts) out.push(m);
    if (parts.size() != 1) out.close();
  }

  /// a(x + y) is a(x) + a(y) only where no sum in a mode of a reaches the mode's size, and where x
  /// and y do not have different signs in different modes.
  void check_sums(const Left& left) const {
    size_t last = left.modes.size() - 1;
    if (last == 0) return;
    size_t touched = 0;
    bool up = false, down = false;
    for (size_t i = 0; i <= last; ++i) {
      int64_t low = left.low[i], high = left.high[i], size = left.modes[i].size;
      up = up || high > 0;
      down = down || low < 0;
      touched += low < 0 || high > 0;
      if (i < last && (high >= size || -low >= size))
        fail(
            concat("together its modes reach ", high >= size ? high : low, " in ", name(left, i),
                   ", and their sum carries into the next mode"),
            "let the modes of the right side stay within different parts of the left side's modes");
    }
    if (up && down && touched > 1)
      fail(
          "some strides of the right side are negative and some positive, and their sum borrows "
          "from a mode of the left side",
          "use strides of one sign, or a left side that coalesces to one mode");
  }

  const Layout& a_;
  const Layout& b_;
  const Operation& op_;
  std::vector<Left> lefts_;
};

}  // namespace

std::string Operation::text() const {
  Text out;
  out.add(name, "(", str(left));
  if (tiler) out.add(", ", str(*tiler));
  if (right) out.add(", ", str(*right));
  out.add(")");
  const char* separator = ", mode ";
  for (size_t i : path) {
    out.add(separator, i);
    separator = ".";
  }
  out.add(": ");
  return std::move(out.str());
}

ModeList coalesced(Node<Mode> l, bool open_end) {
  ModeList out;
  size_t n = l.leaf_count();
  for (size_t i = 0; i < n; ++i) {
    const Mode& m = l.leaves()[i];
    if (m.size == 1 && !(open_end && i + 1 == n)) continue;
    if (!out.empty() && continues(out.back(), m)) {
      out.back().size = checked_mul(out.back().size, m.size);
    } else {
      out.push_back(m);
    }
  }
  if (out.empty()) out.push_back({1, 0});
  return out;
}

Layout layout_of(const ModeList& modes) {
  if (modes.empty()) return Layout(1);
  Nested<Mode> out = Nested<Mode>::blank();
  if (modes.size() > 1) out.open();
  for (const Mode& m : modes) out.push(m);
  if (modes.size() > 1) out.close();
  return Layout(std::move(out));
}

Layout coalesce(const Layout& l) { return layout_of(coalesced(l.root(), false)); }

Layout coalesce(const Layout& l, const IntTuple& profile) {
  Nested<Mode> out = Nested<Mode>::blank();
  below(out, l.root(), profile.root(), "coalesce",
        [](Node<Mode> m) { return layout_of(coalesced(m, false)); });
  return Layout(std::move(out));
}

Layout filter(const Layout& l) { return filtered(l.root()); }

Layout filter(const Layout& l, const IntTuple& profile) {
  Nested<Mode> out = Nested<Mode>::blank();
  below(out, l.root(), profile.root(), "filter", filtered);
  return Layout(std::move(out));
}

Layout compose(const Layout& a, const Layout& b, const Operation& op) {
  return Composition(a, b, op).run();
}

Layout complement_of(const Layout& l, int64_t cosize, const Operation& op) {
  if (cosize < 0) op.fail(concat("the size ", cosize, " is negative; give 0 or more"));
  Layout f = filter(l);
  ModeList modes = f.leaves();
  if (f.gives_coordinates())
    op.fail(concat(str(l),
                   " gives coordinates, and only indices have a complement; divide the "
                   "layout of its shape instead"));
  std::sort(modes.begin(), modes.end(),
            [](const Mode& x, const Mode& y) { return x.stride.value < y.stride.value; });
  ModeList gaps;
  int64_t end = 1;
  for (const Mode& m : modes) {
    if (m.stride.value == 0) continue;  // all of `l`, which has the one index 0
    if (m.stride.value < 0)
      op.fail(concat(str(l), " has a negative stride and no complement; use positive strides"));
    if (m.size == 0)
      op.fail(concat(str(l), " is empty and has no complement; give a size above 0"));
    if (m.stride.value < end)
      op.fail(concat(str(l), " has no complement: its mode ", m.size, ":", m.stride.value,
                     " begins below ", end,
                     ", where the modes of smaller strides end; use a layout "
                     "whose modes do not overlap"));
    gaps.push_back({m.stride.value / end, end});
    end = checked_mul(m.stride.value, m.size);
  }
  gaps.push_back({ceil_quotient(cosize, end), end});
  return layout_of(coalesced(layout_of(gaps).root(), false));
}

Layout complement(const Layout& l, std::optional<int64_t> cosize) {
  Operation op{"complement", l, nullptr, nullptr};
  return complement_of(l, cosize ? *cosize : filter(l).cosize(), op);
}

Layout composition(const Layout& a, const Layout& b) {
  return compose(a, b, Operation{"composition", a, nullptr, &b});
}

Layout composition(const Layout& a, const Tiler& b) {
  Operation op{"composition", a, &b, nullptr};
  Nested<Mode> out = Nested<Mode>::blank();
  by_mode(out, a.root(), b, false, op,
          [&](const Layout& l, const Layout& t) { return compose(l, t, op); });
  return Layout(std::move(out));
}

}  // namespace enigma
