// Runs a kernel: threadgroups one by one, their threads as fibers that meet at barriers and at
// SIMD-group operations, in the order of the schedule.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "fiber.h"
#include "run.h"

msl::Thread* msl_current = nullptr;

namespace msl {

Run* run = nullptr;
Report report;
Place place;
std::vector<Buffer> threadgroup_variables;

namespace {

enum class State { Ready, Simd, SimdBarrier, Barrier, Done };

struct Fiber : Thread {
  Context context{};
  State state = State::Done;
  uint32_t flags = 0;
  Builtins builtins{};
  unsigned char deposit[kDeposit];
};

struct Simdgroup {
  Deposits deposits{};
  uint32_t device_epoch = 0, threadgroup_epoch = 0;
};

std::vector<Fiber> fibers;
std::vector<Simdgroup> simdgroups;
Context scheduler;
uint32_t count;  // threads of this threadgroup
uint32_t device_epoch, threadgroup_epoch;
uint64_t random_state;
std::vector<uint32_t> order;
uint32_t group_number;
uint32_t atomics;

uint32_t next_random(uint32_t below) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>((random_state >> 33) % below);
}

Fiber& self() { return static_cast<Fiber&>(*msl_current); }

void leave(State state) {
  Fiber& f = self();
  f.state = state;
  msl_switch(&f.context, &scheduler);
}

void main_of_fiber() {
  Fiber& f = self();
  run->entry(run->slots.data(), f.builtins);
  leave(State::Done);
}

void enter_place(const Fiber& f) {
  const Simdgroup& s = simdgroups[f.builtins.simdgroup_index_in_threadgroup];
  place = {group_number,
           f.builtins.thread_index_in_threadgroup,
           f.builtins.simdgroup_index_in_threadgroup,
           device_epoch,
           threadgroup_epoch,
           s.device_epoch,
           s.threadgroup_epoch,
           0};
}

// Smaller is behind in the program.
int compare(const Path& a, const Path& b) {
  int depth = std::min({a.depth, b.depth, Path::kDepth});
  for (int i = 0; i <= depth; ++i) {
    if (a.keys[i] != b.keys[i]) return a.keys[i] < b.keys[i] ? -1 : 1;
  }
  return a.depth - b.depth;
}

unsigned line_of(const Path& p) {
  return static_cast<unsigned>((p.keys[std::min(p.depth, Path::kDepth)] >> 32) / 512);
}

bool waits_in_simd(const Fiber& f) {
  return f.state == State::Simd || f.state == State::SimdBarrier;
}

// Lets the lanes go on that are furthest behind; false when none waits.
bool resolve(uint32_t simdgroup) {
  uint32_t first = simdgroup * kLanes, last = std::min(first + kLanes, count);
  const Fiber* behind = nullptr;
  for (uint32_t i = first; i < last; ++i) {
    const Fiber& f = fibers[i];
    if (f.state == State::Ready) return false;
    if (waits_in_simd(f) && (!behind || compare(f.path, behind->path) < 0)) behind = &f;
  }
  if (!behind) return false;
  const Path path = behind->path;
  const State kind = behind->state;
  Simdgroup& s = simdgroups[simdgroup];
  uint32_t mask = 0;
  for (uint32_t i = first; i < last; ++i) {
    Fiber& f = fibers[i];
    if (f.state != kind || compare(f.path, path) != 0) continue;
    mask |= 1u << (i - first);
    memcpy(s.deposits.bytes[i - first], f.deposit, kDeposit);
    f.state = State::Ready;
  }
  s.deposits.mask = mask;
  uint32_t whole = last - first == 32 ? ~0u : (1u << (last - first)) - 1;
  if (kind == State::Simd) {
    report.divergent_simd += mask != whole;
  } else {
    uint32_t flags = fibers[first + static_cast<uint32_t>(__builtin_ctz(mask))].flags;
    s.device_epoch += flags & 1;
    s.threadgroup_epoch += flags >> 1 & 1;
    copies_barrier(simdgroup);
    if (run->checked) fences_barrier(first, last, flags);
    if (mask != whole) {
      char text[160];
      snprintf(text, sizeof text, "%d of %u threads of SIMD-group %u reached the simdgroup_barrier",
               __builtin_popcount(mask), last - first, simdgroup);
      report.findings.push_back({"divergent barrier", text, 0, 0, line_of(path)});
      report.stop = true;
    }
  }
  return true;
}

void resolve_barrier() {
  uint32_t there = 0;
  const Fiber *a = nullptr, *b = nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    const Fiber& f = fibers[i];
    if (f.state != State::Barrier) continue;
    ++there;
    if (!a) a = &f;
    if (compare(a->path, f.path) != 0) b = &f;
  }
  if (there == count && !b) {
    device_epoch += a->flags & 1;
    threadgroup_epoch += a->flags >> 1 & 1;
    for (uint32_t i = 0; i < count; ++i) fibers[i].state = State::Ready;
    for (uint32_t s = 0; s < simdgroups.size(); ++s) copies_barrier(s);
    if (run->checked) fences_barrier(0, count, a->flags);
    return;
  }
  char text[200];
  Finding f{"divergent barrier", "", 0, 0, line_of(a->path)};
  if (there != count) {
    snprintf(text, sizeof text, "%u of %u threads reached the barrier", there, count);
  } else {
    snprintf(text, sizeof text,
             "threads %u and %u wait at different barriers, or in different "
             "rounds of a loop",
             a->builtins.thread_index_in_threadgroup, b->builtins.thread_index_in_threadgroup);
    f.other_line = line_of(b->path);
  }
  f.text = text;
  report.findings.push_back(f);
  report.stop = true;
}

void arrange(std::vector<uint32_t>& out, uint32_t n) {
  out.resize(n);
  std::iota(out.begin(), out.end(), 0u);
  if (run->schedule == Schedule::Reverse) std::reverse(out.begin(), out.end());
  if (run->schedule == Schedule::Random) {
    for (uint32_t i = n; i > 1; --i) std::swap(out[i - 1], out[next_random(i)]);
  }
}

void run_threads() {
  for (uint32_t live = count; live > 0 && !report.stop;) {
    bool ran = false;
    if (run->schedule == Schedule::Random) arrange(order, count);
    for (uint32_t i : order) {
      Fiber& f = fibers[i];
      if (f.state != State::Ready) continue;
      ran = true;
      msl_current = &f;
      enter_place(f);
      msl_switch(&scheduler, &f.context);
      if (report.stop) return;
      live -= f.state == State::Done;
    }
    bool moved = false;
    for (uint32_t s = 0; s < simdgroups.size(); ++s) moved |= resolve(s);
    if (!ran && !moved && live > 0) resolve_barrier();
  }
}

unsigned ceil_div(unsigned a, unsigned b) { return (a + b - 1) / b; }

void fill(Builtins& b, const Triple& group, const Triple& groups, const Triple& size,
          const Triple& at, uint32_t index) {
  for (size_t k = 0; k < 3; ++k) {
    b.thread_position_in_grid[k] = group[k] * run->threads[k] + at[k];
    b.thread_position_in_threadgroup[k] = at[k];
    b.threadgroup_position_in_grid[k] = group[k];
    b.threads_per_threadgroup[k] = size[k];
    b.dispatch_threads_per_threadgroup[k] = run->threads[k];
    b.threads_per_grid[k] = run->grid[k];
    b.threadgroups_per_grid[k] = groups[k];
  }
  b.thread_index_in_threadgroup = index;
  b.thread_index_in_simdgroup = index % kLanes;
  b.simdgroup_index_in_threadgroup = index / kLanes;
  b.threads_per_simdgroup = b.thread_execution_width = kLanes;
  b.simdgroups_per_threadgroup = ceil_div(count, kLanes);
  b.dispatch_simdgroups_per_threadgroup =
      ceil_div(run->threads[0] * run->threads[1] * run->threads[2], kLanes);
  b.thread_index_in_quadgroup = index % 4;
  b.quadgroup_index_in_threadgroup = index / 4;
  b.quadgroups_per_threadgroup = ceil_div(count, 4);
}

void run_group(const Triple& group, const Triple& groups) {
  Triple size;
  for (size_t k = 0; k < 3; ++k)
    size[k] = std::min(run->threads[k], run->grid[k] - group[k] * run->threads[k]);
  count = size[0] * size[1] * size[2];
  group_number = (group[2] * groups[1] + group[1]) * groups[0] + group[0];
  device_epoch = threadgroup_epoch = 0;
  threadgroup_variables.clear();
  for (Buffer& b : run->buffers)
    if (b.is_threadgroup) memset(b.begin, 0xff, b.size);
  if (fibers.size() < count) fibers.resize(count);
  simdgroups.assign(ceil_div(count, kLanes), {});
  copies_begin(simdgroups.size());
  arrange(order, count);
  auto fill_thread = [&](Fiber& f, uint32_t i) {
    f.path.depth = 0;
    f.lane = i % kLanes;
    fill(f.builtins, group, groups, size,
         {i % size[0], i / size[0] % size[1], i / (size[0] * size[1])}, i);
  };
  if (!run->fibers) {
    Fiber& f = fibers[0];
    msl_current = &f;
    for (uint32_t i : order) {
      fill_thread(f, i);
      enter_place(f);
      run->entry(run->slots.data(), f.builtins);
    }
    return;
  }
  for (uint32_t i = 0; i < count; ++i) {
    fill_thread(fibers[i], i);
    fibers[i].state = State::Ready;
    prepare(fibers[i].context, stack(i), kStackBytes, main_of_fiber);
  }
  run_threads();
  if (!report.stop) copies_end();
}

Context outside;

void run_all() {
  Triple groups;
  for (size_t k = 0; k < 3; ++k) groups[k] = ceil_div(run->grid[k], run->threads[k]);
  std::vector<uint32_t> sequence;
  arrange(sequence, groups[0] * groups[1] * groups[2]);
  for (uint32_t g : sequence) {
    if (report.stop) break;
    run_group({g % groups[0], g / groups[0] % groups[1], g / (groups[0] * groups[1])}, groups);
  }
}

void main_of_run() {
  run_all();
  Context unused;
  msl_switch(&unused, &outside);
}

}  // namespace

std::string thread_name(uint32_t index) { return "thread " + std::to_string(index); }
uint32_t lanes_of(uint32_t simdgroup) {
  return std::min<uint32_t>(kLanes, count - simdgroup * kLanes);
}

// On a stack of its own, so that give_up can leave from wherever it is.
void execute(Run& r) {
  run = &r;
  report = {};
  random_state = r.seed * 2 + 1;
  atomics = 0;
  fibers.clear();
  if (r.checked) checker_begin();
  static char* own = new char[1 << 20];
  Context context;
  prepare(context, own, 1 << 20, main_of_run);
  msl_switch(&outside, &context);
  if (r.checked) checker_end();
  run = nullptr;
}

void give_up() {
  report.stop = true;
  Context unused;
  msl_switch(&unused, &outside);
  __builtin_unreachable();
}

}  // namespace msl

using namespace msl;

const Deposits* msl_exchange(const void* value, unsigned size, unsigned site) {
  Fiber& f = self();
  memcpy(f.deposit, value, size);
  f.path.keys[std::min(f.path.depth, Path::kDepth)] = uint64_t{site} << 32;
  leave(State::Simd);
  return &simdgroups[f.builtins.simdgroup_index_in_threadgroup].deposits;
}

void msl_barrier(unsigned flags, unsigned site) {
  Fiber& f = self();
  f.flags = flags;
  f.path.keys[std::min(f.path.depth, Path::kDepth)] = uint64_t{site} << 32;
  leave(State::Barrier);
}

void msl_simdgroup_barrier(unsigned flags, unsigned site) {
  Fiber& f = self();
  f.flags = flags;
  f.path.keys[std::min(f.path.depth, Path::kDepth)] = uint64_t{site} << 32;
  leave(State::SimdBarrier);
}

// Others run now and then, so that a thread that waits for them does not wait for ever.
void msl_atomic(const volatile void* object, unsigned size, AtomicAccess access) {
  if (run->checked)
    check_access(object, size, access != kAtomicLoad, true,
                 reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
  if (run->fibers &&
      (run->schedule == Schedule::Random ? next_random(4) == 0 : ++atomics % 61 == 0))
    leave(State::Ready);
  if (run->checked) fences_atomic(object, access != kAtomicStore, access != kAtomicLoad);
}

void msl_fence(unsigned flags, unsigned for_device) {
  if (run->checked) fences_pass(flags, for_device != 0);
}

// Whether a weak exchange fails for no reason.
unsigned msl_spurious() { return run->schedule == Schedule::Random && next_random(8) == 0; }

// Each thread passes its declaration; the first of a threadgroup fills it with what is surely
// wrong.
void msl_threadgroup_variable(void* address, unsigned long size, unsigned element,
                              unsigned is_float, const char* name) {
  auto* begin = static_cast<char*>(address);
  for (const Buffer& b : threadgroup_variables)
    if (b.begin == begin) return;
  memset(begin, is_float ? 0xff : 0xab, size);
  threadgroup_variables.push_back({name, begin, size, element, nullptr, 0, true});
}
