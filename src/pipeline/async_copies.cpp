// Every way through the kernel is followed with the copies that are under way on it. A condition
// that was met before goes the same way again, and a loop is followed until it brings nothing new.

#include "pipeline/async_copies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "enigma/builder.h"
#include "ir/signature.h"
#include "ir/uniformity.h"
#include "support/text.h"

namespace enigma {
namespace {

// Ways that are followed at the same time; of a kernel that has more the rest is not checked.
constexpr size_t kWays = 256;
constexpr uint64_t kCountedTurns = 16;  // of a loop that is followed turn by turn

// Where the copies stand on one way through the kernel.
struct Way {
  std::set<uint32_t> pending;           // instructions that began a copy
  std::map<uint32_t, uint32_t> events;  // values to the instruction whose event they are
  std::map<uint32_t, bool> decided;     // conditions
  friend auto operator<=>(const Way&, const Way&) = default;
};
using Ways = std::set<Way>;

class Checker {
 public:
  explicit Checker(const Module& m)
      : m_(m), home_(m.values.size()), uniformity_(analyse_uniformity(m)) {
    note(m.body);
  }

  bool run() {
    uniform(m_.body);
    for (const Way& end : follow(m_.body, {Way{}})) {
      for (uint32_t copy : end.pending) {
        fail(InstId{copy}, name(InstId{copy}),
             ": nothing waits for this copy on some way to the kernel's end; pass its event to "
             "async_copy_wait, after the loop too where a loop waits for the copy of the turn "
             "before (to wait twice does no harm)");
      }
    }
    return is_air_;
  }

 private:
  struct Holder {
    RegionId region;  // that it stands in
    bool has_copies;  // or waits
  };

  template <class... Ts>
  [[noreturn]] void fail(InstId at, const Ts&... pieces) const {
    throw Error(concat(pieces...), m_.location(at));
  }

  // "async_copy_2d_d2t": what the user called.
  std::string name(InstId copy) const {
    const Instruction& inst = m_[copy];
    const bool is_line = known_integer(m_, inst.operands[7]) == 1;
    const bool to_device = m_.type(inst.operands[0]).space() == AddressSpace::Device;
    return concat("async_copy_", is_line ? "1d" : "2d", to_device ? "_t2d" : "_d2t");
  }

  std::string memory_name(ValueId memory) const {
    const std::string& name = m_.name_of(memory);
    return name.empty() ? "the memory" : concat("'", name, "'");
  }

  std::string line_of(InstId i) const {
    const Location where = m_.location(i);
    return where.line ? concat(" of line ", where.line) : "";
  }

  // ---- what a look at all instructions shows ----

  // Whether there are copies or waits in it.
  bool note(RegionId r) {
    bool any = false;
    for (ValueId v : m_[r].args) home_[v.index] = r;
    for (InstId i : m_[r].insts) {
      for (ValueId v : m_[i].results) home_[v.index] = r;
      bool here = info(m_[i].op).shape == Shape::Async;
      for (RegionId inner : m_[i].regions) here |= note(inner);
      if (!m_[i].regions.empty()) holders_[i.index] = {r, here};
      any |= here;
    }
    return any;
  }

  void uniform(RegionId r) {
    for (InstId i : m_[r].insts) {
      if (info(m_[i].op).shape == Shape::Async) lanes_agree(i);
      for (RegionId inner : m_[i].regions) uniform(inner);
    }
  }

  // A copy is made by a whole SIMD-group, and AIR's by one of them: by several it is slower, and
  // nothing tells what becomes of elements that two of them write.
  void lanes_agree(InstId i) {
    const Instruction& inst = m_[i];
    const bool waits = inst.op == Op::AsyncWait;
    const std::string who = waits ? "async_copy_wait" : name(i);
    if (uniformity_.control[i.index] > Level::Simd) {
      fail(
          i, who,
          ": a whole SIMD-group does this together, and the condition around it may differ between "
          "its lanes; ask for the number of the SIMD-group, as in enigma.if_("
          "enigma.simdgroup_index_in_threadgroup() == 0)");
    }
    static constexpr const char* kOperands[] = {
        "dst", "dst_offset", "dst_epr", "src", "src_offset", "src_epr", "tile_cols", "tile_rows"};
    bool same_for_all = !waits && uniformity_.control[i.index] < Level::Simd;
    for (size_t k = 0; k < inst.operands.size(); ++k) {
      const ValueId v = inst.operands[k];
      if (uniformity_[v] == Level::Simd) same_for_all = false;
      if (m_.type(v).is_memory() || uniformity_[v] <= Level::Simd) continue;
      fail(i, who, ": ", waits ? "the event" : kOperands[k],
           " may differ between the lanes of a SIMD-group, which does this together; use "
           "enigma.simd_broadcast(x, 0)");
    }
    if (same_for_all) is_air_ = false;
  }

  // ---- the ways ----

  Ways follow(RegionId r, Ways ways) {
    for (InstId i : m_[r].insts) {
      Ways next;
      for (const Way& way : ways) {
        for (Way after : step(i, way)) {
          if (next.size() < kWays) next.insert(std::move(after));
        }
      }
      ways = std::move(next);
    }
    return ways;
  }

  Ways step(InstId i, const Way& before) {
    const Instruction& inst = m_[i];
    switch (info(inst.op).shape) {
      case Shape::Async:
        return {inst.op == Op::AsyncCopy ? begin(i, before) : wait(i, before)};
      case Shape::Region:
        if (inst.op == Op::If) return if_(i, before);
        return inst.op == Op::For ? for_(i, before) : while_(inst, before);
      default:
        if (!inst.operands.empty() && m_.type(inst.operands[0]).is_memory()) access(i, before);
        return {before};
    }
  }

  std::optional<uint32_t> event(ValueId v, const Way& way) const {
    const Instruction* def = m_.def(v);
    if (def && def->op == Op::AsyncCopy) return m_[v].def.index;
    auto found = way.events.find(v.index);
    return found == way.events.end() ? std::nullopt : std::optional(found->second);
  }

  void hand_over(std::span<const ValueId> from, std::span<const ValueId> to, Way& way) const {
    std::vector<std::optional<uint32_t>> events;
    for (ValueId v : from) events.push_back(event(v, way));
    for (size_t k = 0; k < to.size(); ++k) {
      if (events[k]) {
        way.events[to[k].index] = *events[k];
      } else {
        way.events.erase(to[k].index);
      }
    }
  }

  Way begin(InstId i, Way way) const {
    for (uint32_t other : way.pending) {
      const InstId before{other};
      if (before == i) {
        fail(i, name(i),
             ": this copy begins again before anything has waited for it; pass its "
             "event to async_copy_wait in every turn");
      }
      const auto &x = m_[i].operands, &y = m_[before].operands;
      for (auto [a, b] : {std::pair(0, 0), std::pair(0, 3), std::pair(3, 0)}) {
        if (!overlap(rows_of(x, a), rows_of(y, b))) continue;
        fail(i, name(i), ": ",
             a == 0 && b == 0 ? "this copy writes to"
             : a == 0         ? "this copy changes"
                              : "this copy reads",
             " elements of ", memory_name(x[a]), " that the copy", line_of(before), " ",
             b == 0 ? "is still writing" : "is still reading",
             "; pass its event to async_copy_wait first");
      }
    }
    way.pending.insert(i.index);
    return way;
  }

  Way wait(InstId i, Way way) {
    const ValueId v = m_[i].operands[0];
    if (known_integer(m_, v) == int64_t{Builder::kCopyDone}) {
      is_air_ = false;  // its wait would need an event
      return way;
    }
    auto copy = event(v, way);
    if (!copy) {
      fail(i,
           "async_copy_wait takes the event that async_copy_* gave, and gets a value that is "
           "none on some way; begin the first copy before the loop or condition");
    }
    way.pending.erase(*copy);
    return way;
  }

  void access(InstId i, const Way& way) const {
    const Instruction& inst = m_[i];
    const ValueId memory = inst.operands[0];
    const bool writes = info(inst.op).has(flag::WRITE);
    for (uint32_t copy : way.pending) {
      const auto& x = m_[InstId{copy}].operands;
      const bool is_target = x[0] == memory, is_source = x[3] == memory && writes;
      if (!is_target && !is_source) continue;
      const Rows rows = rows_of(x, is_target ? 0 : 3);
      if (!covers(rows, inst.operands[1])) continue;
      fail(i, memory_name(memory), " is ", writes ? "written" : "read", " while the copy",
           line_of(InstId{copy}), is_target ? " is still writing to it" : " is still reading it",
           "; pass its event to async_copy_wait first, and meet at a barrier()");
    }
  }

  // What a condition is on this way, where conditions that were met before tell.
  std::optional<bool> decided(ValueId v, const Way& way) const {
    if (auto known = known_integer(m_, v)) return *known != 0;
    if (auto found = way.decided.find(v.index); found != way.decided.end()) return found->second;
    const Instruction* def = m_.def(v);
    if (!def || (def->op != Op::AndB && def->op != Op::OrB && def->op != Op::NotB)) return {};
    auto a = decided(def->operands[0], way);
    if (def->op == Op::NotB) return a ? std::optional(!*a) : a;
    auto b = decided(def->operands[1], way);
    const bool settles = def->op == Op::OrB;
    if (a == settles || b == settles) return settles;
    return a && b ? std::optional(!settles) : std::nullopt;
  }

  void decide(ValueId v, bool holds, Way& way) const {
    if (known_integer(m_, v)) return;
    way.decided[v.index] = holds;
    const Instruction* def = m_.def(v);
    if (!def) return;
    if (def->op == Op::NotB) decide(def->operands[0], !holds, way);
    if (def->op == (holds ? Op::AndB : Op::OrB)) {
      for (ValueId part : def->operands) decide(part, holds, way);
    }
  }

  Ways if_(InstId i, const Way& before) {
    const Instruction& inst = m_[i];
    const ValueId condition = inst.operands[0];
    Ways out;
    for (const bool holds : {true, false}) {
      if (auto known = decided(condition, before); known && *known != holds) continue;
      Way way = before;
      if (holders_.at(i.index).has_copies) decide(condition, holds, way);
      const RegionId arm = inst.regions[holds ? 0 : 1];
      for (Way end : follow(arm, {way})) {
        hand_over(m_[m_[arm].insts.back()].operands, inst.results, end);
        out.insert(std::move(end));
      }
    }
    return out;
  }

  // The turns of a loop with constant bounds.
  std::optional<uint64_t> turns(const Instruction& loop) const {
    auto lo = known_integer(m_, loop.operands[0]), hi = known_integer(m_, loop.operands[1]),
         step = known_integer(m_, loop.operands[2]);
    if (!lo || !hi || !step) return std::nullopt;
    if (*step == 0 || (*step > 0 ? *lo >= *hi : *lo <= *hi)) return 0;
    const double count = (static_cast<double>(*hi) - static_cast<double>(*lo)) / double(*step);
    return count > kCountedTurns ? kCountedTurns + 1 : static_cast<uint64_t>(std::ceil(count));
  }

  Ways for_(InstId i, const Way& before) {
    const Instruction& inst = m_[i];
    const RegionId body = inst.regions[0];
    const auto args = std::span(m_[body].args).subspan(1);
    const auto count = turns(inst);
    const bool counted = count && *count <= kCountedTurns && holders_.at(i.index).has_copies;
    Way start = before;
    hand_over(std::span(inst.operands).subspan(3), args, start);
    Ways at{start}, seen, out;
    for (uint64_t turn = 0;; ++turn) {
      // Ways out: after the last turn where their number is known, after any elsewhere.
      if (counted ? turn == *count : !count || *count == 0 || turn > 0) {
        for (Way end : at) {
          hand_over(args, inst.results, end);
          out.insert(std::move(end));
        }
      }
      if (counted && turn == *count) break;
      Ways next;
      for (Way end : follow(body, at)) {
        hand_over(m_[m_[body].insts.back()].operands, args, end);
        forget(body, args, end);
        if (counted || seen.insert(end).second) next.insert(end);
      }
      if (next.empty()) break;
      at = std::move(next);
    }
    return out;
  }

  Ways while_(const Instruction& inst, const Way& before) {
    const RegionId test = inst.regions[0], body = inst.regions[1];
    const std::vector<ValueId>&first = m_[test].args, &second = m_[body].args;
    Way start = before;
    hand_over(inst.operands, first, start);
    Ways at{start}, seen, out;
    while (!at.empty()) {
      Ways next;
      for (const Way& tested : follow(test, at)) {
        Way end = tested, on = tested;
        hand_over(first, inst.results, end);
        out.insert(std::move(end));
        hand_over(first, second, on);
        for (Way turned : follow(body, {on})) {
          hand_over(m_[m_[body].insts.back()].operands, first, turned);
          forget(test, first, turned);
          forget(body, {}, turned);
          if (seen.insert(turned).second) next.insert(turned);
        }
      }
      at = std::move(next);
    }
    return out;
  }

  // What the next turn computes anew.
  void forget(RegionId r, std::span<const ValueId> but, Way& way) const {
    auto inside = [&](uint32_t v) {
      for (const ValueId kept : but) {
        if (kept.index == v) return false;
      }
      RegionId at = home_[v];
      while (at && at != r) {
        const InstId parent = m_[at].parent;
        at = parent ? holders_.at(parent.index).region : RegionId{};
      }
      return static_cast<bool>(at);
    };
    std::erase_if(way.events, [&](const auto& e) { return inside(e.first); });
    std::erase_if(way.decided, [&](const auto& e) { return inside(e.first); });
  }

  // ---- which elements ----

  // One side of a copy: rows of elements, with what is known of them.
  struct Rows {
    ValueId memory, offset;
    std::optional<int64_t> begin, pitch, columns, rows;
  };

  Rows rows_of(std::span<const ValueId> x, size_t side) const {
    return {x[side],
            x[side + 1],
            known_integer(m_, x[side + 1]),
            known_integer(m_, x[side + 2]),
            known_integer(m_, x[6]),
            known_integer(m_, x[7])};
  }

  bool is_known(const Rows& r) const {
    return r.begin && r.columns && r.rows && (r.pitch || *r.rows == 1);
  }

  // Whether both have an element in common, as far as that is provable.
  bool overlap(const Rows& a, const Rows& b) const {
    if (a.memory != b.memory) return false;
    if (a.offset == b.offset) return true;
    if (!is_known(a) || !is_known(b)) return false;
    for (int64_t y = 0; y < *a.rows; ++y) {
      const int64_t begin = *a.begin + y * a.pitch.value_or(0);
      if (touches(b, begin, begin + *a.columns)) return true;
    }
    return false;
  }

  bool touches(const Rows& r, int64_t begin, int64_t end) const {
    const int64_t pitch = std::max<int64_t>(r.pitch.value_or(1), 1);
    int64_t y = *r.rows == 1 ? 0 : (begin - *r.begin - *r.columns) / pitch;
    for (y = std::max<int64_t>(y, 0); y < *r.rows; ++y) {
      const int64_t row = *r.begin + y * pitch;
      if (row >= end) return false;
      if (begin < row + *r.columns) return true;
    }
    return false;
  }

  // Whether an access at this index provably meets the rows: every index does where they are all of
  // the memory.
  bool covers(const Rows& r, ValueId index) const {
    if (index == r.offset) return true;
    if (!is_known(r)) return false;
    if (auto at = known_integer(m_, index)) return touches(r, *at, *at + 1);
    const Instruction* alloc = m_.def(r.memory);
    const bool dense = *r.rows == 1 || r.pitch == r.columns;
    return alloc && dense && *r.begin == 0 &&
           *r.columns * *r.rows >= static_cast<int64_t>(alloc->attr);
  }

  const Module& m_;
  std::vector<RegionId> home_;          // by value
  std::map<uint32_t, Holder> holders_;  // by instruction that holds regions
  const Uniformity uniformity_;
  bool is_air_ = true;
};

}  // namespace

bool has_async_copies(const Module& m) {
  return std::any_of(m.insts.begin(), m.insts.end(),
                     [](const Instruction& inst) { return info(inst.op).shape == Shape::Async; });
}

bool check_async_copies(const Module& m) { return Checker(m).run(); }

}  // namespace enigma
