// The Metal GPU behind the Runtime interface: what a dispatch checks, binds, submits and reports.

#include "enigma/runtime.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "runtime/check.h"
#include "runtime/metal/device.h"
#include "runtime/metal/pipelines.h"
#include "runtime/metal/probe.h"
#include "runtime/metal/queue.h"
#include "support/text.h"

namespace enigma {
namespace {

using metal::Bound;
using metal::Pool;

// What the prepared kernels of one runtime share. The queue goes first: it waits.
struct Shared {
  metal::Device device = metal::open_device();
  metal::PipelineCache pipelines{device};
  metal::MemoryTable memory;
  metal::Queue queue{device};
  std::atomic<uint64_t> owners = 1;

  Shared() { device.capabilities.async_copy = metal::probe_async_copy(device, pipelines); }
};

// It ends on the thread that lets it go last, which may have no pool. In a child of fork it stays.
std::shared_ptr<Shared> open_shared() {
  Pool pool;
  return {new Shared, [](Shared* shared) {
            if (shared->device.is_forked()) return;
            Pool last;
            delete shared;
          }};
}

class MetalPrepared final : public Prepared {
 public:
  MetalPrepared(std::shared_ptr<Shared> shared, std::shared_ptr<const Artifact> artifact,
                std::vector<Binding> arguments, const std::vector<ConstantValue>& constants);
  ~MetalPrepared() override;

  void dispatch(Dim3 grid, Dim3 threads, bool wait) override {
    Pool pool;
    metal::Dispatch d = checked(grid, threads);
    auto submission = shared_->queue.submit({&d, 1});
    if (wait) shared_->queue.finish(submission, {&d, 1});
  }
  double dispatch_timed(Dim3 grid, Dim3 threads) override {
    Pool pool;
    metal::Dispatch d = checked(grid, threads);
    return shared_->queue.finish(shared_->queue.submit({&d, 1}), {&d, 1});
  }
  void bind(uint32_t param, Binding memory) override;
  Binding read(uint32_t param) override;
  void unbind() override;

  /// Error when the device would refuse these sizes.
  metal::Dispatch checked(Dim3 grid, Dim3 threads);
  bool belongs_to(const Shared* shared) const { return shared_.get() == shared; }

 private:
  metal::Argument argument(uint32_t param, Binding memory);

  std::mutex mutex_;  // several threads may dispatch, bind and read one prepared kernel
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<const Artifact> artifact_;
  std::shared_ptr<const Bound> bound_;
  std::vector<Binding> bindings_;  // of buffers
  std::vector<int64_t> elements_;  // see check_launch
  // The sizes that were checked last; cleared when a change of bindings asks for new checks.
  Dim3 grid_, threads_;
  bool checked_ = false;
};

namespace {

// The text of a kernel that makes its asynchronous copies in the best way that works here.
std::shared_ptr<const Artifact> best_text(const DeviceCapabilities& device,
                                          std::shared_ptr<const Artifact> kernel) {
  if (device.async_copy == AsyncCopy::Air && kernel->air) return kernel->air;
  if (device.async_copy == AsyncCopy::EscapedAir && kernel->escaped_air) return kernel->escaped_air;
  return kernel;
}

}  // namespace

MetalPrepared::MetalPrepared(std::shared_ptr<Shared> shared,
                             std::shared_ptr<const Artifact> artifact,
                             std::vector<Binding> arguments,
                             const std::vector<ConstantValue>& constants)
    : shared_(std::move(shared)),
      artifact_(best_text(shared_->device.capabilities, std::move(artifact))) {
  shared_->device.check_process();
  Pool pool;
  const size_t count = artifact_->params.size();
  check_argument_count(*artifact_, arguments.size());
  const std::vector<uint64_t> values = check_constants(*artifact_, constants);
  bindings_.resize(count);
  elements_.resize(count);
  for (size_t k = 0; k < values.size(); ++k) {
    elements_.push_back(integer_value(artifact_->constants[k].dtype, &values[k]));
  }
  auto bound = std::make_shared<Bound>();
  bound->kernel = artifact_;
  bound->owner = shared_->owners.fetch_add(1);
  bound->arguments.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    bound->arguments[i] = argument(i, std::move(arguments[i]));
  }
  // Of a kernel that no dispatch can run Metal makes no pipeline; the dispatch says why.
  if (artifact_->threadgroup_bytes <= shared_->device.capabilities.threadgroup_memory) {
    bound->pipeline = shared_->pipelines.get(*artifact_, values);
  }
  bound_ = std::move(bound);
}

// Memory that has an owner is kept by the submissions that use it. Of other memory the caller knows
// only that it is free when its binding ends.
MetalPrepared::~MetalPrepared() {
  if (shared_->device.is_forked()) {
    new (std::nothrow) std::shared_ptr<const Bound>(std::move(bound_));  // stays
    return;
  }
  Pool pool;
  for (const Binding& b : bindings_) {
    if (bound_ && b.data && !b.owner) shared_->queue.wait(bound_->owner);
  }
  bound_.reset();
}

metal::Argument MetalPrepared::argument(uint32_t index, Binding memory) {
  const ParamInfo& param = artifact_->params[index];
  const int64_t elements = check_binding(*artifact_, index, memory);
  const uint64_t limit = shared_->device.capabilities.max_buffer_bytes;
  metal::Argument made;
  made.index = param.index;
  made.written = param.written;
  if (param.is_scalar) {
    made.bytes = static_cast<uint32_t>(memory.bytes);
    std::memcpy(&made.scalar, memory.data, memory.bytes);
    if (param.dtype == DType::B1) made.scalar = made.scalar != 0;  // a bool of Metal's is 0 or 1
    memory = {};
  } else {
    std::string what = concat(artifact_->kernel_name, ": ", param.name);
    if (memory.bytes > limit) {
      throw Error(concat(what, " has ", memory.bytes, " bytes, but a buffer of ",
                         shared_->device.capabilities.name, " has at most ", limit));
    }
    made.memory =
        shared_->memory.get(shared_->device.device.get(), memory.data, memory.bytes, what);
    made.owner = memory.owner;
  }
  elements_[index] = elements;
  bindings_[index] = std::move(memory);
  return made;
}

void MetalPrepared::bind(uint32_t param, Binding memory) {
  shared_->device.check_process();
  Pool pool;
  Binding old;  // released last: its owner may run code of the user's
  std::shared_ptr<const Bound> before;
  std::lock_guard lock(mutex_);
  check_param(*artifact_, param);
  auto bound = std::make_shared<Bound>(*bound_);
  old = bindings_[param];
  bound->arguments[param] = argument(param, std::move(memory));
  before = std::exchange(bound_, std::move(bound));
  checked_ = false;
  if (old.data && !old.owner) shared_->queue.wait(before->owner);
}

void MetalPrepared::unbind() {
  shared_->device.check_process();
  Pool pool;
  std::vector<Binding> old;
  std::shared_ptr<const Bound> before;
  std::lock_guard lock(mutex_);
  auto bound = std::make_shared<Bound>(*bound_);
  for (size_t p = 0; p < bindings_.size(); ++p) {
    bound->arguments[p].memory.reset();
    bound->arguments[p].owner.reset();
    old.push_back(std::exchange(bindings_[p], {}));
  }
  before = std::exchange(bound_, std::move(bound));
  checked_ = false;
  shared_->queue.wait(before->owner);
}

Binding MetalPrepared::read(uint32_t param) {
  shared_->device.check_process();
  Pool pool;
  std::shared_ptr<const Bound> bound;
  Binding memory;
  {
    std::lock_guard lock(mutex_);
    check_param(*artifact_, param);
    bound = bound_;
    memory = bindings_[param];
  }
  shared_->queue.finish_all(bound->owner);
  if (!artifact_->params[param].is_scalar) return memory;
  auto scalar = std::make_shared<uint64_t>(bound->arguments[param].scalar);
  return {scalar.get(), bound->arguments[param].bytes, scalar};
}

metal::Dispatch MetalPrepared::checked(Dim3 grid, Dim3 threads) {
  shared_->device.check_process();
  std::lock_guard lock(mutex_);
  if (!checked_ || !(grid == grid_) || !(threads == threads_)) {
    check_launch(*artifact_, shared_->device.capabilities, grid, threads, elements_);
    check_overlap(*artifact_, bindings_);
    if (threads.total() > bound_->pipeline->max_threads) {
      throw Error(concat(artifact_->kernel_name, ": threads ", str(threads), " are ",
                         threads.total(), " threads per threadgroup, but ",
                         "this kernel uses so many registers that ",
                         shared_->device.capabilities.name, " takes at most ",
                         bound_->pipeline->max_threads, " of it"));
    }
    grid_ = grid;
    threads_ = threads;
    checked_ = true;
  }
  return {bound_, grid, threads};
}

class MetalRuntime final : public Runtime {
 public:
  const DeviceCapabilities& capabilities() const override { return shared_->device.capabilities; }
  std::unique_ptr<Prepared> prepare(std::shared_ptr<const Artifact> kernel,
                                    std::vector<Binding> arguments,
                                    std::vector<ConstantValue> constants) override {
    if (!kernel) throw Error("prepare needs a compiled kernel");
    return std::make_unique<MetalPrepared>(shared_, std::move(kernel), std::move(arguments),
                                           constants);
  }
  void dispatch_batch(std::span<const Launch> launches) override;
  void synchronize() override {
    shared_->device.check_process();
    shared_->queue.finish_all();
  }

 private:
  const std::shared_ptr<Shared> shared_ = open_shared();
};

void MetalRuntime::dispatch_batch(std::span<const Launch> launches) {
  if (launches.empty()) return;
  Pool pool;
  std::vector<metal::Dispatch> dispatches;
  dispatches.reserve(launches.size());
  for (const Launch& launch : launches) {
    auto* prepared = dynamic_cast<MetalPrepared*>(launch.prepared);
    if (!prepared || !prepared->belongs_to(shared_.get())) {
      throw Error("dispatch_batch takes kernels that this runtime prepared");
    }
    dispatches.push_back(prepared->checked(launch.grid, launch.threads));
  }
  shared_->queue.finish(shared_->queue.submit(dispatches), dispatches);
}

}  // namespace

std::shared_ptr<Runtime> make_metal_runtime() { return std::make_shared<MetalRuntime>(); }

}  // namespace enigma
