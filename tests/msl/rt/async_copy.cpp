// AIR's copies between device and threadgroup memory, as src/support/async_copy.metal declares
// them. A copy is done as late as it may be, when it is waited for, and until then its target is
// poison: who counts on anything else gets wrong numbers, and with the checker is told so.
#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include "run.h"

namespace msl {
namespace {

using Long2 = long __attribute__((ext_vector_type(2)));
using Ulong2 = unsigned long __attribute__((ext_vector_type(2)));

// What one lane asks for; compared bit by bit with what the others do.
struct Request {
  char* target;
  const char* source;
  uint64_t size, alignment;
  uint64_t target_pitch, source_pitch;  // of rows, in elements
  uint64_t columns, rows;               // of the target's tile
  uint64_t source_columns, source_rows;
  int64_t skip_columns, skip_rows;  // in the source's tile
  uint64_t target_stride, source_stride;
  uint64_t clamp;
  uint64_t to_threadgroup;
};

// Rows of bytes at equal distances.
struct Footprint {
  const char* begin;
  uint64_t pitch, width, rows;

  bool touches(const char* p, uint64_t size) const {
    if (!rows || !width || p + size <= begin || p >= begin + (rows - 1) * pitch + width)
      return false;
    const uint64_t first = p < begin ? 0 : static_cast<uint64_t>(p - begin) / pitch;
    for (uint64_t y = first; y < std::min(first + 2, rows); ++y) {
      const char* row = begin + y * pitch;
      if (p < row + width && row < p + size) return true;
    }
    return false;
  }
};

struct Event {
  Request request;
  uint32_t simdgroup, thread;
  uintptr_t pc;
  bool done = false, touched = false, is_read = false, is_ordered = false;

  Footprint target() const {
    const Request& r = request;
    return {r.target, r.target_pitch * r.size, r.columns * r.size, r.rows};
  }
  // Of the source's tile the part that the target has room for.
  Footprint source() const {
    const Request& r = request;
    auto part = [](int64_t skip, uint64_t wanted, uint64_t there) {
      int64_t from = std::clamp<int64_t>(skip, 0, static_cast<int64_t>(there));
      int64_t to = std::clamp<int64_t>(skip + static_cast<int64_t>(wanted), from,
                                       static_cast<int64_t>(there));
      return std::pair(static_cast<uint64_t>(from), static_cast<uint64_t>(to - from));
    };
    auto [column, columns] = part(r.skip_columns, r.columns, r.source_columns);
    auto [row, rows] = part(r.skip_rows, r.rows, r.source_rows);
    return {r.source + (row * r.source_pitch + column) * r.size, r.source_pitch * r.size,
            columns * r.size, rows};
  }
};

// What a SIMD-group's lanes do together: the first that goes on does it for all.
struct Meeting {
  uint32_t left = 0;  // lanes that have not yet gone on
  Event* event = nullptr;
};

std::deque<Event> events;  // of this threadgroup
std::vector<Meeting> meetings;
bool copying;  // what is touched now is touched by a copy

void add(uintptr_t pc, std::string text, uintptr_t other = 0) {
  report.findings.push_back({"async copy", std::move(text), pc, other});
}

// Whether all lanes are here, asking for the same; each has left the address of what it asks for.
template <class Asked, class Same>
bool together(const Deposits& all, const char* what, uintptr_t pc, const Same& same) {
  const uint32_t count = lanes_of(place.simdgroup);
  const uint32_t whole = count == kLanes ? ~0u : (1u << count) - 1;
  const std::string group = " of SIMD-group " + std::to_string(place.simdgroup) + ' ' + what;
  if (all.mask != whole) {
    add(pc, "only " + std::to_string(__builtin_popcount(all.mask)) + " of " +
                std::to_string(count) + " threads" + group);
    return false;
  }
  auto asked = [&](uint32_t lane) -> const Asked& {
    const Asked* p;
    memcpy(&p, all.bytes[lane], sizeof p);
    return *p;
  };
  for (uint32_t lane = 1; lane < count; ++lane) {
    if (same(asked(0), asked(lane))) continue;
    add(pc, "lanes 0 and " + std::to_string(lane) + group + " with different arguments");
    return false;
  }
  return true;
}

template <class Visit>  // (target, source or null for a zero)
void each_element(const Request& r, const Visit& visit) {
  auto inside = [](int64_t x, uint64_t size) { return x >= 0 && static_cast<uint64_t>(x) < size; };
  for (uint64_t y = 0; y < r.rows; ++y) {
    for (uint64_t x = 0; x < r.columns; ++x) {
      int64_t column = static_cast<int64_t>(x) + r.skip_columns;
      int64_t row = static_cast<int64_t>(y) + r.skip_rows;
      bool zero = !inside(column, r.source_columns) || !inside(row, r.source_rows);
      if (zero && r.clamp == 1 && r.source_columns && r.source_rows) {
        column = std::clamp<int64_t>(column, 0, static_cast<int64_t>(r.source_columns) - 1);
        row = std::clamp<int64_t>(row, 0, static_cast<int64_t>(r.source_rows) - 1);
        zero = false;
      }
      const uint64_t from =
          static_cast<uint64_t>(row) * r.source_pitch + static_cast<uint64_t>(column);
      visit(r.target + (y * r.target_pitch + x) * r.size,
            zero ? nullptr : r.source + from * r.size);
    }
  }
}

// Null, or what is wrong with a request.
const char* fault_of(const Request& r) {
  auto misplaced = [&](const char* p) { return reinterpret_cast<uintptr_t>(p) % r.alignment != 0; };
  if (r.size == 0 || r.alignment == 0) return "its elements have no size or no alignment";
  if (misplaced(r.target) || misplaced(r.source)) return "an address misses the alignment";
  if (r.target_stride != 1 || r.source_stride != 1) return "a stride within a row is not 1";
  if (r.clamp > 1) return "its clamp mode is neither 0 nor 1";
  if (r.columns > r.target_pitch || r.source_columns > r.source_pitch) {
    return "a row of a tile is longer than the pitch";
  }
  return nullptr;
}

// The checker's callbacks for what a copy touches.
void check(const Event& e) {
  if (!run->checked) return;
  const uint32_t thread = std::exchange(place.thread, e.thread);
  const auto size = static_cast<unsigned>(e.request.size);
  copying = true;
  each_element(e.request, [&](char* target, const char* source) {
    if (source) check_access(source, size, false, false, e.pc);
    check_access(target, size, true, false, e.pc);
  });
  copying = false;
  place.thread = thread;
}

void perform(Event& e) {
  check(e);
  each_element(e.request, [&](char* target, const char* source) {
    if (source) {
      memcpy(target, source, e.request.size);
    } else {
      memset(target, 0, e.request.size);
    }
  });
  e.done = true;
}

Event* issue(const Request& request, uintptr_t pc) {
  const Request* own = &request;
  const Deposits* all = msl_exchange(&own, sizeof own, 0);
  Meeting& m = meetings[place.simdgroup];
  if (m.left == 0) {
    m.left = all->mask;
    auto same = [](const Request& a, const Request& b) { return memcmp(&a, &b, sizeof a) == 0; };
    if (!together<Request>(*all, "issue the copy", pc, same)) give_up();
    if (const char* fault = fault_of(request)) {
      add(pc, fault);
      give_up();
    }
    m.event = &events.emplace_back(Event{request, place.simdgroup, place.thread, pc});
    check(*m.event);
    each_element(request, [&](char* target, const char*) { memset(target, 0xff, request.size); });
  }
  m.left &= ~(1u << msl_current->lane);
  return m.event;
}

Event* known(const Event* waited, uintptr_t pc) {
  for (Event& e : events) {
    if (&e != waited) continue;
    if (e.simdgroup != place.simdgroup) {
      add(pc,
          "SIMD-group " + std::to_string(place.simdgroup) + " waits for a copy that SIMD-group " +
              std::to_string(e.simdgroup) + " has issued",
          e.pc);
      give_up();
    }
    if (e.done) {
      add(pc, "it is waited for twice", e.pc);
      give_up();
    }
    return &e;
  }
  add(pc, "what is waited for is no copy");
  give_up();
}

struct Waited {
  int count;
  Event** events;
};

void wait(const Waited& waited, uintptr_t pc) {
  const Waited* own = &waited;
  const Deposits* all = msl_exchange(&own, sizeof own, 0);
  Meeting& m = meetings[place.simdgroup];
  if (m.left == 0) {
    m.left = all->mask;
    if (waited.count < 1) {
      add(pc, "a wait for no copy at all");
      give_up();
    }
    auto same = [](const Waited& a, const Waited& b) {
      return a.count == b.count && std::equal(a.events, a.events + a.count, b.events);
    };
    if (!together<Waited>(*all, "wait for the copy", pc, same)) give_up();
    for (int i = 0; i < waited.count; ++i) perform(*known(waited.events[i], pc));
  }
  m.left &= ~(1u << msl_current->lane);
}

}  // namespace

void copies_begin(size_t simdgroups) {
  events.clear();
  meetings.assign(simdgroups, {});
  copying = false;
}

void copies_barrier(uint32_t simdgroup) {
  for (Event& e : events) e.is_ordered |= e.done && e.simdgroup == simdgroup;
}

void copies_touch(const char* address, unsigned size, bool write, uintptr_t pc) {
  if (copying) return;
  for (Event& e : events) {
    const bool target = e.target().touches(address, size);
    if (e.done) {
      e.is_read |= target && !write;
    } else if (!e.touched && (target || (write && e.source().touches(address, size)))) {
      e.touched = true;
      add(pc,
          std::string("its ") + (target ? "target" : "source") + " is " +
              (write ? "written" : "read") + " by " + thread_name(place.thread) +
              " before it is waited for",
          e.pc);
    }
  }
}

void copies_end() {
  for (const Event& e : events) {
    if (!e.done) {
      add(e.pc, "it is never waited for");
    } else if (!e.is_ordered) {
      add(e.pc, "no barrier follows the wait for it");
    } else if (run->checked && e.request.to_threadgroup && !e.is_read) {
      add(e.pc, "nothing reads what it brought");
    }
  }
}

}  // namespace msl

using namespace msl;

// The symbols that the label of a declaration names.
#define MSL_PC reinterpret_cast<uintptr_t>(__builtin_return_address(0))
#define MSL_LINE uint64_t size, uint64_t alignment, char *target, const char *source, uint64_t count
#define MSL_TILE                                                                                  \
  uint64_t size, uint64_t alignment, char *target, uint64_t target_pitch, uint64_t target_stride, \
      Ulong2 target_tile, const char *source, uint64_t source_pitch, uint64_t source_stride,      \
      Ulong2 source_tile, Long2 skip, int clamp
#define MSL_COPIES(name, spaces, in)                                                            \
  extern "C" Event* name##_1d(MSL_LINE) asm("air.simdgroup_async_copy_1d." spaces);             \
  extern "C" Event* name##_2d(MSL_TILE) asm("air.simdgroup_async_copy_2d." spaces);             \
  Event* name##_1d(MSL_LINE) {                                                                  \
    return issue(                                                                               \
        {target, source, size, alignment, count, count, count, 1, count, 1, 0, 0, 1, 1, 0, in}, \
        MSL_PC);                                                                                \
  }                                                                                             \
  Event* name##_2d(MSL_TILE) {                                                                  \
    return issue({target, source, size, alignment, target_pitch, source_pitch, target_tile.x,   \
                  target_tile.y, source_tile.x, source_tile.y, skip.x, skip.y, target_stride,   \
                  source_stride, static_cast<uint64_t>(clamp), in},                             \
                 MSL_PC);                                                                       \
  }
MSL_COPIES(msl_copy_to_threadgroup, "p3i8.p1i8", true)
MSL_COPIES(msl_copy_to_device, "p1i8.p3i8", false)

extern "C" void msl_copy_wait(int count, Event** events) asm("air.wait_simdgroup_events");
void msl_copy_wait(int count, Event** events) { wait({count, events}, MSL_PC); }
