// Splitting: loads and stores of vectors become those of their elements, for a device whose lanes
// are its vectors.

#include <algorithm>
#include <utility>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

bool accesses_vector(const Instruction& inst) {
  const Shape shape = info(inst.op).shape;
  return (shape == Shape::Load || shape == Shape::Store) && inst.attr != 0;
}

class Splitter {
 public:
  explicit Splitter(Module& m) : m_(m), append_(m) {}

  void region(RegionId r) {
    const std::vector<InstId> before = std::exchange(m_[r].insts, {});
    std::vector<InstId> after;
    for (InstId id : before) {
      if (accesses_vector(m_[id])) {
        split(id, after);
      } else {
        const auto inner = m_[id].regions;
        for (RegionId each : inner) region(each);
        after.push_back(id);
      }
    }
    m_[r].insts = std::move(after);
  }

 private:
  void split(InstId id, std::vector<InstId>& out) {
    const Instruction inst = m_[id];
    append_.where = m_.locs[id.index];
    const auto lanes = static_cast<uint32_t>(inst.attr);
    const bool store = inst.op == Op::Store;
    ValueIds parts;
    for (uint32_t k = 0; k < lanes; ++k) {
      ValueIds operands = inst.operands;
      operands[1] = index(inst.operands[1], k, out);
      const size_t whole = inst.op == Op::LoadIf ? 3 : store ? 2 : 0;
      const Type element = Type::scalar(m_.type(inst.operands[0]).dtype);
      if (whole) {
        operands[whole] = append_.emit(out, Op::VecExtract, {operands[whole]}, element, k);
      }
      if (store) {
        out.push_back(append_.inst(Op::Store, std::move(operands)));
      } else {
        parts.push_back(append_.emit(out, inst.op, std::move(operands), element));
      }
    }
    if (store) return;
    m_[id].op = Op::MakeVec;
    m_[id].attr = 0;
    m_[id].operands = std::move(parts);
    out.push_back(id);
  }

  ValueId index(ValueId first, uint32_t k, std::vector<InstId>& out) {
    if (k == 0) return first;
    const Type type = m_.type(first);
    return append_.emit(out, Op::AddI, {first, append_.constant(out, type, k)}, type);
  }

  Module& m_;
  Appender append_;
};

}  // namespace

bool has_vector_accesses(const Module& m) {
  return std::any_of(m.insts.begin(), m.insts.end(), accesses_vector);
}

void split_vectors(Module& m) { Splitter(m).region(m.body); }

}  // namespace enigma
