// The CPU device behind the Runtime interface: what a dispatch checks, binds, runs and reports.
//
// Every dispatch is complete when it returns, with wait = false too: the caller's thread works on
// the grid itself, and a fault is raised where it was made.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "enigma/runtime.h"
#include "runtime/check.h"
#include "runtime/cpu/host.h"
#include "runtime/cpu/pool.h"
#include "runtime/cpu/variants.h"
#include "support/cpu_abi.h"
#include "support/text.h"

namespace enigma {
namespace {

using cpu_abi::Fault;
using cpu_abi::FaultKind;
using cpu_abi::param_word;

// What the prepared kernels of one runtime share.
struct Device {
  CpuCompiler compiler;
  DeviceCapabilities capabilities;
  const int vectors = cpu::vectors();
  const bool scalef = cpu::has_scalef();
  cpu::Pool pool;
  cpu::VariantCache cache;

  Device(CpuCompiler c, uint32_t threads) : compiler(std::move(c)), pool(threads) {
    capabilities.backend = "cpu";
    capabilities.family = cpu::instruction_set();
    capabilities.name = concat("CPU (", threads, threads == 1 ? " thread, " : " threads, ",
                               capabilities.family, ')');
    capabilities.max_buffer_bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                    static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
};

class CpuPrepared final : public Prepared {
 public:
  CpuPrepared(std::shared_ptr<Device> device, std::shared_ptr<const Artifact> artifact,
              std::vector<Binding> arguments, const std::vector<ConstantValue>& constants);

  void dispatch(Dim3 grid, Dim3 threads, bool) override {
    std::lock_guard lock(mutex_);
    configure(grid, threads);
    run();
  }
  double dispatch_timed(Dim3 grid, Dim3 threads) override;
  void bind(uint32_t param, Binding memory) override;
  Binding read(uint32_t param) override;
  void unbind() override;

  /// Error when dispatch would refuse these sizes.
  void check(Dim3 grid, Dim3 threads);
  bool belongs_to(const Device* device) const { return device_.get() == device; }

 private:
  void configure(Dim3 grid, Dim3 threads) {
    if (!code_ || !(grid == grid_) || !(threads == threads_)) set_sizes(grid, threads);
  }
  void set_sizes(Dim3 grid, Dim3 threads);
  void run() {
    device_->pool.run({code_->kernel, args_.data(), groups_, code_->scratch_bytes, &code_->pace});
    if (fault_.kind != 0) report_fault();
  }
  [[noreturn]] void report_fault();
  std::string shared_name(size_t number) const;  // of a threadgroup allocation
  void set(uint32_t param, Binding memory);
  bool streams() const;

  std::mutex mutex_;  // several threads may dispatch, bind and read one prepared kernel
  const std::shared_ptr<Device> device_;
  const std::shared_ptr<const Artifact> artifact_;
  const std::shared_ptr<cpu::Variants> variants_;
  std::vector<Binding> bindings_;
  std::vector<uint64_t> args_;     // see cpu_abi.h
  std::vector<int64_t> elements_;  // see check_launch
  Fault fault_{};
  // The sizes of the last dispatch, and what follows from them; code_ is null when a change of
  // bindings asks for new checks.
  Dim3 grid_, threads_;
  int64_t groups_ = 0;
  cpu::Code* code_ = nullptr;
};

CpuPrepared::CpuPrepared(std::shared_ptr<Device> device, std::shared_ptr<const Artifact> artifact,
                         std::vector<Binding> arguments,
                         const std::vector<ConstantValue>& constants)
    : device_(std::move(device)),
      artifact_(std::move(artifact)),
      variants_(device_->cache.get(artifact_)) {
  const size_t count = artifact_->params.size();
  check_argument_count(*artifact_, arguments.size());
  const std::vector<uint64_t> values = check_constants(*artifact_, constants);
  bindings_.resize(count);
  elements_.resize(count);
  args_.resize(param_word(static_cast<uint32_t>(count)));
  args_.insert(args_.end(), values.begin(), values.end());  // see cpu_abi::constant_word
  for (size_t k = 0; k < values.size(); ++k) {
    elements_.push_back(integer_value(artifact_->constants[k].dtype, &values[k]));
  }
  args_[cpu_abi::kFault] = reinterpret_cast<uint64_t>(&fault_);
  for (uint32_t i = 0; i < count; ++i) set(i, std::move(arguments[i]));
}

void CpuPrepared::set(uint32_t index, Binding memory) {
  elements_[index] = check_binding(*artifact_, index, memory);
  uint64_t* words = &args_[param_word(index)];
  if (artifact_->params[index].is_scalar) {
    words[0] = words[1] = 0;
    std::memcpy(words, memory.data, memory.bytes);
    bindings_[index] = {words, memory.bytes, nullptr};
  } else {
    words[0] = reinterpret_cast<uint64_t>(memory.data);
    words[1] = static_cast<uint64_t>(elements_[index]);
    bindings_[index] = std::move(memory);
  }
  code_ = nullptr;
}

void CpuPrepared::bind(uint32_t param, Binding memory) {
  Binding old;  // released last: its owner may run code of the user's
  std::lock_guard lock(mutex_);
  check_param(*artifact_, param);
  old = bindings_[param];
  set(param, std::move(memory));
}

Binding CpuPrepared::read(uint32_t param) {
  std::lock_guard lock(mutex_);
  check_param(*artifact_, param);
  return bindings_[param];
}

void CpuPrepared::unbind() {
  std::vector<Binding> old;  // as in bind
  std::lock_guard lock(mutex_);
  for (size_t p = 0; p < bindings_.size(); ++p) {
    if (!artifact_->params[p].is_scalar) old.push_back(std::exchange(bindings_[p], {}));
  }
  code_ = nullptr;
}

void CpuPrepared::check(Dim3 grid, Dim3 threads) {
  std::lock_guard lock(mutex_);
  if (code_ && grid == grid_ && threads == threads_) return;
  check_launch(*artifact_, device_->capabilities, grid, threads, elements_);
  check_overlap(*artifact_, bindings_);
}

void CpuPrepared::set_sizes(Dim3 grid, Dim3 threads) {
  check_launch(*artifact_, device_->capabilities, grid, threads, elements_);
  check_overlap(*artifact_, bindings_);
  auto ceil_div = [](uint32_t a, uint32_t b) { return static_cast<uint32_t>((a - 1) / b + 1); };
  Dim3 groups{ceil_div(grid.x, threads.x), ceil_div(grid.y, threads.y),
              ceil_div(grid.z, threads.z)};
  __int128 total = static_cast<__int128>(uint64_t{groups.x} * groups.y) * groups.z;
  if (total > (int64_t{1} << 62)) {
    throw Error(concat(artifact_->kernel_name, ": the grid ", str(grid), " has more than 2^62 ",
                       "threadgroups; launch a smaller grid"));
  }
  bool edges = grid.x % threads.x != 0 || grid.y % threads.y != 0 || grid.z % threads.z != 0;
  code_ = nullptr;  // stays so when the compiler throws
  const CpuVariant variant{threads, edges, streams(), device_->vectors, device_->scalef};
  cpu::Code& code = variants_->get(*artifact_, variant, device_->compiler);
  grid_ = grid;
  threads_ = threads;
  groups_ = static_cast<int64_t>(total);
  const uint64_t sizes[] = {grid.x, grid.y, grid.z, groups.x, groups.y, groups.z};
  static_assert(cpu_abi::kGridX == 0 && cpu_abi::kGroupsZ == 5);
  std::copy(std::begin(sizes), std::end(sizes), args_.begin());
  code_ = &code;
}

// Whether an output would not stay in the caches anyway.
bool CpuPrepared::streams() const {
  constexpr size_t kCaches = size_t{12} << 20;  // systems say much of theirs, but nothing reliable
  for (size_t k = 0; k < bindings_.size(); ++k) {
    const ParamInfo& p = artifact_->params[k];
    if (!p.is_scalar && p.written && !p.read && bindings_[k].bytes > kCaches) return true;
  }
  return false;
}

double CpuPrepared::dispatch_timed(Dim3 grid, Dim3 threads) {
  std::lock_guard lock(mutex_);
  configure(grid, threads);
  auto start = std::chrono::steady_clock::now();
  run();
  auto spent = std::chrono::steady_clock::now() - start;
  return std::chrono::duration<double, std::milli>(spent).count();
}

std::string CpuPrepared::shared_name(size_t number) const {
  const auto& names = artifact_->threadgroup_names;
  if (number < names.size() && !names[number].empty()) return names[number];
  return concat("threadgroup memory ", number);
}

void CpuPrepared::report_fault() {
  Fault fault = std::exchange(fault_, {});
  Location where;
  if (fault.location < artifact_->locations.size()) where = artifact_->locations[fault.location];
  std::string thread = str(Dim3{fault.thread[0], fault.thread[1], fault.thread[2]});
  std::string name = artifact_->kernel_name;
  switch (static_cast<FaultKind>(fault.kind)) {
    case FaultKind::DivergentBarrier:
      throw Error(
          concat(name, ": barrier not reached by all threads of the threadgroup that begins ",
                 "at thread ", thread, "; move it out of the condition or loop"),
          where);
    case FaultKind::SplitSimdgroup:
      throw Error(concat(name,
                         ": the 32 threads of a SIMD-group hold a matrix together, but here "
                         "some are missing, or their operands differ, in the threadgroup that "
                         "begins at thread ",
                         thread),
                  where);
    case FaultKind::OutOfBounds: {
      bool local = fault.param >= cpu_abi::kThreadgroupMemory;
      if (!local && fault.param >= artifact_->params.size()) break;
      std::string memory = local ? shared_name(fault.param - cpu_abi::kThreadgroupMemory)
                                 : artifact_->params[fault.param].name;
      throw Error(
          concat(name, ": ", memory, '[', fault.index, "] is out of bounds (", memory, " has ",
                 fault.size, fault.size == 1 ? " element" : " elements", "), thread ", thread),
          where);
    }
    case FaultKind::None:
      break;
  }
  throw InternalError(concat(name, " reported a fault of kind ", fault.kind));
}

class CpuRuntime final : public Runtime {
 public:
  CpuRuntime(CpuCompiler compiler, uint32_t threads)
      : device_(std::make_shared<Device>(std::move(compiler), threads)) {}

  const DeviceCapabilities& capabilities() const override { return device_->capabilities; }
  std::unique_ptr<Prepared> prepare(std::shared_ptr<const Artifact> kernel,
                                    std::vector<Binding> arguments,
                                    std::vector<ConstantValue> constants) override {
    if (!kernel) throw Error("prepare needs a compiled kernel");
    return std::make_unique<CpuPrepared>(device_, std::move(kernel), std::move(arguments),
                                         constants);
  }
  void dispatch_batch(std::span<const Launch> launches) override;
  void synchronize() override {}  // every dispatch is complete when it returns

 private:
  const std::shared_ptr<Device> device_;
};

void CpuRuntime::dispatch_batch(std::span<const Launch> launches) {
  for (const Launch& launch : launches) {
    auto* prepared = dynamic_cast<CpuPrepared*>(launch.prepared);
    if (!prepared || !prepared->belongs_to(device_.get())) {
      throw Error("dispatch_batch takes kernels that this runtime prepared");
    }
    prepared->check(launch.grid, launch.threads);
  }
  for (const Launch& launch : launches) launch.prepared->dispatch(launch.grid, launch.threads);
}

}  // namespace

std::shared_ptr<Runtime> make_cpu_runtime(CpuCompiler compiler, uint32_t threads) {
  if (threads > kMaxCpuThreads) {
    throw Error(concat("threads is ", threads, "; the CPU device takes at most ", kMaxCpuThreads));
  }
  if (threads == 0) threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxCpuThreads);
  return std::make_shared<CpuRuntime>(std::move(compiler), threads);
}

}  // namespace enigma
