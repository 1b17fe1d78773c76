// Liveness: which instructions matter, and whether a value is wanted after a point.
#include "codegen/msl/variables.h"

#include <algorithm>

namespace enigma::msl {

Uses::Uses(const Module& m)
    : live(m.insts.size()),
      places(m.insts.size()),
      users(m.values.size()),
      order(m.insts.size()),
      end(m.insts.size()),
      m_(m) {
  // Only what is reachable from the body counts; passes leave dropped instructions behind.
  uint32_t next = 0;
  number(m.body, next);
  mark_effects(m.body);
  for (size_t i = 0; i < m.insts.size(); ++i) {
    if (!live[i]) continue;
    for (ValueId v : m.insts[i].operands)
      users[v.index].push_back(InstId{static_cast<uint32_t>(i)});
  }
}

void Uses::number(RegionId region, uint32_t& next) {
  const Region& r = m_[region];
  for (size_t k = 0; k < r.insts.size(); ++k) {
    InstId id = r.insts[k];
    places[id.index] = {region, static_cast<int>(k)};
    order[id.index] = next++;
    for (RegionId inner : m_[id].regions) number(inner, next);
    end[id.index] = next - 1;
  }
}

bool Uses::mark_effects(RegionId region) {
  bool any = false;
  for (InstId id : m_[region].insts) {
    const OpInfo& row = info(m_[id].op);
    bool effect = row.has(flag::WRITE | flag::SYNC);
    for (RegionId inner : m_[id].regions) effect |= mark_effects(inner);
    // A loop stays even when it computes nothing: whether it ends is part of the program.
    effect |= row.shape == Shape::Region && m_[id].op != Op::If;
    if (effect) mark(id);
    any |= effect;
  }
  return any;
}

void Uses::mark(InstId inst) {
  std::vector<InstId> work{inst};
  while (!work.empty()) {
    InstId id = work.back();
    work.pop_back();
    if (live[id.index]) continue;
    live[id.index] = true;
    for (ValueId v : m_[id].operands) {
      const Value& value = m_[v];
      if (value.def) work.push_back(value.def);
    }
    for (RegionId r : m_[id].regions) {
      if (!m_[r].insts.empty()) work.push_back(m_[r].insts.back());  // its yield
    }
    if (RegionId r = places[id.index].region; r && m_[r].parent) work.push_back(m_[r].parent);
  }
}

Uses::Place Uses::definition(ValueId v) const {
  const Value& value = m_[v];
  if (value.def) return places[value.def.index];
  return {value.region ? value.region : m_.body, -1};
}

bool Uses::encloses(RegionId outer, RegionId inner) const {
  for (RegionId r = inner; r;) {
    if (r == outer) return true;
    InstId parent = m_[r].parent;
    r = parent ? places[parent.index].region : RegionId{};
  }
  return false;
}

bool Uses::in_or_under(RegionId region, InstId inst) const {
  for (RegionId r = places[inst.index].region; r != region; r = places[m_[r].parent.index].region) {
    if (!r || !m_[r].parent) return false;
    const Instruction& parent = m_[m_[r].parent];
    if (parent.op != Op::If || parent.regions[0] != r) return false;
  }
  return true;
}

int Uses::position_in(RegionId region, InstId inst) const {
  for (InstId i = inst; i;) {
    Place p = places[i.index];
    if (p.region == region) return p.position;
    if (!p.region) return -1;
    i = m_[p.region].parent;
  }
  return -1;
}

uint32_t Uses::last_use(ValueId v) const {
  const Value& value = m_[v];
  RegionId home = definition(v).region;
  uint32_t last = value.def ? end[value.def.index] : 0;
  for (InstId user : users[v.index]) {
    last = std::max(last, order[user.index]);
    // A loop between the definition and the use may come to it again until it ends.
    for (InstId i = user; places[i.index].region != home;) {
      i = m_[places[i.index].region].parent;
      if (m_[i].op != Op::If) last = std::max(last, end[i.index]);
    }
  }
  return last;
}

bool Uses::live_after(ValueId v, Place at) const {
  Place def = definition(v);
  if (!encloses(def.region, at.region)) return false;  // out of scope
  Place top = at;
  while (top.region != def.region) top = places[m_[top.region].parent.index];
  // Not yet there, or still being computed: a loop has no results inside itself.
  if (top.position < def.position) return false;
  if (top.position == def.position && at.region != def.region) return false;
  for (Place p = at;;) {
    for (InstId user : users[v.index]) {
      if (position_in(p.region, user) > p.position) return true;
    }
    if (p.region == def.region) return false;
    InstId parent = m_[p.region].parent;
    Place outer = places[parent.index];
    if (m_[parent].op != Op::If) {
      // The next turn may read it again.
      for (InstId user : users[v.index]) {
        if (user != parent && position_in(outer.region, user) == outer.position) return true;
      }
    }
    p = outer;
  }
}

}  // namespace enigma::msl
