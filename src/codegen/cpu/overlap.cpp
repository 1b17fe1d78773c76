// Copies ahead of time. Where a turn of a loop copies tiles to threadgroup memory, waits, and then
// computes with them, the processor would have nothing to compute while it copies. The tiles are
// therefore there twice: while a turn computes with one of each, those of the next turn are filled,
// a little in every turn of the loop that computes.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "codegen/cpu/body.h"
#include "codegen/cpu/table.h"

namespace enigma::cpu {
namespace {

// What a phase is allowed to be, if it may run before the one that it would wait for.
class CopyingPhase {
 public:
  /// `uses`: by value, how often instructions take it.
  CopyingPhase(const Module& m, const std::vector<uint32_t>& uses, const Phase& copying)
      : m_(m), uses_(uses) {
    for (InstId i : copying.scalars) mark(i);
    for (InstId i : copying.insts) mark(i);
  }

  // The tiles; none where something is in the way.
  std::vector<ValueId> tiles(const Phase& computing) {
    auto copies = [&](InstId i) { return only_copies(i); };
    if (!std::all_of(inside_.begin(), inside_.end(), copies)) return {};
    // Nothing else takes what the phase computes, and tiles are only read, by the other phase.
    for (InstId i : computing.insts) count_reads(i);
    auto alone = [&](const auto& taken) { return taken.second == uses_[taken.first]; };
    return std::all_of(taken_.begin(), taken_.end(), alone) ? tiles_ : std::vector<ValueId>();
  }

 private:
  void mark(InstId id) {
    const Instruction& inst = m_[id];
    inside_.push_back(id);
    Shape shape = info(inst.op).shape;
    bool anywhere =
        shape == Shape::Constant || shape == Shape::FunctionConstant || shape == Shape::Alloc;
    for (ValueId v : inst.results) {
      if (!anywhere) taken_[v.index];
    }
    for (RegionId r : inst.regions) {
      for (ValueId v : m_[r].args) own_args_.insert(v.index);
      for (InstId i : m_[r].insts) mark(i);
    }
  }

  bool is_tile(ValueId v) const {
    return std::find(tiles_.begin(), tiles_.end(), v) != tiles_.end();
  }

  void count_reads(InstId id) {
    const Instruction& inst = m_[id];
    bool reads = inst.op == Op::Load || inst.op == Op::SimdMatrixLoad;
    if (reads && is_tile(inst.operands[0])) ++taken_[inst.operands[0].index];
    for (RegionId r : inst.regions) {
      for (InstId i : m_[r].insts) count_reads(i);
    }
  }

  // From buffers that nothing writes to threadgroup memory, in every turn to the same places.
  bool only_copies(InstId id) {
    const Instruction& inst = m_[id];
    for (ValueId v : inst.operands) {
      if (auto own = taken_.find(v.index); own != taken_.end() && !is_tile(v)) ++own->second;
    }
    switch (info(inst.op).shape) {
      case Shape::Constant:
      case Shape::FunctionConstant:
      case Shape::Alloc:
      case Shape::Query:
      case Shape::Map:
      case Shape::Cast:
      case Shape::Yield:
        return true;
      case Shape::Load: {
        ValueId memory = inst.operands[0];
        return !m_.def(memory) && !m_.params[m_.values[memory.index].index].written;
      }
      case Shape::Store: {
        ValueId memory = inst.operands[0];
        if (inst.op != Op::Store || !m_.def(memory) || !is_same_in_turns(inst.operands[1])) {
          return false;
        }
        if (!is_tile(memory)) tiles_.push_back(memory);
        ++taken_[memory.index];
        return true;
      }
      default:
        return inst.op == Op::For && inst.results.empty();
    }
  }

  bool is_same_in_turns(ValueId v, int depth = 0) const {
    constexpr int kDeepest = 8;
    if (depth > kDeepest) return false;
    if (m_.values[v.index].region) return own_args_.count(v.index) != 0;
    const Instruction* def = m_.def(v);
    if (!def) return true;
    Shape shape = info(def->op).shape;
    bool computes = shape == Shape::Map || shape == Shape::Cast;
    bool given =
        shape == Shape::Constant || shape == Shape::FunctionConstant || shape == Shape::Query;
    return given ||
           (computes && std::all_of(def->operands.begin(), def->operands.end(),
                                    [&](ValueId x) { return is_same_in_turns(x, depth + 1); }));
  }

  const Module& m_;
  const std::vector<uint32_t>& uses_;
  std::vector<InstId> inside_;
  std::unordered_set<uint32_t> own_args_;  // values
  // By value that the phase computes, and by tile: how often the two phases take it.
  std::unordered_map<uint32_t, uint32_t> taken_;
  std::vector<ValueId> tiles_;
};

}  // namespace

// Turns of a loop with constant bounds, or from a SIMD-group's number on.
std::optional<int64_t> Body::known_turns(const Instruction& loop) const {
  std::optional<int64_t> first = known_integer(m_, loop.operands[0]),
                         end = known_integer(m_, loop.operands[1]),
                         step = known_integer(m_, loop.operands[2]);
  if (deals_rows(loop)) first = 0;
  if (!first || !end || !step || *step <= 0 || *first >= *end) return std::nullopt;
  return (*end - *first - 1) / *step + 1;
}

std::optional<Body::Overlap> Body::find_overlap(InstId id) const {
  const Instruction& loop = m_[id];
  RegionId turn = loop.regions[0];
  if (!shape_.whole || !plan_.at_group[m_[turn].args[0].index]) return std::nullopt;
  std::vector<const Phase*> phases;
  for (Step s : plan_.steps[turn.index]) {
    if (s.kind != Step::RunPhase) return std::nullopt;
    const Phase& p = plan_.phases[s.index];
    if (p.agree) return std::nullopt;
    if (!p.scalars.empty() || !p.insts.empty() || !p.copies.empty()) phases.push_back(&p);
  }
  if (phases.size() != 2 || !phases[0]->copies.empty()) return std::nullopt;
  Overlap o;
  o.copying = phases[0];
  o.computing = phases[1];
  for (InstId i : o.computing->insts) {
    if (m_[i].op != Op::For || diverges(kernel_, forms_, m_[i])) continue;
    o.within = &m_[i];
    o.turns = known_turns(*o.within).value_or(0);
    o.panels = accumulates(*o.within) ? number_of_panels(*o.within) : 1;
    break;
  }
  if (o.turns == 0) return std::nullopt;
  // What copies: loops, or instructions without one, which then are one item for a SIMD-group.
  const int width = in_step(*o.computing);
  int64_t most = width;
  for (InstId i : o.copying->insts) {
    if (m_[i].op != Op::For) continue;
    int64_t turns = known_turns(m_[i]).value_or(0);
    if (width != 1 || turns == 0) return std::nullopt;
    o.shares.push_back({&m_[i], turns});
    most = std::max(most, turns);
  }
  const bool loops = !o.shares.empty();
  if (!loops) o.shares.push_back({nullptr, width});
  // No more code than there are items for.
  o.panels = std::min(o.panels, (most + o.turns - 1) / o.turns);
  for (auto& [what, items] : o.shares) {
    if (o.panels * o.turns % items != 0) return std::nullopt;
    items = o.panels * o.turns / items;
  }
  if (loops && std::any_of(o.copying->insts.begin(), o.copying->insts.end(), [&](InstId i) {
        Shape shape = info(m_[i].op).shape;
        return shape == Shape::Load || shape == Shape::Store;
      })) {
    return std::nullopt;
  }
  for (ValueId tile : CopyingPhase(m_, uses_, *o.copying).tiles(*o.computing)) {
    o.tiles.push_back({tile, {}, {}});
  }
  return o.tiles.empty() ? std::nullopt : std::optional(std::move(o));
}

// ---- writing ------------------------------------------------------------------------------------

void Body::copy_first(Overlap& o, ValueId index, const V& first) {
  o.index = index;
  for (auto& tile : o.tiles) {
    plan_.scratch_end = (plan_.scratch_end + 63) / 64 * 64;
    tile.second = plan_.scratch_end;
    auto elements = static_cast<uint32_t>(m_.def(tile.memory)->attr);
    plan_.scratch_end += elements * byte_size(m_.type(tile.memory).dtype);
  }
  if (auto step = known_integer(m_, m_[m_[m_.values[index.index].region].parent].operands[2])) {
    read_ahead_in_turns(index, *step, o.copying->insts);
  }
  set(index, first);
  size_t checks = checks_.size();
  phase(*o.copying);
  forget_checks(checks);
}

// The turn of `now` while the tiles of the one after it are filled, if there are `more`.
void Body::overlapping_turn(Overlap& o, const V& now, const V& after, const V& more,
                            const V& flipped) {
  for (auto& [memory, second, other] : o.tiles) {
    V a = memory_pointer(memory);
    V b = e_.emit(Elem::Ptr, 1, concat("getelementptr i8, ptr %scratch, i64 ", second));
    other = e_.select(flipped, a, b);
    tile_at_[memory.index] = e_.select(flipped, b, a);
  }
  o.more = more;
  o.after = after;
  set(o.index, after);
  for (InstId i : o.copying->scalars) instruction(i, Mask{});
  set(o.index, now);
  size_t checks = checks_.size();
  overlap_ = &o;
  phase(*o.computing);
  overlap_ = nullptr;
  forget_checks(checks);
  for (const auto& tile : o.tiles) tile_at_.erase(tile.memory.index);
}

// One of the pieces; how many turns of the loop that computes came before it, in this panel.
void Body::copy_ahead(const V& turn) {
  Overlap& o = *overlap_;
  if (o.panel >= o.panels) return;
  V piece = turn;
  if (bits(piece.elem) != 32) {
    piece = e_.convert(bits(piece.elem) < 32 ? "zext" : "trunc", piece, Elem::I32);
  }
  piece = piece + e_.i32(static_cast<int32_t>(o.panel * o.turns));
  // The code around goes on as if nothing had been written.
  std::vector<ValueId> names = o.copying->imports;
  names.push_back(o.index);
  std::vector<Value> values;
  for (ValueId v : names) values.push_back(values_[v.index]);
  const size_t checks = checks_.size(), hidden = std::exchange(hidden_checks_, checks);
  const std::vector<V> simds = simds_;
  const bool all = std::exchange(all_, false);
  auto swap_tiles = [&] {
    for (auto& tile : o.tiles) std::swap(tile.other, tile_at_[tile.memory.index]);
  };
  auto begin = [&](const V& simd) {
    simd_ = simd;
    simds_ = {simd};
    set(o.index, o.after);
    for (ValueId v : o.copying->imports) import(v);
    for (InstId i : o.copying->insts) {
      if (m_[i].op != Op::For) instruction(i, Mask{});
    }
  };
  swap_tiles();
  const bool loops = o.shares[0].loop != nullptr;
  e_.when(o.more, {}, [&]() -> std::vector<V> {
    if (loops) begin(simds[0]);
    for (const auto& [loop, every] : o.shares) {
      V item = divide(false, piece, e_.i32(static_cast<int32_t>(every)));
      auto run = [&, loop = loop]() -> std::vector<V> {
        if (!loops) {
          begin(simds[0] + item);
        } else {
          RegionId body = loop->regions[0];
          ValueId index = m_[body].args[0];
          V number = item;
          Elem elem = elem_of(m_.type(index).dtype);
          if (bits(elem) != 32) {
            number = e_.convert(bits(elem) < 32 ? "trunc" : "zext", number, elem);
          }
          set(index, raw(loop->operands[0]) + number * raw(loop->operands[2]));
          region(body, Mask{});
        }
        return {};
      };
      V at = item * e_.i32(static_cast<int32_t>(every));
      every == 1 ? run() : e_.when(e_.cmp("eq", at, piece), {}, run);
    }
    return {};
  });
  swap_tiles();
  all_ = all;
  simds_ = simds;
  simd_ = simds_[0];
  forget_checks(checks);
  hidden_checks_ = hidden;
  for (size_t k = 0; k < names.size(); ++k) values_[names[k].index] = std::move(values[k]);
}

}  // namespace enigma::cpu
