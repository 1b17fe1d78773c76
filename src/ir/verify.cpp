// The verifier. A module is sound when:
//
//   tables     locs is parallel to insts, value_names to values; names, files, values, instructions
//              and regions that are referred to exist;
//   tree       each region is held by the instruction that it names as its parent, and each
//              instruction stands in at most one region, once; the kernel's body has no parent;
//   values     a result names its instruction and number, an argument its region and number, a
//              parameter neither; each value has one definition;
//   scope      an operand is defined earlier in the same region, or in a region around it, or is a
//              parameter;
//   signature  operands and result have the number and the types that the row asks for; the
//              operands under capitals have one type, of the row's class; conditions of vectors
//              have their shape; indices are scalar integers, lanes u32, elements the memory's
//              dtype, or vectors of it in vector accesses;
//   memory     is the operand of loads, stores, atomics and copies only: it is not carried, chosen,
//              yielded; copies are between device and threadgroup memory of one type;
//              atomics work on i32, u32 and, but for WORDS rows, f32;
//   SIMD-group matrices
//              are filled from a scalar, have the dtype of the memory that they come from or go to,
//              and are multiplied in the types that Metal knows;
//   attribute  constants have no bits beyond their width, queries a dimension below 3 (0 without
//              components), allocations 1 element or more, atomics an order that they can have,
//              barriers known flags, function constants an index up to 65535; vector accesses
//              are of 2 or 4 elements, no bools, of at most 16 bytes; sizes are u32 parameters
//              with a multiple up to INT32_MAX;
//   casts      keep the number of elements, or broadcast a scalar to a vector; as_type keeps the
//              width, and neither type is bool;
//   vectors    are made of 2 to 4 scalars of one type, matrices of as many vectors; the part that
//              is taken of one exists; factors have a product;
//   allocs     stand in the kernel's body, and all of them have at most 32 KiB;
//   function constants
//              stand in the kernel's body, and those of one index have one scalar type;
//   for        bounds, step and index of one integer type; initial values, arguments after the
//              index, yielded values and results of the same types;
//   while      the same of initial values, the arguments of both regions, yielded values, results;
//              the first region ends with a condition on a b1;
//   if         a b1 condition, two regions without arguments that yield the types of the results;
//   ends       each region of an instruction ends with its yield (or condition), and only there
//              is one.
//
// What verify() adds are mistakes of the kernel, not of its form: see divergence.h.

#include "ir/verify.h"

#include <set>
#include <span>
#include <unordered_map>

#include "enigma/limits.h"
#include "ir/divergence.h"
#include "ir/signature.h"
#include "ir/spelling.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

class Verifier {
 public:
  explicit Verifier(const Module& m)
      : m_(m),
        defined_(m.values.size()),
        visible_(m.values.size()),
        placed_(m.insts.size()),
        entered_(m.regions.size()) {}

  std::vector<std::string> run() {
    if (tables()) {
      parameters();
      region(m_.body, InstId{});
      if (threadgroup_bytes(m_) > kThreadgroupBytes)
        broken("more than 32 KiB of threadgroup memory");
    }
    return std::move(broken_);
  }

 private:
  template <class... Ts>
  void broken(const Ts&... pieces) {
    constexpr size_t kEnough = 50;
    if (broken_.size() >= kEnough) return;
    Text t;
    t.add(pieces...);
    if (at_) {
      t.add(" [instruction ", at_.index, ", ", info(m_[at_].op).mnemonic);
      if (Location l = m_.location(at_); l.line) t.add(", ", l.file, ":", l.line);
      t.add("]");
    }
    broken_.push_back(std::move(t.str()));
  }

  // Whether all references are in range, so that the rest may follow them.
  bool tables() {
    const size_t values = m_.values.size();
    if (m_.locs.size() != m_.insts.size()) broken("locs is not parallel to insts");
    if (m_.value_names.size() != values) broken("value_names is not parallel to values");
    if (m_.names.empty() || !m_.names[0].empty())
      broken("names does not begin with the empty name");
    if (m_.body.index >= m_.regions.size()) broken("the body is no region");
    for (uint32_t n : m_.value_names) {
      if (n >= m_.names.size()) broken("a value's name does not exist");
    }
    for (const Loc& l : m_.locs) {
      if (l.line && l.file >= m_.files.size()) broken("a location's file does not exist");
    }
    for (const Value& v : m_.values) {
      if (!exists(v.type)) broken("a value's type does not exist");
      if (v.def && v.def.index >= m_.insts.size()) broken("a value's instruction does not exist");
      if (v.region && v.region.index >= m_.regions.size())
        broken("a value's region does not exist");
    }
    for (const Param& p : m_.params) {
      if (p.value.index >= values) broken("a parameter's value does not exist");
      if (!exists(Type::scalar(p.dtype))) broken("a parameter's type does not exist");
    }
    for (const Instruction& inst : m_.insts) {
      if (static_cast<size_t>(inst.op) >= all_ops().size()) broken("an operation does not exist");
      for (ValueId v : inst.operands) {
        if (v.index >= values) broken("an operand does not exist");
      }
      for (ValueId v : inst.results) {
        if (v.index >= values) broken("a result does not exist");
      }
      for (RegionId r : inst.regions) {
        if (r.index >= m_.regions.size()) broken("a region does not exist");
      }
    }
    for (const Region& r : m_.regions) {
      for (ValueId v : r.args) {
        if (v.index >= values) broken("an argument does not exist");
      }
      for (InstId i : r.insts) {
        if (i.index >= m_.insts.size()) broken("an instruction of a region does not exist");
      }
    }
    return broken_.empty();
  }

  void define(ValueId v) {
    if (defined_[v.index]) broken("a value is defined twice");
    defined_[v.index] = visible_[v.index] = true;
  }

  void parameters() {
    uint32_t number = 0;
    std::set<uint32_t> indices;
    for (const Param& p : m_.params) {
      const uint32_t index = p.index.value_or(number);
      if (index >= kMaxParams || !indices.insert(index).second) {
        broken("parameter ", p.name, " has the buffer index ", index,
               ", which is above 30 or that of another");
      }
      const Value& v = m_[p.value];
      const Type expected =
          p.is_scalar ? Type::scalar(p.dtype) : Type::memory(p.dtype, AddressSpace::Device);
      if (v.type != expected) broken("parameter ", p.name, " is not of type ", to_string(expected));
      if (p.multiple && (expected != Type::scalar(DType::U32) || p.multiple > kMaxSize)) {
        broken("parameter ", p.name, " is a size, and not a u32 with a multiple up to ", kMaxSize);
      }
      if (v.def || v.region || v.index != number) {
        broken("parameter ", p.name, " does not name itself as its definition");
      }
      define(p.value);
      ++number;
    }
  }

  void region(RegionId r, InstId parent) {
    if (entered_[r.index]) return broken("a region is held twice");
    entered_[r.index] = true;
    if (m_[r].parent != parent) broken("a region does not name the instruction that holds it");
    if (++depth_ > kMaxDepth) {
      --depth_;
      return broken("regions are nested too deeply");
    }
    const Region& here = m_[r];
    std::vector<ValueId> scope;
    for (size_t k = 0; k < here.args.size(); ++k) {
      const Value& v = m_[here.args[k]];
      if (v.def || v.region != r || v.index != k) broken("an argument does not name its region");
      define(here.args[k]);
      scope.push_back(here.args[k]);
    }
    for (size_t k = 0; k < here.insts.size(); ++k) {
      const InstId i = here.insts[k];
      at_ = i;
      if (placed_[i.index]) {
        broken("an instruction stands in two places");
        continue;
      }
      placed_[i.index] = true;
      const Instruction& inst = m_[i];
      const bool is_last = k + 1 == here.insts.size();
      const bool ends = info(inst.op).shape == Shape::Yield;
      if (ends && (!is_last || !parent)) broken("a yield before the end of a region");
      for (ValueId v : inst.operands) {
        if (!visible_[v.index]) broken("an operand is not visible here");
      }
      instruction(inst, parent);
      at_ = i;
      for (size_t n = 0; n < inst.results.size(); ++n) {
        const Value& v = m_[inst.results[n]];
        if (v.def != i || v.region || v.index != n)
          broken("a result does not name its instruction");
        define(inst.results[n]);
        scope.push_back(inst.results[n]);
      }
    }
    at_ = parent;
    if (parent) {
      const bool condition = m_[parent].op == Op::While && m_[parent].regions[0] == r;
      const Op expected = condition ? Op::Condition : Op::Yield;
      if (here.insts.empty() || m_[here.insts.back()].op != expected) {
        broken("a region does not end with ", info(expected).mnemonic);
      }
    }
    for (ValueId v : scope) visible_[v.index] = false;
    --depth_;
  }

  Type type(ValueId v) const { return m_.type(v); }

  void instruction(const Instruction& inst, InstId parent) {
    const OpInfo& row = info(inst.op);
    if (row.shape == Shape::Region) return region_op(inst);
    if (row.shape == Shape::Composed) return broken("an operation that only the builder knows");
    if (!inst.regions.empty()) broken("an instruction that holds no regions has some");
    if (row.shape == Shape::Yield) {
      for (ValueId v : inst.operands) {
        if (type(v).is_memory()) broken("memory is yielded");
      }
      if (inst.op == Op::Condition &&
          (inst.operands.size() != 1 || type(inst.operands[0]) != Type::scalar(DType::B1))) {
        broken("a condition is not one b1");
      }
      if (!inst.results.empty()) broken("a yield has results");
      return;
    }
    if (!operands(inst, row)) return;
    const size_t results = row.result == '-' ? 0 : 1;
    if (inst.results.size() != results) return broken("the number of results is not ", results);
    if (results && row.result != '?') {
      const Type expected = result_type(row, operand_types(m_, inst), inst.attr);
      if (row.result == 'p' && !expected.is_value()) broken("the factors have no product");
      if (type(inst.results[0]) != expected)
        broken("the result is not of type ", to_string(expected));
    }
    attribute(inst, row, parent);
  }

  bool operands(const Instruction& inst, const OpInfo& row) {
    if (row.shape == Shape::Make) return parts(inst);
    if (inst.operands.size() != row.operands.size()) {
      broken("the number of operands is not ", row.operands.size());
      return false;
    }
    const size_t before = broken_.size();
    const Type shared = shared_type(m_, inst);
    for (size_t k = 0; k < row.operands.size(); ++k) {
      const char letter = row.operands[k];
      const Type t = type(inst.operands[k]);
      const Type memory = type(inst.operands[0]);
      bool good = false;
      switch (letter) {
        case 'b': {
          const Type shape = shared.is_value() ? shared : Type::scalar(DType::B1);
          good = t == shape.with(DType::B1);
          break;
        }
        case 'f':
          good = t == shared.with(DType::F32);
          break;
        case 'u':
          good = t == Type::scalar(DType::U32);
          break;
        case 's':
          good = t == Type::scalar(shared.dtype);
          break;
        case 'p':
          good = (t.is_vector() || t.is_matrix()) && exists(Type::matrix(t.dtype, 2, 2));
          break;
        case 'v':
          good = t.is_value();
          break;
        case 'x':
          good = t.is_scalar() && is_integer(t.dtype);
          break;
        case 'm':
          good = t.is_memory();
          break;
        case 'e':
          good = t == accessed(row, memory, inst.attr);
          break;
        case 'g':
          good = t.is_simd_matrix();
          break;
        default:
          good = t == shared && in_class(letter, t);
      }
      if (!good)
        broken("operand ", k, " is ", to_string(t), ", which its letter ", letter, " refuses");
    }
    return broken_.size() == before;
  }

  bool parts(const Instruction& inst) {
    const Type part = inst.operands.empty() ? Type{} : type(inst.operands[0]);
    const Type made = made_of(part, inst.operands.size());
    bool good = part.is_value() && !part.is_matrix() && inst.operands.size() > 1 && exists(made);
    for (ValueId v : inst.operands) good &= type(v) == part;
    good = good && inst.results.size() == 1 && type(inst.results[0]) == made;
    if (!good) broken("the parts do not make the result");
    return good;
  }

  void attribute(const Instruction& inst, const OpInfo& row, InstId parent) {
    const Type result = inst.results.empty() ? Type{} : type(inst.results[0]);
    switch (row.shape) {
      case Shape::Constant:
        if (!result.is_value()) return broken("a constant is no number");
        if (inst.attr != mask_to(result.dtype, inst.attr)) broken("a constant exceeds its width");
        return;
      case Shape::FunctionConstant: {
        if (!result.is_scalar()) return broken("a function constant is no scalar");
        if (parent) broken("a function constant outside of the kernel's body");
        if (inst.attr > kMaxFunctionConstant) return broken("an index above 65535");
        auto [known, is_new] = constants_.try_emplace(inst.attr, result.dtype);
        if (known->second != result.dtype) broken("a function constant of two types");
        return;
      }
      case Shape::Query:
        if (inst.attr > (row.has(flag::XYZ) ? 2 : 0)) broken("a query of an unknown dimension");
        return;
      case Shape::Cast: {
        const Type from = type(inst.operands[0]);
        if (!result.is_value()) return broken("a cast to what is no number");
        const bool broadcast = from.is_scalar() && !result.is_matrix() && inst.op == Op::Cast;
        if (from.with(result.dtype) != result && !broadcast) broken("a cast changes the shape");
        if (inst.op == Op::AsType && (info(from.dtype).bits != info(result.dtype).bits ||
                                      from.dtype == DType::B1 || result.dtype == DType::B1)) {
          broken("as_type between types of different widths");
        }
        return;
      }
      case Shape::Extract: {
        const Type whole = type(inst.operands[0]);
        if (whole.is_scalar() || inst.attr >= static_cast<uint64_t>(part_count(whole))) {
          return broken("a part that does not exist");
        }
        if (result != part_type(whole)) broken("the result is not a part of the operand");
        return;
      }
      case Shape::Alloc:
        if (!result.is_memory() || result.space() != AddressSpace::Threadgroup) {
          return broken("an allocation is not threadgroup memory");
        }
        if (parent) broken("an allocation outside of the kernel's body");
        if (inst.attr == 0 || inst.attr > kThreadgroupBytes)
          broken("an allocation of a wrong size");
        return;
      case Shape::Load:
      case Shape::Store:
        if (inst.attr && !is_vector_access(type(inst.operands[0]).dtype, inst.attr)) {
          broken("a vector access of a wrong size");
        }
        return;
      case Shape::Atomic: {
        const auto order = static_cast<MemoryOrder>(std::min<uint64_t>(inst.attr, UINT8_MAX));
        if (!may_have(inst.op, order)) broken("a memory order that it cannot have");
        if (!works_on(row, type(inst.operands[0]).dtype)) broken("an atomic on another type");
        return;
      }
      case Shape::Async:
        if (inst.op == Op::AsyncCopy) {
          const Type to = type(inst.operands[0]), from = type(inst.operands[3]);
          if (to.dtype != from.dtype) broken("a copy between different types");
          if (to.space() == from.space()) broken("a copy within one kind of memory");
        }
        if (inst.attr) broken("an attribute where none is meant");
        return;
      case Shape::SimdMatrix: {
        const auto& x = inst.operands;
        const bool memory = type(x[0]).is_memory();
        if (inst.attr > (memory ? 1 : 0)) broken("an attribute where none is meant");
        if (memory && !is_float(type(x[0]).dtype)) broken("a matrix in memory that is no float");
        if (inst.op == Op::SimdMatrixFill && !type(x[0]).is_scalar()) broken("a fill is no scalar");
        if (inst.op == Op::SimdMatrixStore && type(x[3]).dtype != type(x[0]).dtype) {
          broken("a matrix is stored to memory of another type");
        }
        if (inst.op == Op::SimdMatrixMultiply &&
            !can_multiply(type(x[0]).dtype, type(x[1]).dtype, type(x[2]).dtype)) {
          broken("matrices of types that Metal does not multiply");
        }
        return;
      }
      case Shape::Barrier:
        if (inst.attr & ~uint64_t{kMemDevice | kMemThreadgroup | kMemTexture}) {
          broken("unknown memory flags");
        }
        return;
      default:
        if (inst.attr) broken("an attribute where none is meant");
    }
  }

  bool types_match(std::span<const ValueId> a, std::span<const ValueId> b) const {
    if (a.size() != b.size()) return false;
    for (size_t k = 0; k < a.size(); ++k) {
      if (type(a[k]) != type(b[k])) return false;
    }
    return true;
  }

  void region_op(const Instruction& inst) {
    const InstId at = at_;
    const auto& x = inst.operands;
    const size_t regions = inst.op == Op::For ? 1 : 2;
    const size_t fixed = inst.op == Op::For ? 3 : inst.op == Op::If ? 1 : 0;
    if (inst.regions.size() != regions) return broken("the number of regions is not ", regions);
    if (x.size() < fixed) return broken("an operand is missing");
    for (ValueId v : x) {
      if (type(v).is_memory()) return broken("memory is carried");
    }
    if (inst.attr) broken("an attribute where none is meant");
    const std::span<const ValueId> inits = std::span(x).subspan(fixed);
    if (inst.op == Op::If) {
      if (x.size() != 1 || type(x[0]) != Type::scalar(DType::B1))
        broken("the condition is not a b1");
    } else if (!types_match(inits, inst.results)) {
      broken("results and initial values differ in types");
    }
    if (inst.op == Op::For) {
      const Type t = type(x[0]);
      if (!t.is_scalar() || !is_integer(t.dtype) || type(x[1]) != t || type(x[2]) != t) {
        broken("the bounds are not of one integer type");
      }
    }
    for (RegionId r : inst.regions) {
      std::span<const ValueId> args = m_[r].args;
      if (inst.op == Op::If) {
        if (!args.empty()) broken("an arm of an if has arguments");
      } else if (inst.op == Op::For) {
        if (args.empty() || type(args[0]) != type(x[0])) {
          return broken("the index is not of the bounds' type");
        }
        args = args.subspan(1);
      }
      if (inst.op != Op::If && !types_match(args, inits)) {
        broken("arguments and initial values differ in types");
      }
      region(r, at);
      at_ = at;
      const auto& insts = m_[r].insts;
      if (!insts.empty() && m_[insts.back()].op == Op::Yield &&
          !types_match(m_[insts.back()].operands, inst.results)) {
        broken("yielded values and results differ in types");
      }
    }
  }

  const Module& m_;
  std::vector<bool> defined_;  // parallel to values: its definition was passed
  std::vector<bool> visible_;  // parallel to values: it may be used at this point
  std::vector<bool> placed_;   // parallel to insts
  std::vector<bool> entered_;  // parallel to regions
  std::unordered_map<uint64_t, DType> constants_;  // function constants by index
  InstId at_;
  int depth_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> broken_rules(const Module& m) { return Verifier(m).run(); }

void check_sound(const Module& m) {
  const std::vector<std::string> broken = broken_rules(m);
  if (broken.empty()) return;
  Text all;
  for (const std::string& rule : broken) all.add("\n  ", rule);
  throw InternalError(concat("the IR of ", m.name, " is not sound:", all.str()));
}

Verified verify(Module m) {
  check_sound(m);
  Uniformity uniformity = analyse_uniformity(m);
  check_barriers(m, uniformity);
  check_loops(m);
  return Verified(std::make_shared<const Module>(std::move(m)), std::move(uniformity));
}

}  // namespace enigma
