// The race and bounds checker: callbacks of clang's -fsanitize=thread, without its runtime. Every
// element remembers who touched it last; two accesses race when threads of which one writes are
// not ordered by a barrier for that memory.
#include <cstring>
#include <unordered_map>

#include "run.h"

namespace msl {
namespace {

constexpr uint16_t kNobody = 0xffff;

// Three for each element of each buffer that may be written: it is to be small.
struct Access {
  uint32_t group = 0, epoch = 0;
  uint16_t simd_epoch = 0, fences = 0;  // few pass so many of them
  uint16_t thread = kNobody;
  uint16_t simdgroup : 15 = 0;
  uint16_t atomic : 1 = 0;
  uintptr_t pc = 0;
};
static_assert(sizeof(Access) == 24);

}  // namespace

struct Cell {
  Access write, reads[2];
};

namespace {

std::unordered_map<const char*, std::vector<Cell>> shadows;  // by the buffer's begin
uint32_t shadow_group;                                       // whose threadgroup memory it is
std::unordered_map<uintptr_t, size_t> known;                 // finding of a pc

constexpr size_t kMost = 64;

void add(const char* kind, std::string text, uintptr_t pc, uintptr_t other) {
  auto [at, fresh] = known.try_emplace(pc ^ (other * 31), report.findings.size());
  if (!fresh) {
    ++report.findings[at->second].count;
  } else if (report.findings.size() < kMost) {
    report.findings.push_back({kind, std::move(text), pc, other});
  } else {
    known.erase(at);
  }
}

// A write that changes nothing harms no other write: it is told by what is there afterwards.
struct Pending {
  const char* address = nullptr;
  size_t size = 0;
  unsigned char before[16];
  std::string text;
  uintptr_t pc = 0, other = 0;
};
Pending pending;

void settle() {
  if (!pending.address) return;
  bool same = memcmp(pending.before, pending.address, pending.size) == 0;
  pending.address = nullptr;
  if (!same) add("race", std::move(pending.text), pending.pc, pending.other);
}

bool ordered(const Access& a, const Access& now, bool threadgroup_memory) {
  if (a.group == now.group) {
    if (a.thread == now.thread || a.epoch != now.epoch) return true;
    if (a.simdgroup == now.simdgroup && a.simd_epoch != now.simd_epoch) return true;
  }
  return fences_know({a.group, a.thread, a.simdgroup, a.fences, a.simd_epoch, a.epoch},
                     threadgroup_memory);
}

std::string who(const Access& a) {
  return "thread " + std::to_string(a.thread) + " of threadgroup " + std::to_string(a.group);
}

bool races(const Buffer& b, const Access& a, const Access& now) {
  return a.thread != kNobody && !(a.atomic && now.atomic) && !ordered(a, now, b.is_threadgroup);
}

void race(const Buffer& b, size_t element, const Access& before, const char* did, const Access& now,
          const char* does) {
  std::string text = std::string(does) + " of " + b.name + "[" + std::to_string(element) + "] by " +
                     who(now) + " races with the " + did + " by " + who(before);
  if (did[0] == 'w' && does[0] == 'w' && b.element <= sizeof pending.before && !now.atomic) {
    pending.address = b.begin + element * b.element;
    pending.size = b.element;
    memcpy(pending.before, pending.address, pending.size);
    pending.text = std::move(text);
    pending.pc = now.pc;
    pending.other = before.pc;
  } else {
    add("race", std::move(text), now.pc, before.pc);
  }
}

void note(const Buffer& b, size_t element, Cell& cell, const Access& now, bool write) {
  if (races(b, cell.write, now))
    race(b, element, cell.write, "write", now, write ? "write" : "read");
  if (write) {
    for (const Access& r : cell.reads)
      if (races(b, r, now)) race(b, element, r, "read", now, "write");
    cell.write = now;
    cell.reads[0] = cell.reads[1] = {};
    return;
  }
  // Two different readers are kept, the oldest goes.
  if (cell.reads[0].thread == now.thread && cell.reads[0].group == now.group) {
    cell.reads[0] = now;
  } else {
    cell.reads[1] = cell.reads[0];
    cell.reads[0] = now;
  }
}

}  // namespace

void checker_begin() {
  shadows.clear();
  known.clear();
  shadow_group = ~0u;
  fences_begin();
  pending.address = nullptr;
}

void checker_end() {
  settle();
  shadows.clear();
}

const Buffer* find_buffer(const void* address) {
  auto* p = static_cast<const char*>(address);
  for (const Buffer& b : run->buffers)
    if (p >= b.reserved && p < b.reserved + b.reserved_size) return &b;
  return nullptr;
}

extern "C" {
extern char* msl_section_begin;
extern char* msl_section_end;
}

void check_access(const volatile void* address, unsigned size, bool write, bool atomic,
                  uintptr_t pc) {
  if (!run) return;
  place.pc = pc;
  settle();
  auto* p = const_cast<const char*>(static_cast<const volatile char*>(address));
  copies_touch(p, size, write, pc);
  const Buffer* b = find_buffer(p);
  const char* verb = write ? "write" : "read";
  if (!b && p >= msl_section_begin && p < msl_section_end) {
    for (const Buffer& v : threadgroup_variables)
      if (p >= v.begin && p < v.begin + v.size) b = &v;
    if (!b) {
      const Buffer* near = nullptr;
      for (const Buffer& v : threadgroup_variables)
        if (v.begin <= p && (!near || near->begin < v.begin)) near = &v;
      add("out of bounds",
          std::string(verb) + " of threadgroup memory" +
              (near ? " behind " + near->name + ", at its element " +
                          std::to_string((p - near->begin) / near->element) + " of " +
                          std::to_string(near->size / near->element)
                    : "") +
              " by thread " + std::to_string(place.thread) + " of threadgroup " +
              std::to_string(place.group),
          pc, 0);
      give_up();
    }
  }
  if (!b) return;  // the thread's own stack, or constants
  if (p < b->begin || p + size > b->begin + b->size) {
    long element = (p - b->begin) / static_cast<long>(b->element);
    add("out of bounds",
        std::string(verb) + " of " + b->name + "[" + std::to_string(element) + "], which has " +
            std::to_string(b->size / b->element) + " elements, by thread " +
            std::to_string(place.thread) + " of threadgroup " + std::to_string(place.group),
        pc, 0);
    give_up();
  }
  // Nobody writes to it, unless that is what is wrong.
  if (b->is_read_only && !write) return;
  if (b->is_threadgroup && shadow_group != place.group) {
    for (auto& [begin, cells] : shadows) {
      const Buffer* of = find_buffer(begin);
      if (!of || of->is_threadgroup) cells.clear();
    }
    shadow_group = place.group;
  }
  if (!b->cells) b->cells = &shadows[b->begin];
  std::vector<Cell>& cells = *b->cells;
  if (cells.empty()) cells.resize(b->size / b->element + 1);
  Access now;
  now.group = place.group;
  now.epoch = b->is_threadgroup ? place.threadgroup_epoch : place.device_epoch;
  now.simd_epoch = static_cast<uint16_t>(b->is_threadgroup ? place.simd_threadgroup_epoch
                                                           : place.simd_device_epoch);
  now.fences = static_cast<uint16_t>(fences_passed());
  now.thread = static_cast<uint16_t>(place.thread);
  now.simdgroup = static_cast<uint16_t>(place.simdgroup) & 0x7fff;
  now.atomic = atomic;
  now.pc = pc;
  size_t first = static_cast<size_t>(p - b->begin) / b->element;
  size_t last = (static_cast<size_t>(p - b->begin) + size - 1) / b->element;
  for (size_t i = first; i <= last; ++i) note(*b, i, cells[i], now, write);
}

}  // namespace msl

#define MSL_CALLBACK(name, size, write)                                          \
  extern "C" void __tsan_##name(void* p) {                                       \
    msl::check_access(p, size, write, false,                                     \
                      reinterpret_cast<uintptr_t>(__builtin_return_address(0))); \
  }
#define MSL_CALLBACKS(size)                       \
  MSL_CALLBACK(read##size, size, false)           \
  MSL_CALLBACK(write##size, size, true)           \
  MSL_CALLBACK(unaligned_read##size, size, false) \
  MSL_CALLBACK(unaligned_write##size, size, true) \
  MSL_CALLBACK(read_write##size, size, true)      \
  MSL_CALLBACK(unaligned_read_write##size, size, true)
MSL_CALLBACKS(1)
MSL_CALLBACKS(2)
MSL_CALLBACKS(4)
MSL_CALLBACKS(8)
MSL_CALLBACKS(16)
extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void* __tsan_memcpy(void* to, const void* from, size_t n) { return memcpy(to, from, n); }
void* __tsan_memmove(void* to, const void* from, size_t n) { return memmove(to, from, n); }
void* __tsan_memset(void* to, int c, size_t n) { return memset(to, c, n); }
}
