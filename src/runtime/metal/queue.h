// Submissions: what has been given to the GPU, in which order, and how it ended.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "enigma/artifact.h"
#include "runtime/metal/device.h"
#include "runtime/metal/memory.h"
#include "runtime/metal/pipelines.h"

namespace enigma::metal {

/// An argument of a kernel: memory, or a scalar's bytes.
struct Argument {
  /// Of this binding's memory, which others may know by other owners. It goes after the buffer.
  std::shared_ptr<void> owner;
  std::shared_ptr<HostMemory> memory;  ///< null for a scalar, and for a buffer that is not bound
  uint64_t scalar = 0;
  uint32_t bytes = 0;
  uint32_t index = 0;
  bool written = false;
};

/// A kernel with its arguments, never changed: a rebinding makes another. A submission keeps it,
/// and so all memory that the GPU works on.
struct Bound {
  std::shared_ptr<const Artifact> kernel;
  std::shared_ptr<const Pipeline> pipeline;
  std::vector<Argument> arguments;
  uint64_t owner = 0;  ///< the prepared kernel that it belongs to
};

struct Dispatch {
  std::shared_ptr<const Bound> bound;
  Dim3 grid, threads;
};

/// A command buffer and all that it uses.
struct Submission {
  Owned<MTL::CommandBuffer> commands;
  std::vector<std::shared_ptr<const Bound>> kernels;
  bool done = false;
  double milliseconds = 0;  ///< on the GPU
  std::exception_ptr error;
};

/// An error that nobody was told of, and whom it concerns.
struct Failure {
  /// Memory that lacks results, for as long as it is the same: while it is bound, or has an owner.
  /// What has none is free when its binding ends, and no buffer of ours may outlive that.
  struct Lost {
    std::weak_ptr<HostMemory> memory;
    std::shared_ptr<void> owner;
    Range range;
  };
  std::exception_ptr error;
  std::vector<uint64_t> owners;  ///< of its kernels
  std::vector<Lost> lost;
};

class Queue {
 public:
  /// `device` must outlive this.
  explicit Queue(const Device& device) : device_(device) {}
  /// Waits for all that runs.
  ~Queue();

  /// Gives the dispatches to the GPU, in order, in one command buffer; in more where memory that is
  /// copied overlaps, so that later ones see what earlier ones wrote. The last is returned.
  std::shared_ptr<Submission> submit(std::span<const Dispatch> dispatches);

  /// Waits for what submit has returned for these dispatches, and for all before it. Throws its
  /// error, or that of an earlier one of the same kernels or whose results they have worked on.
  double finish(const std::shared_ptr<Submission>& submission,
                std::span<const Dispatch> dispatches);
  /// Waits for the kernels of `owner`, without a word of how they ended.
  void wait(uint64_t owner);
  /// Waits for all; throws the first error of kernels of `owner` that nobody was told of.
  void finish_all(uint64_t owner);
  /// The same for kernels of any owner.
  void finish_all();

 private:
  /// What goes after the lock: owners of memory may run code of the user's.
  struct Garbage {
    std::vector<std::shared_ptr<Submission>> ended;
    std::vector<Failure> bygone;
  };
  class Open;

  void wait_for(const std::shared_ptr<Submission>& submission);
  void retire(std::shared_ptr<Submission> submission, Garbage& garbage);
  void remember(const Submission& failed, Garbage& garbage);
  std::shared_ptr<Submission> last();
  std::shared_ptr<Submission> conflict(const Bound& kernel) const;
  template <class Concerned>
  void throw_pending(const Concerned& concerned);

  const Device& device_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Submission>> running_;  // as committed: Metal ends them in order
  std::vector<Failure> failures_;
};

}  // namespace enigma::metal
