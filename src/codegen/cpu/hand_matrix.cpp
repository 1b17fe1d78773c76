// Lowerings of matrices, whose elements stand column by column. Sums go from the first to the last.
#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

using Parts = std::vector<V>;

/// An operand by row and column; a vector is a column, or a row where `flat` says so.
struct Grid {
  const Parts& v;
  int rows, cols;
  Grid(const WholeArgs::Operand& x, bool flat = false)
      : v(x.v), rows(flat ? 1 : x.type.rows), cols(flat ? x.type.rows : x.type.cols) {}
  const V& at(int row, int col) const {
    return v[static_cast<size_t>(rows == 1 ? col : col * rows + row)];
  }
};

template <class Pair>
Parts pairwise(const WholeArgs& a, Pair pair) {
  Parts out;
  for (size_t k = 0; k < a.x[0].v.size(); ++k) out.push_back(pair(a.x[0].v[k], a.x[1].v[k]));
  return out;
}

Parts scaled(const Parts& m, const V& by) {
  Parts out;
  for (const V& x : m) out.push_back(x * by);
  return out;
}

/// By the first row of those from `row` on, over the columns that are left.
V determinant(const Grid& m, int row, const std::vector<int>& left) {
  if (left.size() == 2) {
    return m.at(row, left[0]) * m.at(row + 1, left[1]) -
           m.at(row, left[1]) * m.at(row + 1, left[0]);
  }
  V sum;
  for (size_t k = 0; k < left.size(); ++k) {
    std::vector<int> others = left;
    others.erase(others.begin() + static_cast<ptrdiff_t>(k));
    V term = m.at(row, left[k]) * determinant(m, row + 1, others);
    sum = k == 0 ? term : k % 2 ? sum - term : sum + term;
  }
  return sum;
}

}  // namespace

template <>
Parts whole<Op::AddM>(Expr&, const WholeArgs& a) {
  return pairwise(a, [](const V& x, const V& y) { return x + y; });
}

template <>
Parts whole<Op::SubM>(Expr&, const WholeArgs& a) {
  return pairwise(a, [](const V& x, const V& y) { return x - y; });
}

template <>
Parts whole<Op::ScaleM>(Expr&, const WholeArgs& a) {
  return scaled(a.x[0].v, a.x[1].v[0]);
}

template <>
Parts whole<Op::ScaleMLeft>(Expr&, const WholeArgs& a) {
  return scaled(a.x[1].v, a.x[0].v[0]);
}

template <>
Parts whole<Op::MatMul>(Expr&, const WholeArgs& a) {
  Grid x(a.x[0], a.x[0].type.is_vector()), y(a.x[1]);
  Parts out;
  for (int col = 0; col < y.cols; ++col) {
    for (int row = 0; row < x.rows; ++row) {
      V sum = x.at(row, 0) * y.at(0, col);
      for (int k = 1; k < x.cols; ++k) sum = sum + x.at(row, k) * y.at(k, col);
      out.push_back(sum);
    }
  }
  return out;
}

template <>
Parts whole<Op::Transpose>(Expr&, const WholeArgs& a) {
  Grid m(a.x[0]);
  Parts out;
  for (int row = 0; row < m.rows; ++row) {
    for (int col = 0; col < m.cols; ++col) out.push_back(m.at(row, col));
  }
  return out;
}

template <>
Parts whole<Op::Determinant>(Expr&, const WholeArgs& a) {
  Grid m(a.x[0]);
  std::vector<int> all;
  for (int col = 0; col < m.cols; ++col) all.push_back(col);
  return {determinant(m, 0, all)};
}

}  // namespace enigma::cpu
