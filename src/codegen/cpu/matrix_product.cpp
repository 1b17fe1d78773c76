// Products of SIMD-group matrices: those that share their left factor are one panel, with a row of
// each of the right ones side by side, so that an element of the left factor is spread once for all
// of them. The panel's sums stay in registers; its factors are read from memory as they are needed.
#include <algorithm>
#include <bit>
#include <set>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

constexpr int kSide = kMatrixSide;

}  // namespace

// ---- which products go together -----------------------------------------------------------------

bool Body::awaits_product(const Instruction& inst) const {
  if (pending_.empty()) return false;
  return !inst.regions.empty() || writes_memory(inst.op) ||
         std::any_of(inst.operands.begin(), inst.operands.end(),
                     [&](ValueId v) { return is_pending_[v.index]; });
}

// The first product and those that go with it. Their sums take half of the registers, the factors
// what they need of the rest; their number is a power of two.
Body::Panel Body::take_panel(std::vector<InstId>& products) const {
  const auto most = static_cast<size_t>(std::max(1, vectors_ / 4));
  auto alike = [&](InstId id) {
    const Instruction &inst = m_[id], &first = m_[products[0]];
    return inst.operands[0] == first.operands[0] &&
           m_.type(inst.results[0]) == m_.type(first.results[0]);
  };
  auto count = static_cast<size_t>(std::count_if(products.begin(), products.end(), alike));
  const size_t width = std::bit_floor(std::min(most, count));
  Panel panel, others;
  for (InstId id : products) {
    (panel.size() < width && alike(id) ? panel : others).push_back(id);
  }
  products = std::move(others);
  return panel;
}

void Body::multiply_pending() {
  while (!pending_.empty()) {
    Panel panel = take_panel(pending_);
    for (InstId id : panel) is_pending_[m_[id].results[0].index] = false;
    keep_sums(panel, add_products(panel, sums_of(panel)));
  }
}

// ---- a panel ------------------------------------------------------------------------------------

Body::Factor Body::factor(ValueId v) {
  if (homes_.in_place[v.index]) return in_place_[v.index];
  return {home(v), e_.i64(kHomePitch), e_.i64(1)};
}

namespace {

// A sum of values and of a number.
struct Sum {
  std::multiset<ValueId> values;
  uint64_t number = 0;
};

void add_up(const Module& m, ValueId v, Sum& sum) {
  const Instruction* def = m.def(v);
  constexpr size_t kMost = 16;
  if (def && def->op == Op::AddI && sum.values.size() < kMost) {
    for (ValueId x : def->operands) add_up(m, x, sum);
  } else if (auto number = m.constant(v)) {
    sum.number += *number;
  } else {
    sum.values.insert(v);
  }
}

}  // namespace

// Whether the right factors were loaded from places that follow each other, so that a row of all of
// them is one piece. An index that has passed its check did not wrap in 32 bits.
bool Body::side_by_side(const Panel& panel) const {
  std::vector<Sum> sums;
  const Instruction* first = m_.def(m_[panel[0]].operands[1]);
  for (InstId id : panel) {
    ValueId v = m_[id].operands[1];
    const Instruction* load = m_.def(v);
    if (!homes_.in_place[v.index] || load->operands[0] != first->operands[0] ||
        load->operands[2] != first->operands[2] || !m_.def(load->operands[0]) ||
        info(m_.type(load->operands[1]).dtype).bits < 32) {
      return false;
    }
    add_up(m_, load->operands[1], sums.emplace_back());
    uint64_t apart = sums.back().number - sums[0].number;
    if (sums.back().values != sums[0].values || apart != kSide * (sums.size() - 1)) return false;
  }
  return true;
}

// The rows of what the products are added to.
std::vector<V> Body::sums_of(const Panel& panel) {
  std::vector<ValueId> sums;
  std::vector<V> homes, rows;
  for (InstId id : panel) sums.push_back(m_[id].operands[2]);
  const bool one_piece = are_neighbours(sums);
  const int lanes = one_piece ? kSide * static_cast<int>(sums.size()) : kSide;
  if (one_piece) sums.resize(1);
  for (ValueId v : sums) homes.push_back(home(v));
  for (int r = 0; r < kSide; ++r) {
    std::vector<V> xs;
    for (const V& home : homes) {
      xs.push_back(floats(element(home, DType::F32, e_.i64(r * kHomePitch)), lanes));
    }
    rows.push_back(joined(e_, std::move(xs)));
  }
  return rows;
}

void Body::keep_sums(const Panel& panel, const std::vector<V>& sums) {
  std::vector<ValueId> results;
  for (InstId id : panel) results.push_back(m_[id].results[0]);
  if (are_neighbours(results)) return put_rows(home(results[0]), sums);
  for (size_t n = 0; n < panel.size(); ++n) {
    std::vector<V> rows;
    for (const V& x : sums) rows.push_back(part(e_, x, x, static_cast<int>(n) * kSide, kSide));
    put_rows(home(results[n]), rows);
  }
}

// Sums in the order of k, as Metal's lanes have it: fused, in float, rounded once at the end. A
// turn of the loop takes column k of the left factor and row k of each right one.
std::vector<V> Body::add_products(const Panel& panel, const std::vector<V>& sums) {
  Factor left = factor(m_[panel[0]].operands[0]);
  std::vector<Factor> right;
  std::vector<ValueId> right_factors;
  for (InstId id : panel) {
    right_factors.push_back(m_[id].operands[1]);
    right.push_back(factor(right_factors.back()));
  }
  const bool in_one_piece = side_by_side(panel) || are_neighbours(right_factors);
  std::vector<V> state{e_.i64(0)};
  state.insert(state.end(), sums.begin(), sums.end());
  state = e_.loop(state, [&](const std::vector<V>& now, std::vector<V>& next) {
    V row;
    if (in_one_piece) {
      V at = element(right[0].first, DType::F32, now[0] * right[0].row);
      row = floats(at, kSide * static_cast<int>(right.size()));
    } else {
      std::vector<V> xs;
      for (const Factor& f : right) {
        xs.push_back(floats(element(f.first, DType::F32, now[0] * f.row), kSide));
      }
      row = joined(e_, std::move(xs));
    }
    V column = element(left.first, DType::F32, now[0] * left.column);
    next.push_back(now[0] + 1);
    for (int r = 0; r < kSide; ++r) {
      V at = r == 0 ? column : element(column, DType::F32, left.row * e_.i64(r));
      V x = e_.emit(Elem::F32, 1, concat("load float, ", at.typed(), ", align 4"));
      next.push_back(e_.fma(e_.splat(x, row.lanes), row, now[next.size()]));
    }
    return e_.cmp("ne", next[0], kSide);
  });
  DType dtype = m_.type(m_[panel[0]].results[0]).dtype;
  std::vector<V> rounded;
  for (int r = 0; r < kSide; ++r) rounded.push_back(round_to(dtype, state[r + 1]));
  return rounded;
}

// ---- loops that add products --------------------------------------------------------------------

// A loop that does nothing else, to sums that it carries. It may then run once for each panel.
bool Body::accumulates(const Instruction& loop) const {
  std::span<const ValueId> args = m_[loop.regions[0]].args;
  size_t products = 0;
  for (InstId id : m_[loop.regions[0]].insts) {
    const Instruction& inst = m_[id];
    if (inst.op == Op::SimdMatrixMultiply) {
      ValueId sum = inst.operands[2];
      bool carried = std::find(args.begin() + 1, args.end(), sum) != args.end();
      if (!carried || homes_.of[inst.results[0].index] != homes_.of[sum.index]) return false;
      ++products;
    } else if (inst.op == Op::Yield) {
      for (size_t k = 0; k < inst.operands.size(); ++k) {
        if (homes_.of[inst.operands[k].index] != homes_.of[args[k + 1].index]) return false;
      }
    } else {
      Shape shape = info(inst.op).shape;
      bool computes = shape == Shape::Map || shape == Shape::Cast || shape == Shape::Constant;
      if (!computes && inst.op != Op::SimdMatrixLoad) return false;
    }
  }
  return products > 0 && products == args.size() - 1;
}

std::vector<InstId> Body::products_of(const Instruction& loop) const {
  std::vector<InstId> products;
  for (InstId i : m_[loop.regions[0]].insts) {
    if (m_[i].op == Op::SimdMatrixMultiply) products.push_back(i);
  }
  return products;
}

int64_t Body::number_of_panels(const Instruction& loop) const {
  std::vector<InstId> products = products_of(loop);
  int64_t panels = 0;
  for (; !products.empty(); ++panels) take_panel(products);
  return panels;
}

// By instruction of the body: whether the panel's factors come from it.
std::vector<bool> Body::needed_by(const Panel& panel, RegionId body) const {
  std::vector<bool> wanted(m_.values.size()), needed;
  for (InstId id : panel) {
    for (size_t k = 0; k < 2; ++k) wanted[m_[id].operands[k].index] = true;
  }
  const std::vector<InstId>& insts = m_[body].insts;
  for (size_t k = insts.size(); k-- > 0;) {
    const Instruction& inst = m_[insts[k]];
    bool takes = inst.op != Op::SimdMatrixMultiply &&
                 std::any_of(inst.results.begin(), inst.results.end(),
                             [&](ValueId v) { return wanted[v.index]; });
    needed.push_back(takes);
    if (!takes) continue;
    for (ValueId v : inst.operands) wanted[v.index] = true;
  }
  std::reverse(needed.begin(), needed.end());
  return needed;
}

// One panel after the other makes all turns, with its sums in registers.
void Body::loop_accumulating(InstId id) {
  const Instruction& inst = m_[id];
  RegionId body = inst.regions[0];
  std::span<const ValueId> inits = inst.operands, args = m_[body].args;
  hand_on(inits.subspan(3), args.subspan(1));
  V count = trip_count(inst, false);
  const std::vector<V> first = first_index(inst);
  std::vector<InstId> products = products_of(inst);
  for (int64_t number = 0; !products.empty(); ++number) {
    if (overlap_) overlap_->panel = number;
    const Panel panel = take_panel(products);
    const std::vector<bool> needed = needed_by(panel, body);
    std::vector<V> state = sums_of(panel);
    state.insert(state.begin(), first.begin(), first.end());
    turns(inst, count, state, [&](const std::vector<V>& sums) {
      size_t checks = checks_.size();
      for (size_t k = 0; k < needed.size(); ++k) {
        if (needed[k]) write_instruction(m_[body].insts[k], Mask{});
      }
      forget_checks(checks);
      return add_products(panel, sums);
    });
    keep_sums(panel, {state.begin() + static_cast<ptrdiff_t>(first.size()), state.end()});
  }
}

}  // namespace enigma::cpu
