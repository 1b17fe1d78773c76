// Index formulas: an access index is followed back to positions, sizes, scalars and constants.

#include "ir/extent.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "ir/locations.h"
#include "ir/signature.h"
#include "support/floats.h"

namespace enigma {
namespace {

// A polynomial in the symbols of IndexTerm: sorted factors to coefficient.
using Polynomial = std::map<std::vector<uint32_t>, int64_t>;

bool is_position(uint32_t symbol) { return symbol <= IndexTerm::kPositionZ; }

// Positions in a term: with more than one, or with a square, extremes need not lie at a corner that
// the signs of the coefficients tell.
int positions_in(const std::vector<uint32_t>& factors) {
  return static_cast<int>(std::count_if(factors.begin(), factors.end(), is_position));
}

class Formulas {
 public:
  explicit Formulas(const Module& m) : m_(m), known_(m.values.size()) {
    for (size_t p = 0; p < m.params.size(); ++p) {
      const Param& param = m.params[p];
      if (param.is_scalar && is_integer(param.dtype)) {
        set(param.value, {{{IndexTerm::kScalar + static_cast<uint32_t>(p)}, 1}});
      }
    }
    auto symbol = IndexTerm::kScalar + static_cast<uint32_t>(m.params.size());
    for (const FunctionConstant& c : function_constants(m)) {
      for (ValueId v : c.values) {
        if (is_integer(c.dtype)) set(v, {{{symbol}, 1}});
      }
      ++symbol;
    }
  }

  /// Instructions are visited once in order, so operands come before their users.
  void visit(const Instruction& inst) {
    if (inst.results.size() != 1) return;
    ValueId result = inst.results[0];
    Type type = m_.type(result);
    if (!type.is_scalar() || !is_integer(type.dtype) || info(type.dtype).bits < 32) return;
    if (known_[result.index]) return;
    if (auto p = formula(inst, type)) set(result, std::move(*p));
  }

  const std::optional<Polynomial>& operator[](ValueId v) const { return known_[v.index]; }

 private:
  void set(ValueId v, Polynomial p) {
    std::erase_if(p, [](const auto& term) { return term.second == 0; });
    constexpr size_t kMaxTerms = 8;  // longer ones are not worth checking at each launch
    if (p.size() <= kMaxTerms) known_[v.index] = std::move(p);
  }

  std::optional<Polynomial> formula(const Instruction& inst, Type type) const {
    switch (inst.op) {
      case Op::Constant:
        return Polynomial{{{}, to_integer(type.dtype, inst.attr)}};
      case Op::ThreadPositionInGrid:
        return Polynomial{{{IndexTerm::kPositionX + static_cast<uint32_t>(inst.attr)}, 1}};
      case Op::ThreadsPerGrid:
        return Polynomial{{{IndexTerm::kGridX + static_cast<uint32_t>(inst.attr)}, 1}};
      case Op::Cast:
        return known_[inst.operands[0].index];
      case Op::AddI:
      case Op::SubI:
        return sum(inst, inst.op == Op::AddI ? 1 : -1);
      case Op::MulI:
        return product(inst);
      default:
        return std::nullopt;
    }
  }

  std::optional<Polynomial> sum(const Instruction& inst, int64_t sign) const {
    const auto& a = known_[inst.operands[0].index];
    const auto& b = known_[inst.operands[1].index];
    if (!a || !b) return std::nullopt;
    Polynomial out = *a;
    for (const auto& [factors, coefficient] : *b) {
      if (__builtin_add_overflow(out[factors], sign * coefficient, &out[factors]))
        return std::nullopt;
    }
    return out;
  }

  std::optional<Polynomial> product(const Instruction& inst) const {
    const auto& a = known_[inst.operands[0].index];
    const auto& b = known_[inst.operands[1].index];
    if (!a || !b) return std::nullopt;
    Polynomial out;
    for (const auto& [fa, ca] : *a) {
      for (const auto& [fb, cb] : *b) {
        std::vector<uint32_t> factors = fa;
        factors.insert(factors.end(), fb.begin(), fb.end());
        std::sort(factors.begin(), factors.end());
        int64_t coefficient = 0;
        if (positions_in(factors) > 1 || __builtin_mul_overflow(ca, cb, &coefficient) ||
            __builtin_add_overflow(out[factors], coefficient, &out[factors])) {
          return std::nullopt;
        }
      }
    }
    return out;
  }

  const Module& m_;
  std::vector<std::optional<Polynomial>> known_;
};

}  // namespace

std::vector<IndexBound> index_bounds(const Module& m) {
  Formulas formulas(m);
  LocationTable locations(m);
  std::vector<IndexBound> bounds;
  std::set<std::pair<uint32_t, Polynomial>> seen;
  for (InstId id : m[m.body].insts) {
    const Instruction& inst = m[id];
    formulas.visit(inst);
    if (inst.op != Op::Load && inst.op != Op::Store) continue;
    auto param = std::find_if(m.params.begin(), m.params.end(),
                              [&](const Param& p) { return p.value == inst.operands[0]; });
    const auto& index = formulas[inst.operands[1]];
    if (param == m.params.end() || !index) continue;
    IndexBound bound{static_cast<uint32_t>(param - m.params.begin()), locations[id], {}};
    Polynomial last = *index;
    if (inst.attr) last[{}] += static_cast<int64_t>(inst.attr) - 1;  // of a vector
    for (const auto& [factors, coefficient] : last) bound.terms.push_back({coefficient, factors});
    if (seen.emplace(bound.param, last).second) bounds.push_back(std::move(bound));
  }
  return bounds;
}

}  // namespace enigma
