// What nested tuples of integers can do: text, products, divisions, compact strides, coordinates.

#include "enigma/int_tuple.h"

#include <functional>
#include <vector>

#include "layout/checked.h"

namespace enigma {
namespace {

using View = Node<int64_t>;

void append(Text& out, View t) {
  if (t.is_none()) {
    out.add("None");
  } else if (!t.is_tuple()) {
    out.add(t.leaf());
  } else {
    const char* separator = "(";
    for (View e : t) {
      out.add(separator);
      append(out, e);
      separator = ",";
    }
    out.add(t.profile().size() == 2 ? "()" : ")");
  }
}

int depth_of(std::string_view profile) {
  int depth = 0, most = 0;
  for (char c : profile) {
    if (c == '(') most = std::max(most, ++depth);
    if (c == ')') --depth;
  }
  return most;
}

/// "crd2idx((1,2), (4,8))": a call as errors begin with it.
template <class... Ts>
std::string call(const char* name, const Ts&... tuples) {
  Text out;
  out.add(name);
  const char* separator = "(";
  ((out.add(separator, str(tuples)), separator = ", "), ...);
  out.add("): ");
  return out.str();
}

/// Calls f for each pair of elements of two tuples; false when they differ in number.
template <class A, class B, class F>
bool each_pair(Node<A> a, Node<B> b, F f) {
  auto i = a.begin();
  auto j = b.begin();
  for (; i != a.end() && j != b.end(); ++i, ++j) f(*i, *j);
  return !(i != a.end()) && !(j != b.end());
}

struct Ranks {};  // thrown where tuples that belong together differ; the caller knows the operands

int64_t inner(View a, View b) {
  if (a.is_leaf() && b.is_leaf()) return checked_mul(a.leaf(), b.leaf());
  if (!a.is_tuple() || !b.is_tuple()) throw Ranks();
  int64_t sum = 0;
  if (!each_pair(a, b, [&](View x, View y) { sum = checked_add(sum, inner(x, y)); })) throw Ranks();
  return sum;
}

/// Divides by tuples: by pairs of elements, or by an integer from left to right. `divide` divides
/// two integers; `pads` allows b to have fewer elements.
template <class Divide>
void divide_into(IntTuple& out, View a, View b, bool pads, const Divide& divide) {
  if (!a.is_tuple()) {
    if (a.is_none()) throw Ranks();
    out.push(divide(a.leaf(), product(b)));
    return;
  }
  out.open();
  if (!b.is_tuple()) {
    int64_t rest = b.leaf();
    for (View e : a) {
      divide_into(out, e, View(".", &rest), pads, divide);
      rest = divide(rest, product(e));
    }
  } else {
    auto j = b.begin();
    for (View e : a) {
      if (j != b.end()) {
        divide_into(out, e, *j, pads, divide);
        ++j;
      } else if (pads) {
        out.push(e);
      } else {
        throw Ranks();
      }
    }
    if (j != b.end()) throw Ranks();
  }
  out.close();
}

bool weakly_congruent(View a, View b) {
  if (!a.is_tuple()) return true;
  if (!b.is_tuple()) return false;
  bool all = true;
  return each_pair(a, b, [&](View x, View y) { all = all && weakly_congruent(x, y); }) && all;
}

bool compatible(View a, View b) {
  if (!a.is_tuple()) return a.is_leaf() && a.leaf() == product(b);
  if (!b.is_tuple()) return false;
  bool all = true;
  return each_pair(a, b, [&](View x, View y) { all = all && compatible(x, y); }) && all;
}

/// One integer of an order, with the part of the shape that it stands for.
struct Ranked {
  int64_t order;
  int64_t size;
  View shape;
};

void rank_modes(std::vector<Ranked>& out, View shape, View order) {
  if (!order.is_tuple()) {
    out.push_back({order.leaf(), product(shape), shape});
    return;
  }
  if (!shape.is_tuple()) throw Ranks();
  if (!each_pair(shape, order, [&](View s, View o) { rank_modes(out, s, o); })) throw Ranks();
}

int64_t index_of(View coord, View shape, const int64_t*& stride) {
  int64_t sum = 0;
  if (coord.is_tuple()) {
    if (!shape.is_tuple()) throw Ranks();
    auto step = [&](View c, View s) { sum = checked_add(sum, index_of(c, s, stride)); };
    if (!each_pair(coord, shape, step)) throw Ranks();
    return sum;
  }
  int64_t rest = coord.is_none() ? 0 : coord.leaf();
  size_t n = shape.leaf_count();
  for (size_t i = 0; i < n; ++i, ++stride) {
    bool last = i + 1 == n;
    int64_t size = shape.leaves()[i];
    if (!last && size == 0 && rest != 0)
      throw Error(concat("crd2idx: the shape ", str(shape), " is empty and has no coordinate ",
                         str(coord)));
    int64_t digit = last || size == 0 ? rest : rest % size;
    if (!last && size != 0) rest /= size;
    sum = checked_add(sum, checked_mul(digit, *stride));
  }
  return sum;
}

void coordinate_of(IntTuple& out, View index, View shape, const int64_t*& stride) {
  if (shape.is_tuple()) {
    out.open();
    if (index.is_tuple()) {
      auto step = [&](View i, View s) { coordinate_of(out, i, s, stride); };
      if (!each_pair(index, shape, step)) throw Ranks();
    } else {
      for (View s : shape) coordinate_of(out, index, s, stride);
    }
    out.close();
    return;
  }
  if (!index.is_leaf()) throw Ranks();
  int64_t size = shape.leaf(), d = *stride++;
  if (size == 1) {
    out.push(int64_t{0});
  } else if (size == 0 || d == 0) {
    throw Error(concat("idx2crd: a mode ", size, ":", d,
                       " does not tell coordinates apart; give a shape and strides without zeros"));
  } else {
    out.push(index.leaf() / d % size);
  }
}

}  // namespace

std::string str(View t) {
  Text out;
  append(out, t);
  return out.str();
}

size_t hash(const IntTuple& t) {
  size_t h = std::hash<std::string>()(t.profile());
  for (int64_t leaf : t.leaves())
    h = h * 0x9e3779b97f4a7c15u + static_cast<size_t>(leaf) + (h >> 32);
  return h;
}

int depth(const IntTuple& t) { return depth_of(t.profile()); }

int64_t product(View t) {
  int64_t out = 1;
  size_t n = t.leaf_count();
  for (size_t i = 0; i < n; ++i) {
    // An empty shape is empty however large its other modes are.
    if (t.leaves()[i] == 0) return 0;
  }
  for (size_t i = 0; i < n; ++i) out = checked_mul(out, t.leaves()[i]);
  return out;
}

IntTuple product_each(const IntTuple& t) {
  if (!t.is_tuple()) return t;
  IntTuple out = IntTuple::blank();
  out.open();
  for (View e : t.root()) out.push(product(e));
  return out.close();
}

IntTuple flatten(const IntTuple& t) {
  if (!t.is_tuple()) return t;
  IntTuple out = IntTuple::blank();
  out.open();
  for (char c : t.profile()) {
    if (c == '_') out.push_none();
    if (c == '.') out.push(t.leaves()[out.leaves().size()]);
  }
  return out.close();
}

int64_t inner_product(const IntTuple& a, const IntTuple& b) try {
  return inner(a.root(), b.root());
} catch (Ranks) {
  throw Error(call("inner_product", a, b) + "the two tuples must have the same profile");
}

IntTuple ceil_div(const IntTuple& a, const IntTuple& b) try {
  IntTuple out = IntTuple::blank();
  divide_into(out, a.root(), b.root(), true, [&](int64_t x, int64_t y) {
    if (y <= 0) throw Error(call("ceil_div", a, b) + "the divisor must be positive");
    return ceil_quotient(x, y);
  });
  return out;
} catch (Ranks) {
  throw Error(call("ceil_div", a, b) +
              "the divisor has more modes than the dividend; give at most as many");
}

IntTuple shape_div(const IntTuple& a, const IntTuple& b) try {
  IntTuple out = IntTuple::blank();
  divide_into(out, a.root(), b.root(), false, [&](int64_t x, int64_t y) {
    if (x == 0 || y == 0 || (x % y != 0 && y % x != 0))
      throw Error(concat(call("shape_div", a, b), "neither of ", x, " and ", y,
                         " divides the other; choose a shape and a divisor that do"));
    return x / y != 0 ? x / y : sign(x) * sign(y);
  });
  return out;
} catch (Ranks) {
  throw Error(call("shape_div", a, b) + "the two tuples must have the same rank in each mode");
}

bool is_congruent(const IntTuple& a, const IntTuple& b) { return a.profile() == b.profile(); }
bool is_weakly_congruent(const IntTuple& a, const IntTuple& b) {
  return weakly_congruent(a.root(), b.root());
}
bool is_compatible(const IntTuple& a, const IntTuple& b) { return compatible(a.root(), b.root()); }

IntTuple compact_col_major(const IntTuple& shape, int64_t first) {
  SmallVector<int64_t, 4> strides;
  for (int64_t size : shape.leaves()) {
    strides.push_back(size == 1 ? 0 : first);
    first = checked_mul(first, size);
  }
  return IntTuple(shape.profile(), strides);
}

IntTuple compact_row_major(const IntTuple& shape, int64_t first) {
  SmallVector<int64_t, 4> strides = shape.leaves();
  for (size_t i = strides.size(); i-- > 0;) {
    int64_t size = strides[i];
    strides[i] = size == 1 ? 0 : first;
    first = checked_mul(first, size);
  }
  return IntTuple(shape.profile(), strides);
}

IntTuple compact_order(const IntTuple& shape, const IntTuple& order, const char* caller) try {
  std::vector<Ranked> modes;
  rank_modes(modes, shape.root(), order.root());
  SmallVector<int64_t, 4> strides;
  for (const Ranked& mode : modes) {
    int64_t first = 1;
    for (const Ranked& other : modes) {
      if (other.order < mode.order) first = checked_mul(first, other.size);
      if (&other != &mode && other.order == mode.order && other.size > 1 && mode.size > 1)
        throw Error(concat(call(caller, shape, order), "the order ", mode.order,
                           " stands for two modes, which would overlap; give each mode its own"));
    }
    IntTuple compact = compact_col_major(IntTuple(mode.shape), first);
    strides.append(compact.leaves().data(), compact.leaves().size());
  }
  return IntTuple(shape.profile(), strides);
} catch (Ranks) {
  throw Error(
      call(caller, shape, order) +
      "the order needs an integer, or a tuple of the same rank, for each mode of the shape");
}

int64_t crd2idx(const IntTuple& coord, const IntTuple& shape, const IntTuple& stride) try {
  if (!is_congruent(shape, stride)) throw Ranks();
  const int64_t* at = stride.leaves().data();
  return index_of(coord.root(), shape.root(), at);
} catch (Ranks) {
  throw Error(call("crd2idx", coord, shape, stride) +
              "shape and stride must have the same profile, and the coordinate an integer, or a "
              "tuple of the same rank, for each of their modes");
}

int64_t crd2idx(const IntTuple& coord, const IntTuple& shape) {
  return crd2idx(coord, shape, compact_col_major(shape));
}

IntTuple idx2crd(const IntTuple& index, const IntTuple& shape, const IntTuple& stride) try {
  if (!is_congruent(shape, stride)) throw Ranks();
  IntTuple out = IntTuple::blank();
  const int64_t* at = stride.leaves().data();
  coordinate_of(out, index.root(), shape.root(), at);
  return out;
} catch (Ranks) {
  throw Error(
      call("idx2crd", index, shape, stride) +
      "shape and stride must have the same profile, and the index an integer, or a tuple of "
      "the same rank, for each of their modes");
}

IntTuple idx2crd(const IntTuple& index, const IntTuple& shape) {
  if (!index.is_tuple())  // without modes to count through, an index is its own coordinate
    return shape.is_tuple() ? idx2crd(index, shape, compact_col_major(shape)) : index;
  IntTuple out = IntTuple::blank();
  out.open();
  auto step = [&](View i, View s) { out.push(idx2crd(IntTuple(i), IntTuple(s)).root()); };
  if (!shape.is_tuple() || !each_pair(index.root(), shape.root(), step))
    throw Error(call("idx2crd", index, shape) +
                "a tuple of indices needs a shape of the same rank; give that, or one integer");
  return out.close();
}

IntTuple crd2crd(const IntTuple& coord, const IntTuple& from, const IntTuple& to) {
  if (product(from) != product(to))
    throw Error(call("crd2crd", coord, from, to) +
                "the two shapes differ in size; give two shapes of the same size");
  return idx2crd(crd2idx(coord, from), to);
}

}  // namespace enigma
