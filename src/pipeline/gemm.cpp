// Products of tiles, written with the Builder's operations.

#include "enigma/gemm.h"

#include <algorithm>

#include "enigma/limits.h"
#include "ir/literal.h"
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

// How SIMD-group matrices share C: blocks of a few, with which SIMD-groups take turns.
struct Plan {
  explicit Plan(const Gemm& g) {
    const int64_t rows = whole(g.m), cols = whole(g.n);
    // 8 sums are 16 registers of each thread, and what is loaded is used the more often the more
    // there are; but four SIMD-groups, which threadgroups often have, shall all find work.
    constexpr int64_t kCols = 4 * kSide, kEnough = 4;
    const bool few = rows / (2 * kSide) * ((cols + kCols - 1) / kCols) < kEnough;
    down = bands(rows, few ? kSide : 2 * kSide);
    across = bands(cols, kCols);
  }
  /// The SIMD-groups that find work at most.
  int64_t simdgroups() const {
    const int64_t most = down[0].size / down[0].block * (across[0].size / across[0].block);
    return std::min<int64_t>(most, kMaxThreadsPerThreadgroup / kSimdWidth);
  }
  std::vector<Band> down, across;
};

class Products {
 public:
  Products(Builder& b, const Gemm& g) : b_(b), g_(g) {}

  // What is no multiple of 8 is left to threads that have an element each.
  void by_matrices(const Tile& c, const Plan& plan) {
    const int64_t rows = whole(g_.m), cols = whole(g_.n);
    if (b_.type(c.memory).dtype != g_.accumulate) {
      room_ = b_.threadgroup_alloc(g_.accumulate, plan.simdgroups() * kSide * kSide);
      b_.set_name(room_, "gemm_sums");
    }
    for (const Band& down : plan.down) {
      for (const Band& across : plan.across) blocks(c, down, across);
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
  // ---- indices: numbers are combined here and come last, so that places near each other differ by
  // ---- a number alone ----
  struct Parts {
    Operand traced;  // 0 where nothing is
    int64_t known;
  };
  Parts apart(const Operand& x) const {
    if (const Literal* l = std::get_if<Literal>(&x)) return {0, std::get<int64_t>(*l)};
    const auto [rest, known] = b_.apart(std::get<ValueId>(x));
    return {rest, known};
  }
  Operand joined(const Operand& traced, int64_t known) {
    if (!std::holds_alternative<ValueId>(traced)) return known;
    return known ? b_.apply("+", {traced, known}) : traced;
  }
  Operand plus(const Operand& x, const Operand& y) {
    const Parts a = apart(x), b = apart(y);
    const bool both =
        std::holds_alternative<ValueId>(a.traced) && std::holds_alternative<ValueId>(b.traced);
    const Operand& one = std::holds_alternative<ValueId>(a.traced) ? a.traced : b.traced;
    return joined(both ? Operand(b_.apply("+", {a.traced, b.traced})) : one, a.known + b.known);
  }
  Operand times(const Operand& x, int64_t y) {
    if (y == 1) return x;
    const Parts a = apart(x);
    if (!std::holds_alternative<ValueId>(a.traced)) return a.known * y;
    return joined(b_.apply("*", {a.traced, y}), a.known * y);
  }

  Operand at(const Tile& tile, bool transposed, const Operand& row, const Operand& col) {
    const Operand &slow = transposed ? col : row, &fast = transposed ? row : col;
    return plus(tile.offset, plus(times(slow, tile.pitch), fast));
  }
  Operand at_a(const Operand& i, const Operand& k) { return at(g_.a, g_.transpose_a, i, k); }
  Operand at_b(const Operand& k, const Operand& j) { return at(g_.b, g_.transpose_b, k, j); }
  Operand at_c(const Tile& c, const std::pair<Operand, Operand>& place) {
    return at(c, false, place.first, place.second);
  }

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
    b_.store(c.memory, place, terms(load(c, place), i, j, k));
    b_.end_for();
  }

  // A sum, and the terms of an element from k on.
  ValueId terms(ValueId sum, const Operand& i, const Operand& j, int64_t k) {
    const Builder::Loop loop = b_.begin_for(k, g_.k, 1, DType::U32, {sum});
    ValueId x = load(g_.a, at_a(i, loop.index)), y = load(g_.b, at_b(loop.index, j));
    return b_.end_for({term(x, y, loop.args[0])})[0];
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
    const bool direct = !room_;
    if (direct && depth < g_.k) {
      // Its own lanes add the last terms, so that no other SIMD-group has to be waited for; the
      // lanes themselves wait for the matrices of a gemm before, and those of this one for them.
      const bool local = b_.type(c.memory).space() == AddressSpace::Threadgroup;
      const uint8_t flags = local ? kMemThreadgroup : kMemDevice;
      b_.barrier(Op::SimdBarrier, flags);
      add(c, row, rows, col, cols, depth, b_.query(Op::ThreadIndexInSimdgroup), kSimdWidth);
      b_.barrier(Op::SimdBarrier, flags);
    }
    std::vector<std::pair<Operand, Operand>> places;  // of the matrices' first elements
    std::vector<Operand> sums;
    for (int64_t i = 0; i < rows; i += kSide) {
      for (int64_t j = 0; j < cols; j += kSide) {
        places.emplace_back(plus(row, i), plus(col, j));
        sums.emplace_back(direct ? b_.simd_matrix_load(c.memory, at_c(c, places.back()), c.pitch)
                                 : b_.simd_matrix(g_.accumulate, 0.0));
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
      if (direct) {
        b_.simd_matrix_store(results[n], c.memory, at_c(c, places[n]), c.pitch);
      } else {
        add_matrix(results[n], c, places[n].first, places[n].second, depth);
      }
    }
  }

  // Metal stores a matrix to memory of its own type alone: to the SIMD-group's room, from where
  // each lane takes two elements, and adds them, and the terms from k on, to those of c.
  void add_matrix(ValueId matrix, const Tile& c, const Operand& row, const Operand& col,
                  int64_t k) {
    const ValueId lane = b_.query(Op::ThreadIndexInSimdgroup);
    const Operand begin = times(b_.query(Op::SimdgroupIndexInThreadgroup), kSide * kSide);
    const Operand i = b_.apply(">>", {lane, 3}), j = plus(col, b_.apply("&", {lane, kSide - 1}));
    b_.simd_matrix_store(matrix, room_, begin, kSide);
    b_.barrier(Op::SimdBarrier, kMemThreadgroup);
    for (int64_t half : {0, 1}) {
      const Operand y = plus(plus(row, half * kSide / 2), i), place = at(c, false, y, j);
      const Operand from = plus(plus(begin, half * kSimdWidth), lane);
      ValueId sum = b_.apply("+", {load(c, place), b_.load(room_, from)});
      if (k < g_.k) sum = terms(sum, y, j, k);
      b_.store(c.memory, place, sum);
    }
    b_.barrier(Op::SimdBarrier, kMemThreadgroup);
  }

  Builder& b_;
  const Gemm& g_;
  ValueId room_;  // where C is of another type than the sums: a matrix for each SIMD-group
};

void check(const Builder& b, const char* name, const Tile& tile, int64_t width) {
  if (tile.pitch < width) {
    fail(b, name, " has ", width, " elements in a row, and only ", tile.pitch,
         " from one row to the next; give a pitch of at least as many");
  }
  const Literal* l = std::get_if<Literal>(&tile.offset);
  const auto* known = l ? std::get_if<int64_t>(l) : nullptr;
  const Type type = l ? Type{} : b.type(std::get<ValueId>(tile.offset));
  if (known ? *known < 0 : !type.is_scalar() || !is_integer(type.dtype)) {
    fail(b, "the offset of ", name, " is ", l ? to_string(*l) : to_string(type),
         "; it counts elements, an int of at least 0 or an integer value");
  }
}

void check(const Builder& b, const Gemm& g) {
  if (g.m < 1 || g.n < 1 || g.k < 1) {
    fail(b, "M, N and K must be at least 1; they are ", g.m, ", ", g.n, " and ", g.k);
  }
  check(b, "A", g.a, g.transpose_a ? g.m : g.k);
  check(b, "B", g.b, g.transpose_b ? g.k : g.n);
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
  if (total == g.accumulate) return "";
  if (!is_float(total)) {
    return concat("C of a float type; C is ", info(total).msl, " and accum_dtype is ",
                  info(g.accumulate).msl);
  }
  const int64_t bytes = Plan(g).simdgroups() * kSide * kSide * byte_size(g.accumulate);
  const auto left_bytes = kThreadgroupBytes - static_cast<int64_t>(threadgroup_bytes(b.module()));
  if (bytes > left_bytes) {
    return concat(bytes, " bytes of threadgroup memory, to convert sums of ",
                  info(g.accumulate).msl, " to the ", info(total).msl, " of C; ", left_bytes,
                  " are left");
  }
  return "";
}

}  // namespace

void gemm(Builder& b, const Gemm& g, const Tile& c, std::optional<bool> simd_matrices) {
  check(b, g);
  check(b, "C", c, g.n);
  const std::string why_not = obstacle(b, g, c);
  if (simd_matrices == true && !why_not.empty()) fail(b, "use_simdgroup=True needs ", why_not);
  Products products(b, g);
  if (why_not.empty() && simd_matrices != false) {
    products.by_matrices(c, Plan(g));
  } else {
    products.by_elements(c, {0, g.m, 0}, {0, g.n, 0});
  }
}

std::vector<ValueId> gemm(Builder& b, const Gemm& g, std::span<const ValueId> sums) {
  check(b, g);
  if (sums.size() != static_cast<size_t>(g.m) * static_cast<size_t>(g.n)) {
    fail(b, "C has ", sums.size(), " elements, and M x N are ", g.m * g.n, "; give as many");
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
