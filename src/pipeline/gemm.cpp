// Products of tiles, written with the Builder's operations.

#include "enigma/gemm.h"

#include <algorithm>

#include "enigma/limits.h"
#include "ir/signature.h"
#include "support/text.h"

namespace enigma {
namespace {

constexpr int64_t kSide = 8;

template <class... Ts>
[[noreturn]] void fail(const Builder& b, const Ts&... pieces) {
  throw Error(concat("gemm: ", pieces...), b.location());
}

// `size` rows or columns of c from `begin` on, in blocks of `block`.
struct Band {
  int64_t begin, size, block;
};

constexpr int64_t whole(int64_t n) { return n / kSide * kSide; }

// Blocks of the greatest size, and one of what is left.
std::vector<Band> bands(int64_t size, int64_t greatest) {
  const int64_t left = size % greatest;
  std::vector<Band> out;
  if (size > left) out.push_back({0, size - left, greatest});
  if (left) out.push_back({size - left, left, left});
  return out;
}

class Products {
 public:
  Products(Builder& b, const Gemm& g) : b_(b), g_(g) {}

  // SIMD-groups take turns with blocks of a few matrices; what is no multiple of 8 is left to
  // threads that have an element each.
  void by_matrices(const Tile& c) {
    const int64_t rows = whole(g_.m), cols = whole(g_.n);
    // 8 sums are 16 registers of each thread, and what is loaded is used the more often the more
    // there are; but four SIMD-groups, which threadgroups often have, shall all find work.
    constexpr int64_t kCols = 4 * kSide, kEnough = 4;
    const bool few = rows / (2 * kSide) * ((cols + kCols - 1) / kCols) < kEnough;
    for (const Band& down : bands(rows, few ? kSide : 2 * kSide)) {
      for (const Band& across : bands(cols, kCols)) blocks(c, down, across);
    }
    by_elements(c, {0, rows, 0}, {cols, g_.n - cols, 0});
    by_elements(c, {rows, g_.m - rows, 0}, {0, g_.n, 0});
  }

  // All threads of the threadgroup, one element after the other.
  void by_elements(const Tile& c, const Band& rows, const Band& cols) {
    if (!rows.size || !cols.size) return;
    ValueId threads = b_.query(Op::ThreadsPerThreadgroup, 0);
    for (int dim : {1, 2}) {
      threads = b_.apply("*", {threads, b_.query(Op::ThreadsPerThreadgroup, dim)});
    }
    add(c, rows.begin, rows.size, cols.begin, cols.size, 0, b_.query(Op::ThreadIndexInThreadgroup),
        threads);
  }

  // Each thread all of them.
  std::vector<ValueId> by_thread(Operands sums) {
    const Builder::Loop loop = b_.begin_for(0, g_.k, 1, DType::U32, sums);
    std::vector<ValueId> left, right;
    for (int64_t i = 0; i < g_.m; ++i) left.push_back(load(g_.a, at_a(i, loop.index)));
    for (int64_t j = 0; j < g_.n; ++j) right.push_back(load(g_.b, at_b(loop.index, j)));
    std::vector<Operand> next;
    for (ValueId x : left) {
      for (ValueId y : right) next.emplace_back(term(x, y, loop.args[next.size()]));
    }
    return b_.end_for(next);
  }

 private:
  // ---- indices: numbers are combined here, so that nothing is emitted for them ----
  Operand plus(const Operand& x, const Operand& y) { return combine("+", x, y); }
  Operand times(const Operand& x, int64_t y) { return combine("*", x, y); }
  Operand combine(std::string_view op, const Operand& x, const Operand& y) {
    auto number = [](const Operand& z) -> std::optional<int64_t> {
      const Literal* l = std::get_if<Literal>(&z);
      return l ? std::optional(std::get<int64_t>(*l)) : std::nullopt;
    };
    const bool sum = op == "+";
    auto a = number(x), b = number(y);
    if (a && b) return sum ? *a + *b : *a * *b;
    if (b == (sum ? 0 : 1)) return x;
    if (a == (sum ? 0 : 1)) return y;
    return a ? b_.apply(op, {y, x}) : b_.apply(op, {x, y});
  }

  Operand at(const Tile& tile, bool transposed, const Operand& row, const Operand& col) {
    const Operand &slow = transposed ? col : row, &fast = transposed ? row : col;
    return plus(tile.offset, plus(times(slow, tile.pitch), fast));
  }
  Operand at_a(const Operand& i, const Operand& k) { return at(g_.a, g_.transpose_a, i, k); }
  Operand at_b(const Operand& k, const Operand& j) { return at(g_.b, g_.transpose_b, k, j); }

  // ---- elements ----
  ValueId load(const Tile& tile, const Operand& index) {
    return b_.cast(b_.load(tile.memory, index), g_.accumulate);
  }
  ValueId term(ValueId x, ValueId y, ValueId sum) {
    if (is_float(g_.accumulate)) return b_.apply("fma", {x, y, sum});
    return b_.apply("+", {b_.apply("*", {x, y}), sum});
  }

  // Adds the terms from k on to elements of c: those of the numbers first, first + step, ... in
  // rows x cols.
  void add(const Tile& c, const Operand& row, int64_t rows, const Operand& col, int64_t cols,
           int64_t k, ValueId first, const Operand& step) {
    const Builder::Loop each = b_.begin_for(first, rows * cols, step, DType::U32);
    const bool one_row = rows == 1;
    const Operand i = one_row ? row : plus(row, b_.apply("//", {each.index, cols}));
    const Operand j = plus(col, one_row ? each.index : b_.apply("%", {each.index, cols}));
    const Operand place = at(c, false, i, j);
    const Builder::Loop terms = b_.begin_for(k, g_.k, 1, DType::U32, {load(c, place)});
    ValueId x = load(g_.a, at_a(i, terms.index)), y = load(g_.b, at_b(terms.index, j));
    b_.store(c.memory, place, b_.end_for({term(x, y, terms.args[0])})[0]);
    b_.end_for();
  }

  // ---- SIMD-group matrices ----
  // Each SIMD-group takes every so many of the blocks.
  void blocks(const Tile& c, const Band& rows, const Band& cols) {
    const int64_t down = rows.size / rows.block, across = cols.size / cols.block;
    const Builder::Loop each =
        b_.begin_for(b_.query(Op::SimdgroupIndexInThreadgroup), down * across,
                     b_.query(Op::SimdgroupsPerThreadgroup), DType::U32);
    Operand row = 0, col = 0;
    if (down > 1) row = across == 1 ? each.index : b_.apply("//", {each.index, across});
    if (across > 1) col = down == 1 ? each.index : b_.apply("%", {each.index, across});
    block(c, plus(times(row, rows.block), rows.begin), rows.block,
          plus(times(col, cols.block), cols.begin), cols.block);
    b_.end_for();
  }

  void block(const Tile& c, const Operand& row, int64_t rows, const Operand& col, int64_t cols) {
    const int64_t depth = whole(g_.k);
    if (depth < g_.k) {
      // Its own lanes add the last terms, so that no other SIMD-group has to be waited for; the
      // lanes themselves wait for the matrices of a gemm before, and those of this one for them.
      const bool local = b_.type(c.memory).space() == AddressSpace::Threadgroup;
      const uint8_t flags = local ? kMemThreadgroup : kMemDevice;
      b_.barrier(Op::SimdBarrier, flags);
      add(c, row, rows, col, cols, depth, b_.query(Op::ThreadIndexInSimdgroup), kSimdWidth);
      b_.barrier(Op::SimdBarrier, flags);
    }
    std::vector<Operand> places, sums;
    for (int64_t i = 0; i < rows; i += kSide) {
      for (int64_t j = 0; j < cols; j += kSide) {
        places.push_back(at(c, false, plus(row, i), plus(col, j)));
        sums.emplace_back(b_.simd_matrix_load(c.memory, places.back(), c.pitch));
      }
    }
    const Builder::Loop loop = b_.begin_for(0, depth, kSide, DType::U32, sums);
    std::vector<ValueId> left, right;
    for (int64_t i = 0; i < rows; i += kSide) {
      const Operand place = at_a(plus(row, i), loop.index);
      left.push_back(b_.simd_matrix_load(g_.a.memory, place, g_.a.pitch, g_.transpose_a));
    }
    for (int64_t j = 0; j < cols; j += kSide) {
      const Operand place = at_b(loop.index, plus(col, j));
      right.push_back(b_.simd_matrix_load(g_.b.memory, place, g_.b.pitch, g_.transpose_b));
    }
    std::vector<Operand> next;
    for (ValueId x : left) {
      for (ValueId y : right) {
        next.emplace_back(b_.simd_matrix_multiply(x, y, loop.args[next.size()]));
      }
    }
    const std::vector<ValueId> results = b_.end_for(next);
    for (size_t n = 0; n < results.size(); ++n) {
      b_.simd_matrix_store(results[n], c.memory, places[n], c.pitch);
    }
  }

  Builder& b_;
  const Gemm& g_;
};

void check(const Builder& b, const Gemm& g) {
  if (g.m < 1 || g.n < 1 || g.k < 1) {
    fail(b, "M, N and K must be at least 1; they are ", g.m, ", ", g.n, " and ", g.k);
  }
  for (const auto& [name, tile, least] : {std::tuple("A", &g.a, g.transpose_a ? g.m : g.k),
                                          std::tuple("B", &g.b, g.transpose_b ? g.k : g.n)}) {
    if (tile->pitch < least) {
      fail(b, name, " has ", least, " elements in a row, and only ", tile->pitch,
           " from one row to the next");
    }
  }
}

// Why SIMD-group matrices cannot be used; "" where they can.
std::string obstacle(const Builder& b, const Gemm& g, const Tile& c) {
  if (std::min({g.m, g.n, g.k}) < kSide) {
    return concat("M, N and K of at least 8; they are ", g.m, ", ", g.n, " and ", g.k);
  }
  const DType left = b.type(g.a.memory).dtype, right = b.type(g.b.memory).dtype;
  const bool floats = is_float(left) && is_float(right) && is_float(g.accumulate);
  if (!floats || !can_multiply(left, right, g.accumulate)) {
    return concat("float, half or bfloat tiles of one type, accumulated in it or in float; A is ",
                  info(left).msl, ", B is ", info(right).msl, " and accum_dtype is ",
                  info(g.accumulate).msl);
  }
  const DType total = b.type(c.memory).dtype;
  if (total != g.accumulate) {
    return concat("C of the type that is accumulated; C is ", info(total).msl,
                  " and accum_dtype is ", info(g.accumulate).msl);
  }
  return "";
}

}  // namespace

void gemm(Builder& b, const Gemm& g, const Tile& c, std::optional<bool> simd_matrices) {
  check(b, g);
  if (c.pitch < g.n) {
    fail(b, "C has ", g.n, " elements in a row, and only ", c.pitch, " from one row to the next");
  }
  const std::string why_not = obstacle(b, g, c);
  if (simd_matrices == true && !why_not.empty()) fail(b, "use_simdgroup=True needs ", why_not);
  Products products(b, g);
  if (why_not.empty() && simd_matrices != false) {
    products.by_matrices(c);
  } else {
    products.by_elements(c, {0, g.m, 0}, {0, g.n, 0});
  }
}

std::vector<ValueId> gemm(Builder& b, const Gemm& g, std::span<const ValueId> sums) {
  check(b, g);
  if (sums.size() != static_cast<size_t>(g.m) * static_cast<size_t>(g.n)) {
    fail(b, "C has ", sums.size(), " elements, and M x N are ", g.m * g.n);
  }
  std::vector<Operand> inits;
  for (ValueId v : sums) inits.emplace_back(b.cast(v, g.accumulate));
  std::vector<ValueId> results = Products(b, g).by_thread(inits);
  for (size_t n = 0; n < results.size(); ++n) {
    results[n] = b.cast(results[n], b.type(sums[n]).dtype);
  }
  return results;
}

}  // namespace enigma
