// Asynchronous copies, written out: a loop in which the lanes of the SIMD-group share the elements,
// where the copy begins, and a barrier of the SIMD-group where it is waited for.

#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace enigma {
namespace {

class Lowering {
 public:
  explicit Lowering(Module& m) : m_(m), rewrites_(m), make_(m) {}

  void run() {
    region(m_.body);
    rewrites_.apply(m_.body);
  }

 private:
  using Insts = std::vector<InstId>;

  void region(RegionId r) {
    const Insts insts = m_[r].insts;
    Insts out;
    for (InstId i : insts) {
      make_.where = m_.locs[i.index];
      if (m_[i].op == Op::AsyncCopy) {
        // What an event is matters no more, only that it is a value.
        rewrites_.replace(m_[i].results[0], make_.constant(out, u32_, 0));
        copy(m_[i].operands, out);
        continue;
      }
      if (m_[i].op == Op::AsyncWait) {
        out.push_back(make_.inst(Op::SimdBarrier, {}, kMemDevice | kMemThreadgroup));
        continue;
      }
      const auto inner = m_[i].regions;
      for (RegionId each : inner) region(each);
      out.push_back(i);
    }
    m_[r].insts = std::move(out);
  }

  ValueId apply(Insts& out, Op op, ValueId a, ValueId b) {
    return make_.emit(out, op, {a, b}, m_.type(a));
  }

  ValueId query(Insts& out, Op op, uint64_t dimension = 0) {
    return make_.emit(out, op, {}, u32_, dimension);
  }

  ValueId named(ValueId v, const char* name) {
    m_.names.emplace_back(name);
    m_.value_names[v.index] = static_cast<uint32_t>(m_.names.size() - 1);
    return v;
  }

  ValueId cast(Insts& out, ValueId v, Type to) {
    return m_.type(v) == to ? v : make_.emit(out, Op::Cast, {v}, to);
  }

  // The threads that this SIMD-group has: the last of a threadgroup may have fewer than 32.
  ValueId lanes(Insts& out) {
    ValueId threads = query(out, Op::ThreadsPerThreadgroup);
    for (uint64_t dimension : {1, 2}) {
      threads = apply(out, Op::MulI, threads, query(out, Op::ThreadsPerThreadgroup, dimension));
    }
    named(threads, "threads");
    const ValueId width = make_.constant(out, u32_, 32);
    const ValueId before = apply(out, Op::MulI, query(out, Op::SimdgroupIndexInThreadgroup), width);
    return named(apply(out, Op::MinI, apply(out, Op::SubI, threads, before), width), "lanes");
  }

  // for (i = lane; i < columns * rows; i += lanes) target[...] = source[...]
  void copy(const ValueIds x, Insts& out) {  // by value: instructions are added
    const bool wide = std::any_of(x.begin(), x.end(), [&](ValueId v) {
      return m_.type(v).is_scalar() && info(m_.type(v).dtype).bits == 64;
    });
    const Type type = Type::scalar(wide ? DType::U64 : DType::U32);
    std::vector<ValueId> at(x.size());
    for (size_t k : {1, 2, 4, 5, 6, 7}) at[k] = cast(out, x[k], type);
    const bool is_line = m_.constant(x[7]) == uint64_t{1};
    const ValueId count = is_line ? at[6] : apply(out, Op::MulI, at[6], at[7]);
    const ValueId first = cast(out, query(out, Op::ThreadIndexInSimdgroup), type);
    const ValueId step = cast(out, lanes(out), type);
    const InstId loop = make_.inst(Op::For, {first, count, step});
    out.push_back(loop);
    const RegionId body = make_.region(loop);
    const ValueId i = make_.argument(body, type);
    Insts turn;
    ValueId column = i, row;
    if (!is_line) {
      row = named(apply(turn, Op::DivI, i, at[6]), "row");
      column = named(apply(turn, Op::SubI, i, apply(turn, Op::MulI, row, at[6])), "column");
    }
    auto place = [&](size_t offset, size_t pitch) {
      const ValueId begin =
          is_line ? at[offset]
                  : apply(turn, Op::AddI, at[offset], apply(turn, Op::MulI, row, at[pitch]));
      return apply(turn, Op::AddI, begin, column);
    };
    const ValueId value =
        make_.emit(turn, Op::Load, {x[3], place(4, 5)}, Type::scalar(m_.type(x[3]).dtype));
    turn.push_back(make_.inst(Op::Store, {x[0], place(1, 2), value}));
    turn.push_back(make_.inst(Op::Yield, {}));
    m_[body].insts = std::move(turn);
  }

  const Type u32_ = Type::scalar(DType::U32);
  Module& m_;
  Rewrites rewrites_;
  Appender make_;
};

}  // namespace

void lower_async_copies(Module& m) { Lowering(m).run(); }

}  // namespace enigma
