// Proofs of divergence, by integers as uniform + coefficient * position of the thread, and of loops
// that do not end.

#include "ir/divergence.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "ir/signature.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

// What tells the threads of a group apart. A position in the grid is one in the threadgroup plus
// what all threads of the threadgroup share.
enum Basis : uint8_t { kX, kY, kZ, kLinear, kLane, kSimdgroup, kNumBases };
constexpr std::array<int64_t, kNumBases> kGreatest = {1023, 1023, 1023, 1023, 31, 31};

// An integer as a threadgroup-uniform part plus the sum of coefficient[b] * b.
struct Affine {
  std::array<int64_t, kNumBases> coefficient{};
  bool zero_offset = false;  // the uniform part is 0: the value's range is known

  bool uniform() const {
    for (int64_t c : coefficient) {
      if (c) return false;
    }
    return true;
  }
  // The only basis with a coefficient; two of them could cancel.
  std::optional<Basis> single() const {
    std::optional<Basis> found;
    for (int b = 0; b < kNumBases; ++b) {
      if (!coefficient[static_cast<size_t>(b)]) continue;
      if (found) return std::nullopt;
      found = static_cast<Basis>(b);
    }
    return found;
  }
};

// Who would have to meet at a barrier, and does not.
struct Divergence {
  bool group = false;
  bool simd = false;
  Divergence operator|(Divergence o) const { return {group || o.group, simd || o.simd}; }
};

class Proofs {
 public:
  Proofs(const Module& m, const Uniformity& u)
      : m_(m), u_(u), affine_(m.values.size()), divergent_(m.values.size()) {}

  void region(RegionId r, Divergence outside, InstId cause) {
    for (InstId i : m_[r].insts) {
      const Instruction& inst = m_[i];
      if (inst.op == Op::Barrier && outside.group) refuse(i, cause, "threadgroup");
      if (inst.op == Op::SimdBarrier && outside.simd) refuse(i, cause, "SIMD-group");
      if (info(inst.op).shape == Shape::SimdMatrix) simd_matrix(i, outside, cause);
      if (inst.regions.empty()) {
        visit(inst);
        continue;
      }
      Divergence here = own_divergence(inst);
      const bool is_new = here.group || here.simd;
      for (RegionId inner : inst.regions) {
        region(inner, outside | here, is_new ? i : cause);
        if (inst.op != Op::While || inner != inst.regions[0]) continue;
        here = here | of(m_[m_[inner].insts.back()].operands[0]);
        if (here.group || here.simd) {
          region_again(inner, outside | here, i);
          cause = i;
        }
      }
      whole_matrices(i);
    }
  }

 private:
  // "an if_ whose condition differs between threads of a SIMD-group (line 7)"
  std::string difference(InstId cause, const char* group) const {
    const char* what = m_[cause].op == Op::If    ? "an if_ whose condition"
                       : m_[cause].op == Op::For ? "a loop whose number of turns"
                                                 : "a while_ whose condition";
    const uint32_t line = m_.location(cause).line;
    return concat(what, " differs between threads of a ", group,
                  line ? concat(" (line ", line, ")") : "");
  }

  // All lanes of the SIMD-group work on one matrix.
  void simd_matrix(InstId id, Divergence outside, InstId cause) const {
    const Instruction& inst = m_[id];
    const OpInfo& row = info(inst.op);
    if (outside.simd) {
      throw Error(concat(row.python, " inside ", difference(cause, "SIMD-group"),
                         ": all its 32 threads hold the matrix together; let conditions depend on "
                         "simdgroup_index_in_threadgroup() instead"),
                  m_.location(id));
    }
    for (size_t k = 0; k < row.operands.size(); ++k) {
      if (row.operands[k] != 'x') continue;
      auto x = affine(inst.operands[k]);
      auto basis = x ? x->single() : std::nullopt;
      if (!basis || *basis == kSimdgroup) continue;
      throw Error(
          concat("the ", k == 1 ? "offset" : "elements_per_row", " of ", row.python,
                 " differs between threads of a SIMD-group, which hold the matrix together; "
                 "compute it from simdgroup_index_in_threadgroup() and what is the same "
                 "for all of them"),
          m_.location(id));
    }
  }

  // A matrix that some lanes replace and others do not is none.
  void whole_matrices(InstId id) const {
    const Instruction& inst = m_[id];
    auto is_matrix = [&](ValueId v) { return m_.type(v).is_simd_matrix(); };
    auto matrix = std::find_if(inst.results.begin(), inst.results.end(), is_matrix);
    if (matrix == inst.results.end()) return;
    Level control = Level::Grid;
    if (inst.op == Op::While) {
      control = u_[m_[m_[inst.regions[0]].insts.back()].operands[0]];
    } else {
      for (size_t k = 0; k < (inst.op == Op::If ? 1 : 3); ++k) {
        control = std::max(control, u_[inst.operands[k]]);
      }
    }
    if (control <= Level::Simd) return;
    const std::string& name = m_.name_of(*matrix);
    throw Error(concat(name.empty() ? "a SIMD-group matrix" : name, " is changed in ",
                       difference(id, "SIMD-group"),
                       ", whose 32 threads hold the matrix together; let it depend on "
                       "simdgroup_index_in_threadgroup() and what is the same for all of them"),
                m_.location(id));
  }

  [[noreturn]] void refuse(InstId barrier, InstId cause, const char* group) const {
    const bool is_if = m_[cause].op == Op::If;
    throw Error(concat("barrier inside ", difference(cause, group),
                       ": threads that wait there would wait forever; move the barrier out of the ",
                       is_if ? "if_" : "loop", ", and keep only the loads and stores inside"),
                m_.location(barrier));
  }

  // What meets in a while's condition region, once its condition is known to diverge.
  void region_again(RegionId r, Divergence d, InstId cause) const {
    for (InstId i : m_[r].insts) {
      if (m_[i].op == Op::Barrier && d.group) refuse(i, cause, "threadgroup");
      if (m_[i].op == Op::SimdBarrier && d.simd) refuse(i, cause, "SIMD-group");
      if (info(m_[i].op).shape == Shape::SimdMatrix) simd_matrix(i, d, cause);
    }
  }

  Divergence own_divergence(const Instruction& inst) const {
    if (inst.op == Op::If) return of(inst.operands[0]);
    if (inst.op != Op::For) return {};
    // Turns are (hi - lo) / step: with a step as small as the distance between neighbours, each
    // thread has its own number of them; with a greater one all may have the same.
    auto lo = affine(inst.operands[0]), hi = affine(inst.operands[1]);
    auto step = known_integer(m_, inst.operands[2]);
    if (!lo || !hi || !step) return {};
    Affine distance = combine(*hi, *lo, -1);
    auto basis = distance.single();
    if (!basis || std::llabs(*step) > std::llabs(distance.coefficient[*basis])) return {};
    return over(*basis);
  }

  static Divergence over(Basis b) { return {true, b != kSimdgroup}; }
  Divergence of(ValueId condition) const { return divergent_[condition.index]; }

  std::optional<Affine> affine(ValueId v) const {
    if (u_[v] <= Level::Group) {
      Affine a;
      a.zero_offset = known_integer(m_, v) == 0;
      return a;
    }
    return affine_[v.index];
  }

  static Affine combine(const Affine& a, const Affine& b, int64_t sign) {
    Affine out;
    for (size_t k = 0; k < kNumBases; ++k) {
      // Unsigned, for coefficients may come from any constants of the user's.
      out.coefficient[k] = static_cast<int64_t>(static_cast<uint64_t>(a.coefficient[k]) +
                                                static_cast<uint64_t>(sign) *
                                                    static_cast<uint64_t>(b.coefficient[k]));
    }
    out.zero_offset = a.zero_offset && b.zero_offset;
    return out;
  }

  static Affine basis(Basis b, bool zero_offset) {
    Affine a;
    a.coefficient[b] = 1;
    a.zero_offset = zero_offset;
    return a;
  }

  void visit(const Instruction& inst) {
    if (inst.results.size() != 1) return;
    const ValueId v = inst.results[0];
    const Type t = m_.type(v);
    if (!t.is_scalar()) return;
    if (t.dtype == DType::B1) {
      divergent_[v.index] = condition(inst);
    } else if (is_integer(t.dtype) && info(t.dtype).bits >= 16) {
      affine_[v.index] = integer(inst);
    }
  }

  std::optional<Affine> integer(const Instruction& inst) const {
    const auto& x = inst.operands;
    switch (inst.op) {
      case Op::ThreadPositionInGrid:
        return basis(static_cast<Basis>(kX + inst.attr), false);
      case Op::ThreadPositionInThreadgroup:
        return basis(static_cast<Basis>(kX + inst.attr), true);
      case Op::ThreadIndexInThreadgroup:
        return basis(kLinear, true);
      case Op::ThreadIndexInSimdgroup:
        return basis(kLane, true);
      case Op::SimdgroupIndexInThreadgroup:
        return basis(kSimdgroup, true);
      case Op::Cast:
        return is_integer(m_.type(x[0]).dtype) ? affine(x[0]) : std::nullopt;
      case Op::AddI:
      case Op::SubI: {
        auto a = affine(x[0]), b = affine(x[1]);
        if (!a || !b) return std::nullopt;
        return combine(*a, *b, inst.op == Op::AddI ? 1 : -1);
      }
      case Op::MulI: {
        const bool left = known_integer(m_, x[0]).has_value();
        auto factor = known_integer(m_, x[left ? 0 : 1]);
        auto a = affine(x[left ? 1 : 0]);
        if (!factor || !a) return std::nullopt;
        return combine(Affine{{}, true}, *a, *factor);
      }
      case Op::Shl: {
        auto count = known_integer(m_, x[1]);
        auto a = affine(x[0]);
        if (!count || !a || *count < 0 || *count > 15) return std::nullopt;
        return combine(Affine{{}, true}, *a, int64_t{1} << *count);
      }
      default:
        return std::nullopt;
    }
  }

  Divergence condition(const Instruction& inst) const {
    const auto& x = inst.operands;
    switch (inst.op) {
      case Op::NotB:
        return of(x[0]);
      case Op::AndB:
      case Op::OrB:
        // The other side must not be able to hide the difference thread by thread.
        if (u_[x[1]] <= Level::Group) return of(x[0]);
        if (u_[x[0]] <= Level::Group) return of(x[1]);
        return {};
      case Op::CmpEqI:
      case Op::CmpNeI:
      case Op::CmpLtI:
      case Op::CmpLeI:
      case Op::CmpGtI:
      case Op::CmpGeI:
      case Op::CmpUlt:
      case Op::CmpUle:
      case Op::CmpUgt:
      case Op::CmpUge:
        break;
      default:
        return {};
    }
    auto a = affine(x[0]), b = affine(x[1]);
    if (!a || !b) return {};
    auto single = combine(*a, *b, -1).single();
    if (!single || always_same(inst, *a, *b, *single)) return {};
    return over(*single);
  }

  // lane < 32 and the like: a position itself against a constant that none of its values crosses.
  bool always_same(const Instruction& inst, const Affine& a, const Affine& b, Basis basis) const {
    const bool left = known_integer(m_, inst.operands[0]).has_value();
    auto limit = known_integer(m_, inst.operands[left ? 0 : 1]);
    const Affine& position = left ? b : a;
    if (!limit || !position.zero_offset || position.coefficient[basis] != 1) return false;
    const int64_t greatest = kGreatest[basis];
    switch (inst.op) {
      case Op::CmpEqI:
      case Op::CmpNeI:
        return *limit < 0 || *limit > greatest;
      case Op::CmpLtI:
      case Op::CmpUlt:
      case Op::CmpGeI:
      case Op::CmpUge:
        // x < limit; mirrored: limit < x.
        return left ? *limit < 0 || *limit >= greatest : *limit <= 0 || *limit > greatest;
      default:  // x <= limit, x > limit; mirrored: limit <= x
        return left ? *limit <= 0 || *limit > greatest : *limit < 0 || *limit >= greatest;
    }
  }

  const Module& m_;
  const Uniformity& u_;
  std::vector<std::optional<Affine>> affine_;  // parallel to values
  std::vector<Divergence> divergent_;          // parallel to values: of bools
};

}  // namespace

void check_barriers(const Module& m, const Uniformity& uniformity) {
  Proofs(m, uniformity).region(m.body, {}, InstId{});
}

void check_loops(const Module& m) {
  std::vector<bool> known(m.values.size(), true);  // to be the same in every turn of this loop
  auto forget = [&](auto& self, RegionId r, bool inside) -> void {
    for (ValueId v : m[r].args) known[v.index] = !inside;
    for (InstId i : m[r].insts) {
      for (ValueId v : m[i].results) known[v.index] = !inside;
      for (RegionId inner : m[i].regions) self(self, inner, inside);
    }
  };
  auto visit = [&](auto& self, RegionId r) -> void {
    for (InstId i : m[r].insts) {
      const Instruction& inst = m[i];
      for (RegionId inner : inst.regions) self(self, inner);
      if (inst.op != Op::While) continue;
      const ValueId condition = m[m[inst.regions[0]].insts.back()].operands[0];
      const auto number = m.constant(condition);
      for (RegionId inner : inst.regions) forget(forget, inner, true);
      const bool endless = number ? *number != 0 : known[condition.index];
      for (RegionId inner : inst.regions) forget(forget, inner, false);
      if (!endless) continue;
      throw Error(
          concat("this while_ never ends once it has begun: its condition ",
                 number ? "is always true" : "is the same in every turn",
                 "; in its body, rebind a name that the condition reads, as in `n = n - 1`, "
                 "or write to memory that it reads"),
          m.location(i));
    }
  };
  visit(visit, m.body);
}

}  // namespace enigma
