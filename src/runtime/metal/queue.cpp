// Encodes, commits, waits; keeps the order between kernels that share host memory.

#include "runtime/metal/queue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/metal/errors.h"
#include "support/text.h"

namespace enigma::metal {
namespace {

// A queue has 64 command buffers; who asks for one more waits, and here would hold a lock.
constexpr size_t kMaxRunning = 60;
constexpr size_t kManyFailures = 64;

template <class Use>
void for_each_memory(const Submission& submission, const Use& use) {
  for (const auto& kernel : submission.kernels) {
    for (const Argument& a : kernel->arguments) {
      if (a.memory) use(*a.memory, a.written);
    }
  }
}

// Whether two kernels touch the same bytes through two buffers, one of them writing. Through one
// buffer they may: Metal orders that.
bool conflicting(const Bound& a, const Bound& b) {
  for (const Argument& x : a.arguments) {
    for (const Argument& y : b.arguments) {
      if (x.memory && y.memory && x.memory != y.memory && (x.written || y.written) &&
          x.memory->range().overlaps(y.memory->range())) {
        return true;
      }
    }
  }
  return false;
}

bool conflicting(const Submission& submission, const Bound& kernel) {
  return std::any_of(submission.kernels.begin(), submission.kernels.end(),
                     [&](const auto& k) { return conflicting(*k, kernel); });
}

bool has_owner(const Submission& submission, uint64_t owner) {
  return std::any_of(submission.kernels.begin(), submission.kernels.end(),
                     [&](const auto& k) { return k->owner == owner; });
}

bool has_owner(const Failure& failure, uint64_t owner) {
  return std::find(failure.owners.begin(), failure.owners.end(), owner) != failure.owners.end();
}

// Whether a kernel has worked on memory that lacks results.
bool feeds(const Failure& failure, const Bound& kernel) {
  for (const Failure::Lost& lost : failure.lost) {
    if (!lost.owner && lost.memory.expired()) continue;
    for (const Argument& a : kernel.arguments) {
      if (a.memory && lost.range.overlaps(a.memory->range())) return true;
    }
  }
  return false;
}

bool same(const Failure& a, const Failure& b) {
  return a.owners == b.owners &&
         std::equal(a.lost.begin(), a.lost.end(), b.lost.begin(), b.lost.end(),
                    [](const Failure::Lost& x, const Failure::Lost& y) {
                      return !x.memory.owner_before(y.memory) && !y.memory.owner_before(x.memory);
                    });
}

bool is_bygone(const Failure& failure) {
  return std::all_of(failure.lost.begin(), failure.lost.end(),
                     [](const Failure::Lost& lost) { return lost.memory.expired(); });
}

std::string names_of(const Submission& submission) {
  std::string names;
  const std::string* before = nullptr;
  for (const auto& k : submission.kernels) {
    if (before && *before == k->kernel->kernel_name) continue;
    before = &k->kernel->kernel_name;
    names += (names.empty() ? "" : ", ") + *before;
  }
  return names;
}

// Where in Python the logged fault is; line 0 when that is not known.
Location place_of(const Logged& log, const Submission& submission) {
  for (const auto& k : submission.kernels) {
    if (k->kernel->msl_name == log.function) return python_place(*k->kernel, log.line);
  }
  return {};
}

MTL::Size size(Dim3 d) { return MTL::Size(d.x, d.y, d.z); }

}  // namespace

// A command buffer that is being written. Unless it is committed, nothing of it remains.
class Queue::Open {
 public:
  explicit Open(const Device& device) {
    submission_ = std::make_shared<Submission>();
    submission_->commands = retained(device.queue->commandBuffer());
    encoder_ = submission_->commands ? submission_->commands->computeCommandEncoder() : nullptr;
    if (!encoder_) {
      throw Error(concat(device.capabilities.name,
                         ": Metal gave no command buffer; the system is out of memory"));
    }
  }
  ~Open() {
    if (!encoder_) return;
    encoder_->endEncoding();
    for_each_memory(*submission_,
                    [](HostMemory& memory, bool written) { memory.end_use(written, false); });
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  bool conflicts(const Bound& kernel) const { return conflicting(*submission_, kernel); }

  void encode(const Dispatch& dispatch) {
    const Bound& kernel = *dispatch.bound;
    submission_->kernels.push_back(dispatch.bound);
    encoder_->setComputePipelineState(kernel.pipeline->state.get());
    for (const Argument& a : kernel.arguments) {
      if (a.memory) {
        a.memory->begin_use(a.written);
        encoder_->setBuffer(a.memory->buffer(), 0, a.index);
      } else {
        encoder_->setBytes(&a.scalar, a.bytes, a.index);
      }
    }
    // Smaller threadgroups at the edges of the grid are Metal's own doing.
    encoder_->dispatchThreads(size(dispatch.grid), size(dispatch.threads));
  }

  std::shared_ptr<Submission> commit() {
    std::exchange(encoder_, nullptr)->endEncoding();
    submission_->commands->commit();
    return submission_;
  }

 private:
  std::shared_ptr<Submission> submission_;
  MTL::ComputeCommandEncoder* encoder_;  // of the pool
};

Queue::~Queue() {
  Pool pool;
  if (auto submission = last()) wait_for(submission);
}

std::shared_ptr<Submission> Queue::last() {
  std::lock_guard lock(mutex_);
  return running_.empty() ? nullptr : running_.back();
}

std::shared_ptr<Submission> Queue::conflict(const Bound& kernel) const {
  for (auto it = running_.rbegin(); it != running_.rend(); ++it) {
    if (conflicting(**it, kernel)) return *it;
  }
  return nullptr;
}

std::shared_ptr<Submission> Queue::submit(std::span<const Dispatch> dispatches) {
  Pool pool;
  Garbage garbage;
  std::unique_lock lock(mutex_);
  while (!running_.empty() &&
         running_.front()->commands->status() >= MTL::CommandBufferStatusCompleted) {
    retire(running_.front(), garbage);
  }
  std::optional<Open> open;
  auto commit = [&] {
    running_.push_back(open->commit());
    open.reset();
  };
  for (const Dispatch& dispatch : dispatches) {
    while (true) {
      if (open && open->conflicts(*dispatch.bound)) commit();
      std::shared_ptr<Submission> before = conflict(*dispatch.bound);
      if (!before && !open && running_.size() >= kMaxRunning) before = running_.front();
      if (!before) break;
      if (open) commit();
      lock.unlock();
      wait_for(before);
      lock.lock();
    }
    if (!open) open.emplace(device_);
    open->encode(dispatch);
  }
  if (open) commit();
  return running_.empty() ? nullptr : running_.back();
}

void Queue::wait_for(const std::shared_ptr<Submission>& submission) {
  Garbage garbage;
  std::unique_lock lock(mutex_);
  while (!submission->done) {
    std::shared_ptr<Submission> first = running_.front();
    lock.unlock();
    first->commands->waitUntilCompleted();
    lock.lock();
    // Unless another thread, which waited for it too, was faster.
    if (!first->done) retire(first, garbage);
    garbage.ended.push_back(std::move(first));
  }
}

// Under the lock, for the first that runs.
void Queue::retire(std::shared_ptr<Submission> submission, Garbage& garbage) {
  running_.pop_front();
  MTL::CommandBuffer* commands = submission->commands.get();
  const Logged log = first_log(commands);
  bool succeeded = commands->status() == MTL::CommandBufferStatusCompleted && log.text.empty();
  for_each_memory(*submission,
                  [&](HostMemory& memory, bool written) { memory.end_use(written, succeeded); });
  if (succeeded) {
    submission->milliseconds = (commands->GPUEndTime() - commands->GPUStartTime()) * 1e3;
  } else {
    submission->error = std::make_exception_ptr(
        Error(explain(commands->error(), log, names_of(*submission)), place_of(log, *submission)));
    remember(*submission, garbage);
  }
  submission->done = true;
  garbage.ended.push_back(std::move(submission));
}

// A kernel that fails again and again is one failure.
void Queue::remember(const Submission& failed, Garbage& garbage) {
  Failure failure{failed.error, {}, {}};
  for (const auto& kernel : failed.kernels) {
    failure.owners.push_back(kernel->owner);
    for (const Argument& a : kernel->arguments) {
      if (a.memory && a.written) failure.lost.push_back({a.memory, a.owner, a.memory->range()});
    }
  }
  for (const Failure& known : failures_) {
    if (same(known, failure)) return;
  }
  failures_.push_back(std::move(failure));
  if (failures_.size() % kManyFailures != 0) return;
  // Of so many, those whose memory nobody has bound go; the first stays for synchronize.
  std::vector<Failure> kept;
  for (Failure& f : failures_) {
    (kept.empty() || !is_bygone(f) ? kept : garbage.bygone).push_back(std::move(f));
  }
  failures_ = std::move(kept);
}

// The first failure that concerns the caller is told; later ones are most often its consequence.
template <class Concerned>
void Queue::throw_pending(const Concerned& concerned) {
  std::vector<Failure> told;
  {
    std::lock_guard lock(mutex_);
    std::vector<Failure> rest;
    for (Failure& f : failures_) (concerned(f) ? told : rest).push_back(std::move(f));
    failures_ = std::move(rest);
  }
  if (!told.empty()) std::rethrow_exception(told.front().error);
}

double Queue::finish(const std::shared_ptr<Submission>& submission,
                     std::span<const Dispatch> dispatches) {
  Pool pool;
  wait_for(submission);
  throw_pending([&](const Failure& failed) {
    return std::any_of(dispatches.begin(), dispatches.end(), [&](const Dispatch& d) {
      return has_owner(failed, d.bound->owner) || feeds(failed, *d.bound);
    });
  });
  // Another thread, which synchronizes, may have been told before.
  if (submission->error) std::rethrow_exception(submission->error);
  return submission->milliseconds;
}

void Queue::wait(uint64_t owner) {
  Pool pool;
  std::shared_ptr<Submission> latest;
  {
    std::lock_guard lock(mutex_);
    for (const auto& s : running_) {
      if (has_owner(*s, owner)) latest = s;
    }
  }
  if (latest) wait_for(latest);
}

void Queue::finish_all(uint64_t owner) {
  Pool pool;
  if (auto submission = last()) wait_for(submission);
  throw_pending([&](const Failure& failed) { return has_owner(failed, owner); });
}

void Queue::finish_all() {
  Pool pool;
  if (auto submission = last()) wait_for(submission);
  throw_pending([](const Failure&) { return true; });
}

}  // namespace enigma::metal
