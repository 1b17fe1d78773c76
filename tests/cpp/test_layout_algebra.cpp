// The algebra by its definitions: brute force over thousands of random nested layouts.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "enigma/layout.h"

using namespace enigma;

namespace {

constexpr int kRounds = 20000;

class Random {
 public:
  explicit Random(uint32_t seed) : random_(seed) {}
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }

  IntTuple shape(int depth = 2) {
    constexpr int64_t kSizes[] = {1, 2, 2, 3, 4, 4, 6, 8};
    if (depth == 0 || below(5) < 2) return kSizes[below(8)];
    IntTuple out = IntTuple::blank();
    out.open();
    for (size_t n = below(3) + 1; n > 0; --n) out.push(shape(depth - 1).root());
    return out.close();
  }
  /// Its modes in some order, some with gaps between them, so that no index repeats.
  Layout injective(bool gaps) {
    IntTuple s = shape();
    size_t n = s.leaves().size();
    std::vector<size_t> order(n);
    for (size_t i = 0; i < n; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    SmallVector<Stride, 4> strides;
    for (size_t i = 0; i < n; ++i) strides.push_back(0);
    int64_t next = 1;
    for (size_t i : order) {
      if (gaps && below(3) == 0) next *= static_cast<int64_t>(below(3) + 1);
      strides[i] = next;
      next *= s.leaves()[i];
    }
    return {s, Strides(s.profile(), strides)};
  }
  Layout any() {
    if (below(3) > 0) return injective(below(2) == 0);
    IntTuple s = shape();
    constexpr int64_t kStrides[] = {0, 1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 48};
    SmallVector<Stride, 4> strides;
    for (size_t i = 0; i < s.leaves().size(); ++i) strides.push_back(kStrides[below(13)]);
    return {s, Strides(s.profile(), strides)};
  }

 private:
  std::mt19937 random_;
};

bool same_function(const Layout& a, const Layout& b) {
  if (a.size() != b.size()) return false;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (a(i) != b(i)) return false;
  }
  return true;
}

std::set<int64_t> image(const Layout& l) {
  std::set<int64_t> out;
  for (int64_t i = 0; i < l.size(); ++i) out.insert(l(i));
  return out;
}

bool is_injective(const Layout& l) { return image(l).size() == static_cast<size_t>(l.size()); }

/// Whether f on 0, 1, ..., size - 1 is a layout: digits of some factors of the size, each with a
/// stride.
template <class F>
bool is_some_layout(int64_t size, const F& f, std::vector<int64_t> factors = {}) {
  int64_t rest = size;
  for (int64_t factor : factors) rest /= factor;
  for (int64_t factor = 2; factor <= rest; ++factor) {
    if (rest % factor != 0) continue;
    std::vector<int64_t> longer = factors;
    longer.push_back(factor);
    if (is_some_layout(size, f, longer)) return true;
  }
  if (rest != 1) return false;
  for (int64_t c = 0; c < size; ++c) {
    int64_t sum = f(0), skip = 1;
    for (int64_t factor : factors) {
      sum += c / skip % factor * (f(skip) - f(0));
      skip *= factor;
    }
    if (sum != f(c)) return false;
  }
  return true;
}

/// Whether a of a sum of b's modes is the sum of a of them.
bool is_separable(const Layout& a, const Layout& b) {
  auto value = [&](int64_t c) {
    int64_t sum = 0, rest = c;
    for (const Mode& m : b.leaves()) {
      sum += a(rest % m.size * m.stride.value);
      rest /= m.size;
    }
    return sum;
  };
  for (int64_t c = 0; c < b.size(); ++c) {
    if (value(c) != a(b(c))) return false;
  }
  return true;
}

/// The index of a coordinate in which modes that stay 0 may be left out.
int64_t place(Node<int64_t> coord, Node<Mode> l) {
  if (!coord.is_tuple()) return Layout(Nested<Mode>(l))(coord.leaf());
  int64_t sum = 0;
  for (size_t i = 0; i < coord.rank(); ++i) sum += place(coord.mode(i), l.mode(i));
  return sum;
}

}  // namespace

TEST_CASE("composition is exact, compatible with the right side, and otherwise refused") {
  Random random(1);
  int composed = 0, refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout a = random.any(), b = random.any();
    if (a.size() > 600 || b.size() > 600) continue;
    Layout r;
    try {
      r = composition(a, b);
    } catch (const Error&) {
      ++refused;
      continue;
    }
    ++composed;
    INFO(str(a), " o ", str(b), " = ", str(r));
    REQUIRE(is_compatible(b.shape(), r.shape()));
    for (int64_t c = 0; c < b.size(); ++c) REQUIRE(r(c) == a(b(c)));
  }
  CHECK(composed > kRounds / 2);
  CHECK(refused > kRounds / 100);
}

TEST_CASE("a mode that ends within a mode of the left side could not be written as a layout") {
  Random random(2);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout a = random.any();
    constexpr int64_t kNumbers[] = {1, 2, 3, 4, 6, 8, 9, 12};
    int64_t size = kNumbers[random.below(8)], stride = kNumbers[random.below(8)];
    try {
      composition(a, Layout(size, stride));
      continue;
    } catch (const Error& e) {
      if (std::string(e.what()).find("which do not divide its") == std::string::npos) continue;
    }
    ++refused;
    INFO(str(a), " o ", size, ":", stride);
    REQUIRE_FALSE(is_some_layout(size, [&](int64_t c) { return a(c * stride); }));
  }
  CHECK(refused > kRounds / 100);
}

TEST_CASE("modes of the right side whose sums carry are refused, the others are not") {
  Random random(3);
  int carried = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout a = random.injective(true), b = random.any();
    if (a.size() > 300 || b.size() > 300) continue;
    bool refused = false;
    try {
      composition(a, b);
    } catch (const Error& e) {
      if (std::string(e.what()).find("carries") == std::string::npos) continue;
      refused = true;
    }
    INFO(str(a), " o ", str(b));
    REQUIRE(refused == !is_separable(a, b));
    carried += refused;
  }
  CHECK(carried > 50);
}

TEST_CASE("coalesce keeps the function and has as few modes as possible") {
  Random random(4);
  for (int round = 0; round < kRounds; ++round) {
    Layout l = random.any();
    if (l.size() > 2000) continue;
    Layout c = coalesce(l);
    INFO(str(l), " -> ", str(c));
    REQUIRE(same_function(l, c));
    REQUIRE(c.depth() <= 1);
    for (size_t i = 0; i + 1 < c.leaves().size(); ++i) {
      const Mode &m = c.leaves()[i], &next = c.leaves()[i + 1];
      REQUIRE(m.size * m.stride.value != next.stride.value);
    }
    REQUIRE(image(filter(l)) == image(l));
    REQUIRE(coalesce(c) == c);
    if (l.modes().is_tuple()) {
      IntTuple profile = IntTuple::blank();
      profile.open();
      for (size_t i = 0; i < l.rank(); ++i) profile.push(int64_t{1});
      Layout by_mode = coalesce(l, profile.close());
      REQUIRE(by_mode.rank() == l.rank());
      for (size_t i = 0; i < l.rank(); ++i) REQUIRE(by_mode[i] == coalesce(l[i]));
    }
  }
}

TEST_CASE("complements are disjoint and ordered, and complete where gaps divide") {
  Random random(5);
  for (int round = 0; round < kRounds; ++round) {
    Layout l = random.injective(true);
    if (l.size() > 300) continue;
    auto most = static_cast<int64_t>(random.below(400) + 1);
    Layout c = complement(l, most);
    INFO("complement(", str(l), ", ", most, ") = ", str(c));
    Layout both = make_layout({l, c});
    REQUIRE(is_injective(both));
    REQUIRE(both.cosize() >= most);
    for (int64_t i = 1; i < c.size(); ++i) REQUIRE(c(i - 1) < c(i));
    int64_t period = 1;
    for (const Mode& m : l.leaves())
      period = std::max(period, m.size > 1 ? m.size * m.stride.value : 1);
    REQUIRE(both.cosize() <= (most + period - 1) / period * period);
    // The gaps of injective() divide, so that every index below the cosize is there.
    REQUIRE(both.size() == both.cosize());
    REQUIRE(complement(both).size() == 1);
  }
}

TEST_CASE("inverses invert") {
  Random random(6);
  for (int round = 0; round < kRounds; ++round) {
    bool nested = random.below(2) == 0;
    Layout l = nested ? random.injective(true) : random.any();
    if (l.size() > 1000) continue;
    Layout right = right_inverse(l);
    INFO(str(l), ": right ", str(right));
    for (int64_t i = 0; i < right.size(); ++i) REQUIRE(l(right(i)) == i);
    Layout left;
    try {
      left = left_inverse(l);
    } catch (const Error&) {
      REQUIRE_FALSE(nested);
      continue;
    }
    INFO("left ", str(left));
    for (int64_t i = 0; i < l.size(); ++i) REQUIRE(l(left(l(i))) == l(i));
    if (is_injective(l)) {
      for (int64_t i = 0; i < l.size(); ++i) REQUIRE(left(l(i)) == i);
    }
    // A layout that is nested without gaps has one inverse on both sides.
    if (nested && l.size() == l.cosize()) REQUIRE(same_function(left, right));
  }
}

TEST_CASE("a divide is a composition with the tiler and its complement") {
  Random random(7);
  int divided = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout l = random.any(), tile = random.injective(true);
    if (l.size() > 300 || tile.size() > 100) continue;
    Layout r;
    try {
      r = logical_divide(l, tile);
    } catch (const Error&) {
      continue;
    }
    ++divided;
    INFO(str(l), " / ", str(tile), " = ", str(r));
    Layout rest = complement(tile, l.size());
    REQUIRE(r.rank() == 2);
    REQUIRE(r[0] == composition(l, tile));
    for (int64_t j = 0; j < rest.size(); ++j) {
      for (int64_t i = 0; i < tile.size(); ++i)
        REQUIRE(r(i + tile.size() * j) == l(tile(i) + rest(j)));
    }
    REQUIRE(zipped_divide(l, tile) == r);
  }
  CHECK(divided > kRounds / 10);
}

TEST_CASE("a product is the block and copies of it that do not overlap") {
  Random random(8);
  int multiplied = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout block = random.injective(true), tiler = random.injective(false);
    if (block.size() > 60 || tiler.size() > 60) continue;
    Layout r;
    try {
      r = logical_product(block, tiler);
    } catch (const Error&) {
      continue;
    }
    ++multiplied;
    INFO(str(block), " x ", str(tiler), " = ", str(r));
    REQUIRE(r[0] == block);
    REQUIRE(is_compatible(tiler.shape(), r[1].shape()));
    REQUIRE(is_injective(r));
    Layout copies = complement(block, block.size() * tiler.cosize());
    for (int64_t i = 0; i < tiler.size(); ++i) REQUIRE(r[1](i) == copies(tiler(i)));
    Layout blocked = blocked_product(block, tiler), raked = raked_product(block, tiler);
    REQUIRE(image(blocked) == image(r));
    REQUIRE(image(raked) == image(r));
    REQUIRE(blocked.rank() == std::max(block.rank(), tiler.rank()));
    if (block.rank() == 1 && tiler.rank() == 1) {
      for (int64_t i = 0; i < block.size(); ++i) {
        for (int64_t j = 0; j < tiler.size(); ++j) {
          REQUIRE(blocked(i + block.size() * j) == r(i + block.size() * j));
          REQUIRE(raked(j + tiler.size() * i) == r(i + block.size() * j));
        }
      }
    }
  }
  CHECK(multiplied > kRounds / 10);
}

TEST_CASE("recast keeps the bytes") {
  Random random(9);
  int recast = 0;
  for (int round = 0; round < kRounds; ++round) {
    Layout l = random.injective(random.below(2) == 0);
    if (l.size() > 300) continue;
    auto n = static_cast<int64_t>(size_t{1} << random.below(3));
    Layout narrow;
    try {
      narrow = recast_layout(8, 8 * n, l);
    } catch (const Error&) {
      continue;
    }
    INFO(str(l), " as parts of ", n, ": ", str(narrow));
    std::set<int64_t> parts;
    for (int64_t i = 0; i < l.size(); ++i) {
      for (int64_t k = 0; k < n; ++k) parts.insert(l(i) * n + k);
    }
    REQUIRE(image(narrow) == parts);
    REQUIRE(recast_layout(8 * n, 8, narrow).shape() == l.shape());
    REQUIRE(image(recast_layout(8 * n, 8, narrow)) == image(l));
    ++recast;
  }
  CHECK(recast > kRounds / 10);
}

TEST_CASE("slices are what is left when coordinates are fixed") {
  Random random(10);
  for (int round = 0; round < kRounds; ++round) {
    Layout l = random.any();
    if (l.size() > 200) continue;
    // A coordinate with some leaves open: fixed leaves get a digit, open ones None.
    IntTuple shape = l.shape(), coord = IntTuple::blank();
    size_t next = 0;
    for (char c : shape.profile()) {
      if (c == '(') coord.open();
      if (c == ')') coord.close();
      if (c != '.') continue;
      int64_t size = shape.leaves()[next++];
      if (random.below(2) == 0) {
        coord.push_none();
      } else {
        coord.push(static_cast<int64_t>(random.below(static_cast<size_t>(size))));
      }
    }
    Layout s = slice(l, coord), d = dice(l, coord);
    INFO(str(l), " at ", str(coord), ": ", str(s), " and ", str(d));
    int64_t offset = l(coord);  // None counts as 0
    REQUIRE(s.size() * d.size() == l.size());
    // Fill the open leaves with every coordinate of the slice.
    for (int64_t i = 0; i < s.size(); ++i) {
      IntTuple full = IntTuple::blank();
      int64_t rest = i;
      size_t fixed = 0, leaf = 0;
      for (char c : coord.profile()) {
        if (c == '(') full.open();
        if (c == ')') full.close();
        if (c == '.') full.push(coord.leaves()[fixed++]);
        if (c == '_') {
          full.push(rest % shape.leaves()[leaf]);
          rest /= shape.leaves()[leaf];
        }
        leaf += c == '.' || c == '_';
      }
      REQUIRE(l(full) == offset + s(i));
    }
  }
}

TEST_CASE("the cosize of a swizzled layout is that of its indices") {
  Random random(11);
  for (int round = 0; round < kRounds / 4; ++round) {
    Layout l = random.any();
    if (l.size() > 500) continue;
    auto pick = [&](size_t n) { return static_cast<int>(random.below(n)); };
    int bits = pick(4), base = pick(3), shift = bits + pick(3);
    Swizzle swizzle(bits, base, pick(2) ? shift : -shift);
    SwizzledLayout s{swizzle, pick(3) ? 0 : pick(40), l};
    int64_t most = INT64_MIN;
    for (int64_t i = 0; i < l.size(); ++i) most = std::max(most, s(IntTuple(i)));
    INFO(str(s));
    REQUIRE(s.cosize() == most + 1);
  }
}

TEST_CASE("threads and values cover their tile once") {
  Random random(12);
  for (int round = 0; round < 3000; ++round) {
    auto sizes = [&] {
      return IntTuple{int64_t{1} << random.below(4), int64_t{1} << random.below(4)};
    };
    auto layout = [&] {
      return random.below(2) ? make_ordered_layout(sizes(), {1, 0})
                             : make_ordered_layout(sizes(), {0, 1});
    };
    Layout threads = layout(), values = layout();
    auto [tile, tv] = make_layout_tv(threads, values);
    INFO(str(threads), " with ", str(values), ": ", str(tile), " and ", str(tv));
    for (size_t i = 0; i < 2; ++i)
      REQUIRE(tile.root().mode(i).leaf() == threads[i].size() * values[i].size());
    REQUIRE(is_injective(tv));
    REQUIRE(tv.cosize() == product(tile));
    // Thread threads(m, n) holds the values of the sub-tile at (m, n).
    Layout in_tile(tile);
    for (int64_t m = 0; m < threads[0].size(); ++m) {
      for (int64_t n = 0; n < threads[1].size(); ++n) {
        for (int64_t i = 0; i < values[0].size(); ++i) {
          for (int64_t j = 0; j < values[1].size(); ++j) {
            int64_t t = threads(IntTuple{m, n}), v = values(IntTuple{i, j});
            REQUIRE(tv(IntTuple{t, v}) ==
                    in_tile(IntTuple{m * values[0].size() + i, n * values[1].size() + j}));
          }
        }
      }
    }
  }
}

TEST_CASE("coordinate layouts follow the algebra of their shapes") {
  Random random(13);
  for (int round = 0; round < kRounds / 4; ++round) {
    IntTuple shape = random.shape();
    if (product(shape) > 200) continue;
    Layout identity = make_identity_layout(shape), plain(shape), tile = random.injective(true);
    if (!identity.gives_coordinates() || tile.size() > 50) continue;
    Layout a, b;
    try {
      b = logical_divide(plain, tile);
      a = logical_divide(identity, tile);
    } catch (const Error&) {
      continue;
    }
    INFO(str(identity), " / ", str(tile), " = ", str(a));
    REQUIRE(a.size() == b.size());
    Layout rest = complement(tile, product(shape));
    for (int64_t j = 0; j < rest.size(); ++j) {
      for (int64_t i = 0; i < tile.size(); ++i) {
        int64_t index = tile(i) + rest(j);
        if (index >= plain.size()) continue;  // a rest that the tile does not divide
        REQUIRE(place(a.coordinate(i + tile.size() * j).root(), plain.root()) == index);
      }
    }
  }
}
