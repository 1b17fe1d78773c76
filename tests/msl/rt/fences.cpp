// What fences and atomics order, for the race checker. A fence hands on what its thread has done
// and knows to the atomics that the thread writes afterwards; who reads one and then passes a fence
// knows it too, and hands it on; barriers hand it to all that meet there.
#include <algorithm>
#include <unordered_map>

#include "run.h"

namespace msl {
namespace {

// Accesses by whom, to which memory, are known: those before the number that it stands for.
// Somebody is a thread (before its fence of that number), a SIMD-group or a threadgroup (before
// their barriers).
using Clock = std::unordered_map<uint64_t, uint32_t>;
enum Who : uint64_t { kThread = 0, kSimdgroup = 1, kGroup = 2 };

uint64_t key(Who who, uint32_t group, uint32_t number, bool threadgroup_memory) {
  return uint64_t{group} << 32 | number << 3 | who << 1 | uint64_t{threadgroup_memory};
}
bool is_of_threadgroup_memory(uint64_t key) { return key & 1; }

void join(Clock& clock, const Clock& other) {
  for (auto [who, until] : other) {
    uint32_t& known = clock[who];
    known = std::max(known, until);
  }
}

struct Witness {
  uint32_t fences = 0;
  bool releases_to_all = false;  // its last fence was for the whole device
  Clock known, released;
  Clock near, far;  // read from atomics: those that the own group wrote last, and others
};
std::vector<Witness> threads;  // of the threadgroup that runs
uint32_t group_of_threads;

// What atomics carry, by their address; those of threadgroup memory live as long as that.
struct Carried {
  Clock to_all, to_group;
  uint32_t group = 0;
};
std::unordered_map<const volatile void*, Carried> carried;

Witness& self() {
  if (group_of_threads != place.group) {
    threads.clear();
    group_of_threads = place.group;
    std::erase_if(carried, [](auto& c) {
      const Buffer* b = find_buffer(const_cast<const void*>(c.first));
      return !b || b->is_threadgroup;
    });
  }
  if (threads.size() <= place.thread) threads.resize(place.thread + 1);
  return threads[place.thread];
}

}  // namespace

void fences_begin() {
  threads.clear();
  carried.clear();
  group_of_threads = ~0u;
}

void fences_pass(unsigned flags, bool for_device) {
  Witness& t = self();
  join(t.known, t.near);
  t.near.clear();
  if (for_device) {
    join(t.known, t.far);
    t.far.clear();
  }
  ++t.fences;
  t.releases_to_all = for_device;
  t.released = t.known;
  for (bool tg : {false, true}) {
    if (!(flags & (tg ? 2u : 1u))) {
      std::erase_if(t.released, [&](auto& c) { return is_of_threadgroup_memory(c.first) == tg; });
      continue;
    }
    auto at = [&](Who who, uint32_t n) -> uint32_t& {
      return t.released[key(who, place.group, n, tg)];
    };
    at(kThread, place.thread) = t.fences;
    at(kSimdgroup, place.simdgroup) = tg ? place.simd_threadgroup_epoch : place.simd_device_epoch;
    at(kGroup, 0) = tg ? place.threadgroup_epoch : place.device_epoch;
  }
}

void fences_atomic(const volatile void* object, bool reads, bool writes) {
  Witness& t = self();
  Carried& c = carried[object];
  if (reads) {
    const bool is_near = c.group == place.group;
    join(is_near ? t.near : t.far, c.to_all);
    if (is_near) join(t.near, c.to_group);
  }
  if (!writes) return;
  if (!reads) c.to_all.clear();
  if (!reads || c.group != place.group) c.to_group.clear();
  c.group = place.group;
  join(t.releases_to_all ? c.to_all : c.to_group, t.released);
}

void fences_barrier(uint32_t first, uint32_t last, unsigned flags) {
  if (threads.empty()) return;  // no thread of this threadgroup has passed a fence
  Clock all;
  for (uint32_t i = first; i < std::min<size_t>(last, threads.size()); ++i) {
    join(all, threads[i].known);
  }
  std::erase_if(all,
                [&](auto& c) { return !(flags & (is_of_threadgroup_memory(c.first) ? 2 : 1)); });
  if (all.empty()) return;
  threads.resize(std::max<size_t>(threads.size(), last));
  for (uint32_t i = first; i < last; ++i) join(threads[i].known, all);
}

uint32_t fences_passed() { return self().fences; }

bool fences_know(const Made& by, bool threadgroup_memory) {
  const Clock& known = self().known;
  if (known.empty()) return false;
  auto before = [&](Who who, uint32_t number, uint32_t at) {
    auto found = known.find(key(who, by.group, number, threadgroup_memory));
    return found != known.end() && at < found->second;
  };
  return before(kThread, by.thread, by.fences) || before(kSimdgroup, by.simdgroup, by.simd_epoch) ||
         before(kGroup, 0, by.epoch);
}

}  // namespace msl
