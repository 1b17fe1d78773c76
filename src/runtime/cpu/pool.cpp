// When to wake workers, how the groups are shared out, and how workers wait.
//
// Waking a sleeping thread costs some 20 us of the caller's time, and up to 100 us pass before it
// runs, where its core has rested. So jobs below ~200 us are run by the caller alone, unless as
// much of them has just followed one another: then more of them are likely to come, and workers
// that spin between them take part. The groups of a job are cut into one contiguous slice per
// thread; a thread takes chunks from its own slice, then from those of others. A worker that runs
// out of work spins briefly, then sleeps.

#include "runtime/cpu/pool.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "enigma/error.h"
#include "support/cpu_abi.h"
#include "support/text.h"

namespace enigma::cpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWorthWaking = 200'000;  // ns of work for which sleeping workers are woken
constexpr double kWorthSharing = 20'000;  // the same for one that still spins, or will be needed
constexpr double kChunkNs = 20'000;       // the least work that is claimed at once
constexpr auto kSpin = std::chrono::microseconds(50);

constexpr int64_t kPauseNs = std::chrono::nanoseconds(kSpin).count();

double nanoseconds(Clock::duration d) {
  return std::chrono::duration<double, std::nano>(d).count();
}

int64_t now_ns() { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); }

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

// Spins until `done()`; false when that took too long.
template <class F>
bool spin_until(F&& done) {
  auto deadline = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      relax();
    }
  } while (Clock::now() < deadline);
  return done();
}

// 64-byte aligned memory that only grows; its contents are not kept.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    std::free(data_);
    data_ = nullptr;
    bytes_ = 0;
  }
  void* get(size_t bytes) {
    if (bytes > bytes_) grow(bytes);
    return data_;
  }

 private:
  void grow(size_t bytes) {
    std::free(std::exchange(data_, nullptr));
    bytes_ = 0;
    size_t rounded = (bytes + 4095) & ~size_t{4095};
    data_ = std::aligned_alloc(64, rounded);
    if (!data_) throw Error(concat("no memory for the ", bytes, " bytes that a kernel works in"));
    bytes_ = rounded;
  }

  void* data_ = nullptr;
  size_t bytes_ = 0;
};

bool faulted(const Job& job) {
  auto* fault = reinterpret_cast<const cpu_abi::Fault*>(job.args[cpu_abi::kFault]);
  return fault && __atomic_load_n(&fault->kind, __ATOMIC_ACQUIRE) != 0;
}

struct alignas(64) Slice {
  std::atomic<int64_t> next{0};
  int64_t end = 0;
};

#if defined(__linux__)
using Cpu = int;
Cpu current_cpu() { return sched_getcpu(); }
std::vector<Cpu> allowed_cpus() {
  cpu_set_t set;
  std::vector<Cpu> out;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return out;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) out.push_back(i);
  }
  return out;
}
void pin(std::thread& thread, Cpu cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);  // a hint: failure is harmless
}
#else
using Cpu = int;
Cpu current_cpu() { return -1; }
std::vector<Cpu> allowed_cpus() { return {}; }
void pin(std::thread&, Cpu) {}
#endif

}  // namespace

void* thread_scratch(size_t bytes) {
  thread_local Scratch scratch;
  return scratch.get(bytes);
}

// The workers and the one job that they share. Lives on the heap: after a fork the child abandons
// it, because its locks may be held by threads that the child does not have.
struct Pool::Crew {
  struct alignas(64) Worker {
    std::thread thread;
    std::atomic<uint32_t> calls{0};  // rises with each job that wants this worker
    std::atomic<bool> asleep{false};
    std::mutex mutex;
    std::condition_variable wake;
    Scratch scratch;
    Cpu cpu = -1;
  };

  explicit Crew(uint32_t threads);
  ~Crew();

  /// How many threads take part in a job of this much work; it is 1 when waking does not pay.
  uint32_t crew_for(double ns, bool burst) const;
  /// The job's groups from `begin` on. Its time for one group, as the calling thread saw it.
  double run(const Job& job, int64_t begin, uint32_t count, double ns_per_group);

  bool try_lock() { return !busy.exchange(true, std::memory_order_acquire); }
  void unlock() { busy.store(false, std::memory_order_release); }

  const pid_t process = getpid();

 private:
  void work(Worker& me, uint32_t self);
  int64_t drain(uint32_t self, void* scratch);
  bool join();
  void leave();
  void place_workers();
  void call(Worker& worker);

  std::vector<std::unique_ptr<Worker>> workers;  // worker i is participant i + 1
  std::vector<Slice> slices;
  std::atomic<bool> busy{false};
  std::atomic<bool> stop{false};
  bool can_spin = true;  // there is a core for every thread
  Cpu caller_cpu = -1;

  // The job: written while the gate is closed, read between join() and leave().
  Job job{};
  uint32_t participants = 0;
  int64_t chunk = 1;
  static constexpr uint32_t kClosed = 1u << 31;
  std::atomic<uint32_t> gate{kClosed};  // kClosed, plus the number of workers inside
  std::mutex last_mutex;
  std::condition_variable last_left;
};

Pool::Crew::Crew(uint32_t threads) : slices(threads) {
  // Workers take no signals: those are for the threads of the program.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  std::vector<Cpu> cpus = allowed_cpus();
  bool pinned = cpus.size() >= threads;
  can_spin = pinned || (cpus.empty() && std::thread::hardware_concurrency() >= threads);
  caller_cpu = current_cpu();
  std::erase(cpus, caller_cpu);
  for (uint32_t i = 0; i + 1 < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    try {
      worker->thread = std::thread([this, i, w = worker.get()] { work(*w, i + 1); });
    } catch (const std::system_error&) {
      break;  // the system allows no more threads: fewer do the same work
    }
    if (pinned && i < cpus.size()) pin(worker->thread, worker->cpu = cpus[i]);
    workers.push_back(std::move(worker));
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

Pool::Crew::~Crew() {
  stop.store(true);
  for (auto& worker : workers) call(*worker);
  for (auto& worker : workers) worker->thread.join();
}

uint32_t Pool::Crew::crew_for(double ns, bool burst) const {
  uint32_t awake = 1;
  for (auto& worker : workers) awake += !worker->asleep.load(std::memory_order_relaxed);
  if (ns < (awake > workers.size() || burst ? kWorthSharing : kWorthWaking)) return 1;
  auto useful = static_cast<uint32_t>(std::clamp(ns / kWorthSharing, 2.0, 4096.0));
  return std::min<uint32_t>(useful, static_cast<uint32_t>(workers.size()) + 1);
}

// The scheduler often wakes a worker on the caller's own core and leaves it there for milliseconds;
// so each worker has a core, and one that finds the caller on its core takes the caller's old one.
void Pool::Crew::place_workers() {
  Cpu cpu = current_cpu();
  if (cpu == caller_cpu) return;
  for (auto& worker : workers) {
    if (worker->cpu == cpu && cpu >= 0) pin(worker->thread, worker->cpu = caller_cpu);
  }
  caller_cpu = cpu;
}

void Pool::Crew::call(Worker& worker) {
  // Either the worker sees the new number before it sleeps, or we see that it sleeps.
  worker.calls.fetch_add(1);
  if (worker.asleep.load()) {
    std::lock_guard lock(worker.mutex);
    worker.wake.notify_one();
  }
}

void Pool::Crew::work(Worker& me, uint32_t self) {
  uint32_t seen = 0;
  auto called = [&] { return me.calls.load() != seen; };
  for (;;) {
    if (!can_spin || !spin_until(called)) {
      std::unique_lock lock(me.mutex);
      me.asleep.store(true);
      me.wake.wait(lock, called);
      me.asleep.store(false);
    }
    seen = me.calls.load();
    if (stop.load()) return;
    if (join()) {
      drain(self, me.scratch.get(0));
      leave();
    }
  }
}

// False when the job that called is over already.
bool Pool::Crew::join() {
  uint32_t inside = gate.load(std::memory_order_acquire);
  while (!(inside & kClosed)) {
    if (gate.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void Pool::Crew::leave() {
  if (gate.fetch_sub(1, std::memory_order_acq_rel) == kClosed + 1) {
    std::lock_guard lock(last_mutex);
    last_left.notify_one();
  }
}

// Runs chunks until none is left anywhere; the number of groups that it ran.
int64_t Pool::Crew::drain(uint32_t self, void* scratch) {
  int64_t done = 0;
  for (uint32_t i = 0; i < participants; ++i) {
    Slice& slice = slices[(self + i) % participants];
    while (!faulted(job)) {
      int64_t begin = slice.next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= slice.end) break;
      int64_t end = std::min(begin + chunk, slice.end);
      job.kernel(job.args, begin, end, scratch);
      done += end - begin;
    }
  }
  return done;
}

double Pool::Crew::run(const Job& new_job, int64_t begin, uint32_t count, double ns_per_group) {
  void* scratch = thread_scratch(new_job.scratch_bytes);
  for (uint32_t i = 1; i < count; ++i) workers[i - 1]->scratch.get(new_job.scratch_bytes);
  job = new_job;
  participants = count;
  int64_t groups = job.groups - begin;
  for (uint32_t i = 0; i < count; ++i) {
    // 128 bits: a grid may have 2^62 groups.
    auto cut = [&](uint32_t k) {
      return begin + static_cast<int64_t>(__int128{groups} * k / count);
    };
    slices[i].next.store(cut(i), std::memory_order_relaxed);
    slices[i].end = cut(i + 1);
  }
  double least = kChunkNs / std::max(ns_per_group, 0.01);
  chunk = std::clamp<int64_t>(static_cast<int64_t>(std::min(least, 1e15)),
                              groups / (int64_t{count} * 64) + 1, groups / count + 1);
  place_workers();
  gate.store(0, std::memory_order_release);
  for (uint32_t i = 1; i < count; ++i) call(*workers[i - 1]);

  auto start = Clock::now();
  int64_t done = drain(0, scratch);
  double spent = nanoseconds(Clock::now() - start);

  gate.fetch_or(kClosed, std::memory_order_acq_rel);
  auto all_left = [&] { return gate.load(std::memory_order_acquire) == kClosed; };
  if (!(can_spin ? spin_until(all_left) : all_left())) {
    std::unique_lock lock(last_mutex);
    last_left.wait(lock, all_left);
  }
  return done > 0 ? spent / static_cast<double>(done) : ns_per_group;
}

Pool::~Pool() {
  Crew* crew = crew_.load();
  if (crew && crew->process == getpid()) delete crew;
}

// The crew of this process.
Pool::Crew* Pool::crew() {
  Crew* crew = crew_.load(std::memory_order_acquire);
  if (crew && crew->process == getpid()) return crew;
  auto fresh = std::make_unique<Crew>(threads_);
  return crew_.compare_exchange_strong(crew, fresh.get()) ? fresh.release() : crew;
}

bool Pool::in_burst() const {
  int64_t pause = now_ns() - alone_until_.load(std::memory_order_relaxed);
  return pause < kPauseNs && alone_ns_.load(std::memory_order_relaxed) > kWorthWaking;
}

// Any thread may say so: what they mix up costs one wake-up.
void Pool::ran_alone(double ns) {
  int64_t now = now_ns();
  int64_t pause = now - static_cast<int64_t>(ns) - alone_until_.load(std::memory_order_relaxed);
  float before = pause < kPauseNs ? alone_ns_.load(std::memory_order_relaxed) : 0;
  alone_ns_.store(before + static_cast<float>(ns), std::memory_order_relaxed);
  alone_until_.store(now, std::memory_order_relaxed);
}

// False when the rest of the job is not worth a wake-up or the workers are taken.
bool Pool::run_spread(const Job& job, int64_t begin, double ns_per_group) {
  double left = ns_per_group * static_cast<double>(job.groups - begin);
  bool burst = in_burst(), started = burst || crew_.load(std::memory_order_relaxed) != nullptr;
  if (left < (started ? kWorthSharing : kWorthWaking) || job.groups - begin < 2) return false;
  Crew* crew = this->crew();
  if (!crew->try_lock()) return false;
  struct Unlock {
    Crew* crew;
    ~Unlock() { crew->unlock(); }
  } unlock{crew};
  auto groups = static_cast<double>(job.groups - begin);
  auto count = static_cast<uint32_t>(std::min<double>(crew->crew_for(left, burst), groups));
  if (count < 2) return false;
  alone_ns_.store(0, std::memory_order_relaxed);
  double ns = crew->run(job, begin, count, ns_per_group);
  job.pace->ns_per_group.store(static_cast<float>(ns), std::memory_order_relaxed);
  return true;
}

void Pool::run_measured(const Job& job) {
  double known = job.pace->ns_per_group.load(std::memory_order_relaxed);
  if (known > 0 && run_spread(job, 0, known)) return;
  // The caller runs pieces of growing size until it is clear how much is left to do. Where the pace
  // says that the job is small, the first piece is all of it.
  void* scratch = thread_scratch(job.scratch_bytes);
  bool small = known > 0 && known * static_cast<double>(job.groups) < kWorthWaking;
  int64_t piece = small ? job.groups : 1;
  auto start = Clock::now();
  double spent = 0;
  int64_t done = 0;
  bool tried = false;
  while (done < job.groups && !faulted(job)) {
    int64_t end = done + std::min(piece, job.groups - done);
    job.kernel(job.args, done, end, scratch);
    done = end;
    spent = nanoseconds(Clock::now() - start);
    if (spent < kChunkNs) {
      piece *= 2;
    } else if (!std::exchange(tried, true)) {
      if (run_spread(job, done, spent / static_cast<double>(done))) return;
      piece = job.groups;  // alone to the end
    }
  }
  if (done > 0) {
    auto ns = static_cast<float>(std::max(spent / static_cast<double>(done), 0.01));
    job.pace->ns_per_group.store(ns, std::memory_order_relaxed);
  }
  ran_alone(spent);
}

}  // namespace enigma::cpu
