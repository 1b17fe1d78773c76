// Reading ahead. A threadgroup that goes over its part of a buffer more than once, as over a row
// that it normalises, finds it in the caches but for the first time. Memory would be idle
// meanwhile, so it is asked for what the next threadgroup reads at the same place. Loads of tiles
// (overlap.cpp) ask for those of the turn that follows. Where outputs go past the caches, there is
// room for one more threadgroup's, which is asked for one pass before, and loads that are made once
// ask for the lines that follow soon: processors that do so by themselves are late between such
// stores.
#include <algorithm>
#include <optional>

#include "codegen/cpu/body.h"

namespace enigma::cpu {
namespace {

// From an integer to the same one in the next threadgroup along x, or in the next turn of a loop,
// where that is known.
class Distances {
 public:
  Distances(const Module& m, const GroupShape& shape)
      : m_(m), shape_(shape), distances_(m.values.size()), seen_(m.values.size()) {}
  /// The index of the loop, and its step.
  Distances(const Module& m, const GroupShape& shape, ValueId index, int64_t step)
      : Distances(m, shape) {
    moved_ = index;
    by_ = step;
  }

  std::optional<Ahead> distance(ValueId v) {
    if (!seen_[v.index]) {
      seen_[v.index] = true;
      distances_[v.index] = find(v);
    }
    return distances_[v.index];
  }

 private:
  bool same(ValueId v) {
    std::optional<Ahead> d = distance(v);
    return d && d->times == 0;
  }

  std::optional<Ahead> find(ValueId v) {
    if (moved_ && v == *moved_) return Ahead{by_, {}};
    if (RegionId r = m_.values[v.index].region) {  // a loop's index goes on from where it begins
      const Instruction& loop = m_[m_[r].parent];
      bool index = loop.op == Op::For && m_[r].args[0] == v && same(loop.operands[2]);
      return index ? distance(loop.operands[0]) : std::nullopt;
    }
    const Instruction* def = m_.def(v);
    if (!def) return Ahead{};
    const int64_t along_x = def->attr == 0 && !moved_ ? 1 : 0;
    switch (def->op) {
      case Op::ThreadgroupPositionInGrid:
        return Ahead{along_x, {}};
      case Op::ThreadPositionInGrid:
        return Ahead{along_x * shape_.threads.x, {}};
      case Op::Cast:
        return distance(def->operands[0]);
      case Op::AddI:
      case Op::MulI:
        for (size_t k = 0; k < 2; ++k) {
          ValueId other = def->operands[1 - k];
          if (!same(other)) continue;
          std::optional<Ahead> d = distance(def->operands[k]);
          return d && def->op == Op::MulI ? product(*d, other) : d;
        }
        return std::nullopt;
      default:
        break;
    }
    Shape shape = info(def->op).shape;
    bool pure = shape == Shape::Query || shape == Shape::Map || shape == Shape::Constant;
    bool all =
        std::all_of(def->operands.begin(), def->operands.end(), [&](ValueId x) { return same(x); });
    return pure && all ? std::optional(Ahead{}) : std::nullopt;
  }

  std::optional<Ahead> product(Ahead d, ValueId by) const {
    if (d.times == 0) return d;
    if (auto number = m_.constant(by)) return Ahead{d.times * static_cast<int32_t>(*number), d.by};
    bool parameter = !m_.def(by) && !m_.values[by.index].region;
    return parameter && !d.by ? std::optional(Ahead{d.times, by}) : std::nullopt;
  }

  const Module& m_;
  const GroupShape& shape_;
  std::optional<ValueId> moved_;
  int64_t by_ = 0;
  std::vector<std::optional<Ahead>> distances_;  // by value, where...
  std::vector<bool> seen_;                       // ...it was asked for
};

class Search {
 public:
  Search(const Module& m, const GroupShape& shape, bool streams)
      : m_(m),
        streams_(streams),
        distances_(m, shape),
        soon_(m.insts.size()),
        uses_(m.values.size()) {}

  std::vector<Ahead> run(const Plan& plan) {
    // Phases between barriers that a threadgroup meets once.
    for (Step s : plan.steps[m_.body.index]) {
      if (s.kind != Step::RunPhase) continue;
      for (InstId i : plan.phases[s.index].insts) instruction(i, s.index, false);
    }
    std::vector<Ahead> found = std::move(soon_);
    for (const Use& use : uses_) {
      if (!use.load) continue;
      auto distance = [&](InstId load) {
        return distances_.distance(m_[load].operands[1]).value_or(Ahead{});
      };
      found[use.load.index] = distance(use.load);
      if (!streams_ || !use.before) continue;
      Ahead& further = found[use.before.index];
      further = distance(use.before);
      further.times *= 2;
    }
    return found;
  }

 private:
  struct Use {
    uint32_t phase = UINT32_MAX;  // the last that accesses the memory
    InstId load;                  // the first in a loop there, if an earlier phase accessed it too
    InstId before;                // the first in a loop of the phase before
  };

  void instruction(InstId id, uint32_t phase, bool in_loop) {
    const Instruction& inst = m_[id];
    Shape shape = info(inst.op).shape;
    if ((shape == Shape::Load || shape == Shape::Store) && !m_.def(inst.operands[0])) {
      Use& use = uses_[inst.operands[0].index];
      if (use.phase == UINT32_MAX) use.phase = phase;
      if (inst.op == Op::Load && in_loop) {
        if (use.phase != phase) {
          use = {phase, id, use.load ? use.load : use.before};
        } else if (!use.load && !use.before) {
          use.before = id;
        }
      }
      constexpr int64_t kSoon = 384;  // bytes
      if (streams_ && inst.op == Op::Load && !in_loop) {
        soon_[id.index].times = kSoon / byte_size(m_.type(inst.operands[0]).dtype);
      }
    }
    for (RegionId r : inst.regions) {
      for (InstId i : m_[r].insts) instruction(i, phase, in_loop || inst.op == Op::For);
    }
  }

  const Module& m_;
  const bool streams_;
  Distances distances_;
  std::vector<Ahead> soon_;  // by instruction
  std::vector<Use> uses_;    // by value
};

}  // namespace

std::vector<Ahead> reads_ahead(const Module& m, const GroupShape& shape, const Plan& plan,
                               bool streams) {
  return Search(m, shape, streams).run(plan);
}

// Tiles are copied before the loop needs them, but what one turn copies, the next one does not.
void Body::read_ahead_in_turns(ValueId index, int64_t step, std::span<const InstId> insts) {
  Distances distances(m_, shape_, index, step);
  auto walk = [&](auto&& self, std::span<const InstId> region) -> void {
    for (InstId i : region) {
      if (info(m_[i].op).shape == Shape::Load) {
        ahead_[i.index] = distances.distance(m_[i].operands[1]).value_or(Ahead{});
      }
      for (RegionId r : m_[i].regions) self(self, m_[r].insts);
    }
  };
  walk(walk, insts);
}

void Body::read_ahead(InstId load, DType dtype, const Place& place, const Mask& mask) {
  constexpr int kLine = 64;
  const Ahead& ahead = ahead_[load.index];
  if (ahead.times == 0 || place.kind != Place::Run || !mask.all()) return;
  const int bytes = byte_size(dtype);
  V far = e_.i64(ahead.times * bytes);
  if (ahead.by) far = far * extend_index(raw(ahead.by), m_.type(ahead.by).dtype);
  std::vector<int> lines;
  for (int at = 0; at < kLanes * bytes; at += kLine) lines.push_back(at);
  // It may begin within a line; of a tile's row nothing else asks for the last one.
  if (overlap_) lines.push_back((kLanes - 1) * bytes);
  for (int at : lines) {
    V line = e_.emit(Elem::Ptr, 1,
                     concat("getelementptr i8, ", place.pointer.typed(), ", ", (far + at).typed()));
    e_.stmt(concat("call void @llvm.prefetch.p0(", line.typed(), ", i32 0, i32 3, i32 1)"));
  }
}

}  // namespace enigma::cpu
