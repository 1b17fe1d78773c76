// Inverses, and what is made of them: other element widths, and layouts of threads and values.

#include <algorithm>
#include <numeric>

#include "layout/operation.h"

namespace enigma {
namespace {

/// The coalesced modes of a layout with, for each, how many coordinates one step in it skips.
struct Steps {
  ModeList modes;
  SmallVector<int64_t, 4> skips;
};

Steps steps_of(const Layout& l, const Operation& op) {
  if (l.gives_coordinates())
    op.fail(concat(str(l), " gives coordinates, and only layouts that give indices are inverted"));
  Steps out{coalesced(l.root(), false), {}};
  int64_t skip = 1;
  bool negative = false;
  for (const Mode& m : out.modes) {
    out.skips.push_back(skip);
    skip = checked_mul(skip, m.size);
    negative = negative || m.stride.value < 0;
  }
  if (negative && out.modes.size() > 1)
    op.fail(concat(str(l),
                   " has a negative stride beside others, and its inverse is no layout; "
                   "invert its modes one by one"));
  return out;
}

Layout right_inverse_of(const Steps& l) {
  ModeList out;
  int64_t end = 1;
  for (;;) {
    size_t i = 0, n = l.modes.size();
    while (i < n && (l.modes[i].size == 1 || checked_abs(l.modes[i].stride.value) != end)) ++i;
    if (i == n) break;
    const Mode& m = l.modes[i];
    out.push_back({m.size, checked_mul(l.skips[i], sign(m.stride.value))});
    int64_t next = checked_mul(m.size, end);
    if (next <= end) break;  // an empty mode ends the chain
    end = next;
  }
  return layout_of(out);
}

/// For gaps that hold no whole number of copies: R(i) counts, with each index in or beyond a gap
/// given to the coordinate below it.
Layout left_inverse_of(const Layout& l, const Steps& steps, const Operation& op) {
  std::vector<size_t> order;
  for (size_t i = 0; i < steps.modes.size(); ++i) {
    if (steps.modes[i].stride.value != 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return steps.modes[a].stride.value < steps.modes[b].stride.value;
  });
  ModeList out;
  int64_t covered = 1;
  Stride step = 0;
  for (size_t i : order) {
    const Mode& m = steps.modes[i];
    if (m.stride.value % covered != 0)
      op.fail(concat(str(l), " has no left inverse that is a layout: the stride ", m.stride.value,
                     " is no multiple of ", covered,
                     ", the stride before it; use strides that "
                     "divide each other"));
    out.push_back({m.stride.value / covered, step});
    covered = m.stride.value;
    step = steps.skips[i];
  }
  if (!order.empty()) out.push_back({steps.modes[order.back()].size, step});
  return layout_of(coalesced(layout_of(out).root(), false));
}

/// Elements `n` times as wide: neighbours become one.
Mode widened(const Mode& m, int64_t n, const Operation& op) {
  int64_t d = checked_abs(m.stride.value);
  if (d == 0) return m;
  if (d % n == 0) return {m.size, m.stride.value / n};
  int64_t together = n % d == 0 ? n / d : 0;
  if (together == 0 || (m.size % together != 0 && together % m.size != 0))
    op.fail(concat("the mode ", m.size, ":", m.stride.value, " cannot be told in elements ", n,
                   " times as wide, because ", n, " and ",
                   together == 0 ? "its stride" : "its size",
                   " do not divide each other; use sizes and strides that are multiples of ", n));
  return {std::max<int64_t>(m.size / together, m.size != 0), sign(m.stride.value)};
}

/// Elements a part as wide: the mode of neighbours grows.
void narrow(ModeList& modes, int64_t n, const Operation& op) {
  Mode* neighbours = nullptr;
  for (Mode& m : modes) {
    if (checked_abs(m.stride.value) != 1) continue;
    if (neighbours && neighbours->size > 1 && m.size > 1)
      op.fail(
          "two modes have stride 1, and both would hold the parts of an element; use a layout "
          "that gives each index once");
    if (!neighbours || neighbours->size <= 1) neighbours = &m;
  }
  if (!neighbours)
    op.fail(
        "no mode has stride 1, so that nothing can hold the parts of an element; add a mode 1:1");
  for (Mode& m : modes) {
    if (&m == neighbours) {
      m.size = checked_mul(m.size, n);
    } else {
      m.stride = scaled(m.stride, n);
    }
  }
}

}  // namespace

Layout right_inverse(const Layout& l) {
  return right_inverse_of(steps_of(l, {"right_inverse", l, nullptr, nullptr}));
}

Layout left_inverse(const Layout& l) {
  Operation op{"left_inverse", l, nullptr, nullptr};
  Steps steps = steps_of(l, op);
  if (l.size() == 0) op.fail("the layout is empty; give a size above 0");
  if (steps.modes.size() == 1 && steps.modes[0].stride.value < 0) {
    // One mode is mirrored: the inverse of its mirror image, mirrored.
    Mode m{steps.modes[0].size, checked_abs(steps.modes[0].stride.value)};
    ModeList out = left_inverse(layout_of(ModeList(&m, 1))).leaves();
    Nested<Mode> mirrored = Nested<Mode>::blank();
    if (out.size() > 1) mirrored.open();
    for (const Mode& o : out) mirrored.push({o.size, scaled(o.stride, -1)});
    if (out.size() > 1) mirrored.close();
    return Layout(std::move(mirrored));
  }
  Layout rest = complement_of(l, filter(l).cosize(), op);
  Layout whole = make_layout({l, rest});
  Layout inverse = right_inverse_of(steps_of(whole, op));
  bool complete = inverse.size() == checked_mul(filter(l).size(), rest.size());
  return complete ? inverse : left_inverse_of(l, steps, op);
}

Layout recast_layout(int64_t new_bits, int64_t old_bits, const Layout& l) {
  std::string name = concat("recast_layout<", new_bits, ",", old_bits, ">");
  Operation op{name.c_str(), l, nullptr, nullptr};
  if (new_bits <= 0 || old_bits <= 0)
    op.fail("an element has at least 1 bit; give the widths of the new and the old elements");
  if (l.gives_coordinates()) op.fail("the layout gives coordinates, which have no width");
  int64_t common = std::gcd(new_bits, old_bits);
  ModeList modes = l.leaves();
  if (new_bits != common) {
    for (Mode& m : modes) m = widened(m, new_bits / common, op);
  }
  if (old_bits != common) narrow(modes, old_bits / common, op);
  return Layout(Nested<Mode>(l.modes().profile(), std::move(modes)));
}

std::pair<IntTuple, Layout> make_layout_tv(const Layout& threads, const Layout& values) {
  Operation op{"make_layout_tv", threads, nullptr, &values};
  for (const Layout* l : {&threads, &values}) {
    int64_t numbered = l->gives_coordinates() ? 0 : right_inverse(*l).size();
    if (numbered != l->size())
      op.fail(concat(
          str(*l), " does not number its ", l->size(), l == &threads ? " threads" : " values",
          " from 0 on, each once; use a compact layout, such as make_ordered_layout gives"));
  }
  Layout tile = raked_product(threads, values);
  Layout inverse = right_inverse(tile);
  int64_t t = threads.size(), v = values.size();
  IntTuple pairs = IntTuple::blank();
  pairs.open().push(t).push(v).close();
  return {product_each(tile.shape()), compose(inverse, Layout(pairs), op)};
}

}  // namespace enigma
