// Layouts as values: making them, their text, the indices that they give, and slices of them.

#include "enigma/layout.h"

#include "layout/checked.h"

namespace enigma {
namespace {

using View = Node<int64_t>;
using Modes = Node<Mode>;

IntTuple sizes_of(Modes l) {
  IntTuple out = IntTuple::blank();
  size_t next = 0;
  for (char c : l.profile()) {
    if (c == '(') out.open();
    if (c == ')') out.close();
    if (c == '.') out.push(l.leaves()[next++].size);
  }
  return out;
}

/// Adds `times` steps of a stride to a coordinate that grows as far as it must.
void add_to(Nested<int64_t>& coord, const std::vector<int64_t>& path, size_t level,
            int64_t amount) {
  if (level == path.size()) {
    if (coord.is_tuple())
      throw Error(
          "a layout maps one mode both to a coordinate and to a part of it; give strides of "
          "the same depth for each mode");
    coord = IntTuple(checked_add(coord.leaves()[0], amount));
    return;
  }
  auto mode = static_cast<size_t>(path[level]);
  std::vector<IntTuple> elements;
  if (coord.is_tuple()) {
    for (View e : coord.root()) elements.emplace_back(e);
  } else if (coord.leaves()[0] != 0) {
    throw Error(
        "a layout maps one mode both to a coordinate and to a part of it; give strides of "
        "the same depth for each mode");
  }
  while (elements.size() <= mode) elements.emplace_back(int64_t{0});
  add_to(elements[mode], path, level + 1, amount);
  IntTuple out = IntTuple::blank();
  out.open();
  for (const IntTuple& e : elements) out.push(e.root());
  coord = out.close();
}

struct Ranks {};  // thrown by visit() where the coordinate has another profile

/// Calls f(digit, mode) for each leaf of a layout, with the digit that a coordinate has there.
template <class F>
void visit(View coord, Modes l, const F& f) {
  if (coord.is_tuple()) {
    if (!l.is_tuple()) throw Ranks();
    auto c = coord.begin();
    auto m = l.begin();
    for (; c != coord.end() && m != l.end(); ++c, ++m) visit(*c, *m, f);
    if (c != coord.end() || m != l.end()) throw Ranks();
    return;
  }
  if (coord.is_none()) return;
  int64_t rest = coord.leaf();
  size_t n = l.leaf_count();
  for (size_t i = 0; i < n; ++i) {
    const Mode& mode = l.leaves()[i];
    if (i + 1 == n) {
      f(rest, mode);
    } else if (mode.size != 0) {
      f(rest % mode.size, mode);
      rest /= mode.size;
    } else if (rest != 0) {
      throw Error(
          concat("a layout of shape ", str(sizes_of(l)), " is empty and has no coordinate ", rest));
    }
  }
}

template <class F>
void visit_all(View coord, const Layout& l, const F& f) try {
  visit(coord, l.root(), f);
} catch (Ranks) {
  throw Error(concat("the coordinate ", str(coord), " does not fit the layout ", str(l),
                     ": give one integer, or a tuple with an integer or a fitting tuple for each "
                     "mode"));
}

int64_t index_of(View coord, const Layout& l) {
  if (l.gives_coordinates())
    throw Error(concat("the layout ", str(l), " gives coordinates; ask for coordinate()"));
  int64_t sum = 0;
  visit_all(coord, l, [&](int64_t digit, const Mode& m) {
    sum = checked_add(sum, checked_mul(digit, m.stride.value));
  });
  return sum;
}

/// Keeps the parts of a layout that a coordinate opens (or fixes). At the top a part stands for
/// itself; below it the parts of a tuple are gathered into one.
void keep(Nested<Mode>& out, View coord, Modes l, bool opened) {
  if (!coord.is_tuple()) {
    if (coord.is_none() == opened) out.push(l);
    return;
  }
  if (!l.is_tuple()) throw Ranks();
  auto c = coord.begin();
  auto m = l.begin();
  Nested<Mode> parts = Nested<Mode>::blank();
  for (; c != coord.end() && m != l.end(); ++c, ++m) {
    if ((*c).is_tuple()) {
      keep(parts, *c, *m, opened);
    } else if ((*c).is_none() == opened) {
      parts.push(*m);
    }
  }
  if (c != coord.end() || m != l.end()) throw Ranks();
  out.push(parts.root());
}

Layout kept(const Layout& l, const IntTuple& coord, bool opened) try {
  Nested<Mode> out = Nested<Mode>::blank();
  if (coord.is_tuple()) out.open();
  keep(out, coord.root(), l.root(), opened);
  if (coord.is_tuple()) out.close();
  return out.profile().empty() ? Layout(IntTuple()) : Layout(std::move(out));
} catch (Ranks) {
  throw Error(concat("the coordinate ", str(coord), " does not fit the layout ", str(l),
                     ": give an integer, None, or a fitting tuple for each mode"));
}

}  // namespace

// ---- Basis and strides ----

Basis::Basis(const std::vector<int64_t>& path) {
  for (int64_t mode : path) *this = deeper(mode);
}

Basis Basis::deeper(int64_t mode) const {
  int level = 0;
  while (level < 8 && (path_ >> (8 * level)) != 0) ++level;
  if (level == 8 || mode < 0 || mode > 254)
    throw Error(
        concat("a coordinate layout has at most 255 modes in a tuple and 8 levels of them; ",
               "mode ", mode, " at level ", level, " is beyond"));
  Basis out = *this;
  out.path_ |= (static_cast<uint64_t>(mode) + 1) << (8 * level);
  return out;
}

std::vector<int64_t> Basis::path() const {
  std::vector<int64_t> out;
  for (uint64_t rest = path_; rest != 0; rest >>= 8)
    out.push_back(static_cast<int64_t>(rest & 255) - 1);
  return out;
}

// ---- Text ----

std::string str(const Stride& s) {
  Text out;
  out.add(s.value);
  std::vector<int64_t> path = s.basis.path();
  for (size_t i = path.size(); i-- > 0;) out.add("@", path[i]);
  return std::move(out.str());
}

std::string str(const Strides& s) {
  Text out;
  size_t next = 0;
  bool first = true;
  for (char c : s.profile()) {
    if (c != ')' && !first) out.add(",");
    if (c == '.') {
      out.add(str(s.leaves()[next++]));
    } else {
      out.add(c);
    }
    first = c == '(';
  }
  return std::move(out.str());
}

std::string str(const Layout& l) { return str(l.shape()) + ":" + str(l.stride()); }

size_t hash(const Layout& l) {
  size_t h = hash(l.shape());
  for (const Mode& m : l.leaves())
    h = (h ^ static_cast<size_t>(m.stride.value) ^ m.stride.basis.bits()) * 0x9e3779b97f4a7c15u;
  return h;
}

// ---- Making layouts ----

Layout::Layout(const IntTuple& shape) : Layout(shape, Strides(compact_col_major(shape))) {}

Layout::Layout(const IntTuple& shape, const Strides& stride) {
  if (shape.profile() != stride.profile() || shape.has_none())
    throw Error(concat("Layout(", str(shape), ", ", str(stride),
                       "): shape and stride must have the same profile; give a stride for each "
                       "integer of the shape"));
  SmallVector<Mode, 4> modes;
  bool coordinates = false, indices = false;
  for (size_t i = 0; i < shape.leaves().size(); ++i) {
    Mode m{shape.leaves()[i], stride.leaves()[i]};
    if (m.size < 0)
      throw Error(concat("Layout(", str(shape), ", ", str(stride), "): the size ", m.size,
                         " is negative; sizes are 0 or more"));
    if (m.stride.value != 0) (m.stride.basis.empty() ? indices : coordinates) = true;
    modes.push_back(m);
  }
  if (coordinates && indices)
    throw Error(concat("Layout(", str(shape), ", ", str(stride),
                       "): some strides step along coordinates and some along indices; give all "
                       "of them a mode (as in 1@0), or none"));
  modes_ = Nested<Mode>(shape.profile(), std::move(modes));
}

Layout make_layout(const std::vector<Layout>& modes) {
  Nested<Mode> out = Nested<Mode>::blank();
  out.open();
  for (const Layout& l : modes) out.push(l.root());
  return Layout(std::move(out.close()));
}

Layout make_ordered_layout(const IntTuple& shape, const IntTuple& order) {
  return {shape, Strides(compact_order(shape, order, "make_ordered_layout"))};
}

Layout make_identity_layout(const IntTuple& shape) {
  Strides stride = Strides::blank();
  std::vector<Basis> above;
  std::vector<int64_t> mode;
  for (char c : shape.profile()) {
    Basis here = above.empty() ? Basis() : above.back().deeper(mode.back());
    if (c == '(') {
      stride.open();
      above.push_back(here);
      mode.push_back(0);
      continue;
    }
    if (c == ')') {
      stride.close();
      above.pop_back();
      mode.pop_back();
    } else {
      stride.push(Stride(1, here));
    }
    if (!mode.empty()) ++mode.back();
  }
  return {shape, stride};
}

// ---- Queries ----

IntTuple Layout::shape() const { return sizes_of(root()); }

Strides Layout::stride() const {
  SmallVector<Stride, 4> strides;
  for (const Mode& m : leaves()) strides.push_back(m.stride);
  return {modes_.profile(), strides};
}

int Layout::depth() const { return enigma::depth(shape()); }

int64_t Layout::size() const {
  int64_t out = 1;
  for (const Mode& m : leaves()) {
    if (m.size == 0) return 0;
  }
  for (const Mode& m : leaves()) out = checked_mul(out, m.size);
  return out;
}

int64_t Layout::cosize() const {
  if (size() == 0) return 0;
  // The sizes of all coordinates that occur, by their basis; indices have one, without a basis.
  SmallVector<Stride, 4> extents;
  for (const Mode& m : leaves()) {
    int64_t reach = checked_mul(m.size - 1, checked_abs(m.stride.value));
    auto same = [&](const Stride& e) { return e.basis == m.stride.basis; };
    auto* found = std::find_if(extents.begin(), extents.end(), same);
    if (found != extents.end()) {
      found->value = checked_add(found->value, reach);
    } else if (reach != 0) {
      extents.push_back(Stride(reach, m.stride.basis));
    }
  }
  int64_t out = 1;
  for (const Stride& e : extents) out = checked_mul(out, checked_add(e.value, 1));
  return out;
}

Layout Layout::operator[](size_t i) const {
  if (i >= rank())
    throw Error(concat("mode ", i, " of the layout ", str(*this), " does not exist: it has ",
                       rank(), rank() == 1 ? " mode" : " modes"));
  return Layout(Nested<Mode>(root().mode(i)));
}

bool Layout::gives_coordinates() const {
  return std::any_of(leaves().begin(), leaves().end(),
                     [](const Mode& m) { return !m.stride.basis.empty(); });
}

int64_t Layout::operator()(const IntTuple& coord) const { return index_of(coord.root(), *this); }

int64_t Layout::operator()(int64_t coord) const { return index_of(View(".", &coord), *this); }

IntTuple Layout::coordinate(const IntTuple& coord) const {
  IntTuple out(int64_t{0});
  visit_all(coord.root(), *this, [&](int64_t digit, const Mode& m) {
    if (m.stride.value != 0)
      add_to(out, m.stride.basis.path(), 0, checked_mul(digit, m.stride.value));
  });
  return out;
}

// ---- Slices ----

Layout slice(const Layout& l, const IntTuple& coord) { return kept(l, coord, true); }

Layout dice(const Layout& l, const IntTuple& coord) { return kept(l, coord, false); }

}  // namespace enigma
