// The threads that run grids: the calling thread always, workers where the work is worth a wake-up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace enigma::cpu {

/// An emitted kernel, see support/cpu_abi.h.
using Kernel = void (*)(const uint64_t* args, int64_t group_begin, int64_t group_end,
                        void* scratch);

/// What is known about the speed of one kernel variant; kept by its owner from run to run.
struct Pace {
  std::atomic<float> ns_per_group{0};  ///< 0: not measured yet
  std::atomic<uint32_t> runs{0};
};

/// One dispatch.
struct Job {
  Kernel kernel;
  const uint64_t* args;
  int64_t groups;  ///< at least 1
  size_t scratch_bytes;
  Pace* pace;
};

/// Scratch memory of the calling thread, 64-byte aligned, at least `bytes` long; kept until the
/// thread ends. Error when there is no memory.
void* thread_scratch(size_t bytes);

/// Any number of threads may run jobs at once: one has the workers, the others run theirs alone, as
/// does a job that is run from inside another. After a fork the child starts workers of its own.
class Pool {
 public:
  /// `threads` counts the caller; workers start when first needed.
  explicit Pool(uint32_t threads) : threads_(threads) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  uint32_t threads() const { return threads_; }

  /// Returns when all groups have run, or when the job's fault record is filled and no thread is
  /// inside the kernel any more.
  void run(const Job& job) {
    // Every 16th small run is timed, for a kernel's time may hang on its data.
    float ns = job.pace->ns_per_group.load(std::memory_order_relaxed);
    uint32_t runs = job.pace->runs.load(std::memory_order_relaxed);
    job.pace->runs.store(runs + 1, std::memory_order_relaxed);
    bool small = ns > 0 && ns * static_cast<float>(job.groups) < kTinyNs && (runs & 15) != 0;
    if (small || threads_ == 1 || job.groups == 1) {
      job.kernel(job.args, 0, job.groups, thread_scratch(job.scratch_bytes));
    } else {
      run_measured(job);
    }
  }

 private:
  struct Crew;
  static constexpr float kTinyNs = 20'000;

  void run_measured(const Job& job);
  bool in_burst() const;
  void ran_alone(double ns);
  bool run_spread(const Job& job, int64_t begin, double ns_per_group);
  Crew* crew();

  const uint32_t threads_;
  std::atomic<Crew*> crew_{nullptr};
  std::atomic<float> alone_ns_{0};       // what callers did alone of late, without a long pause...
  std::atomic<int64_t> alone_until_{0};  // ...until then
};

}  // namespace enigma::cpu
