// Running artifacts: one interface for the Metal GPU and the CPU device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "enigma/artifact.h"
#include "enigma/limits.h"

namespace enigma {

/// How copies between device and threadgroup memory are made that a SIMD-group waits for.
enum class AsyncCopy : uint8_t {
  Cooperative,  ///< by the SIMD-group's own lanes: on every device
  Air,          ///< by AIR's functions, which Metal does not document
  EscapedAir,   ///< by the same, under names that a front end which refuses AIR's own lets pass
};
constexpr std::string_view to_string(AsyncCopy a) {
  return a == AsyncCopy::Air ? "air" : a == AsyncCopy::EscapedAir ? "escaped air" : "cooperative";
}

struct DeviceCapabilities {
  std::string name;     ///< "Apple M3 Max", "CPU (2 threads, avx512)"
  std::string backend;  ///< "metal" or "cpu"
  std::string family;   ///< "Apple9"; the instruction set on the CPU
  uint32_t max_threads_per_threadgroup = kMaxThreadsPerThreadgroup;
  uint32_t threadgroup_memory = kThreadgroupBytes;  ///< bytes
  uint32_t simd_width = kSimdWidth;
  uint64_t max_buffer_bytes = 0;
  bool unified_memory = true;
  /// The best that has been tried on this device and found to work.
  AsyncCopy async_copy = AsyncCopy::Cooperative;
};

/// Host memory bound to a parameter: a whole number of elements of the parameter's type, aligned as
/// they are, which the device reads and writes where it lies. `owner` keeps it alive for as long as
/// the binding lasts; without one the caller does, and does not move it.
struct Binding {
  void* data = nullptr;
  size_t bytes = 0;
  std::shared_ptr<void> owner;

  /// The elements of a vector, an array or a span, without an owner.
  template <class Range>
    requires requires(Range& r) { static_cast<void*>(std::span(r).data()); }
  static Binding of(Range& elements) {
    return {std::data(elements), std::size(elements) * sizeof(*std::data(elements)), nullptr};
  }
  /// A scalar, which prepare() and bind() copy. Its C++ type has the parameter's width.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  static Binding of(const Number& scalar) {
    return {const_cast<Number*>(&scalar), sizeof scalar, nullptr};
  }
};

/// The value of a function constant: its bits, in the low bytes (`std::bit_cast<uint32_t>(1.5f)`).
struct ConstantValue {
  uint32_t index;
  DType dtype;
  uint64_t bits;
};

/// A kernel with its arguments bound, ready to be dispatched any number of times, by any thread. It
/// holds its runtime and its artifact. Its end waits for dispatches that use memory without an
/// owner.
class Prepared {
 public:
  virtual ~Prepared() = default;
  /// Runs the kernel over `grid` threads (not threadgroups) in groups of `threads`; a grid that
  /// they do not divide has smaller groups at its edges. With wait = false it may still be running
  /// when this returns; synchronize() or a read waits. Error for a bad size, before anything runs,
  /// and for a fault of the kernel (an index out of bounds, a barrier that not all threads reach),
  /// which names the line that the kernel's builder was given.
  virtual void dispatch(Dim3 grid, Dim3 threads, bool wait = true) = 0;
  /// The same, waited for; milliseconds on the device.
  virtual double dispatch_timed(Dim3 grid, Dim3 threads) = 0;
  /// Rebinds a parameter, by its number, to other memory of at least the size it needs.
  virtual void bind(uint32_t param, Binding memory) = 0;
  /// The memory bound to a parameter, after all dispatches so far have ended.
  virtual Binding read(uint32_t param) = 0;
  /// Lets go of all memory, after all dispatches so far have ended; each buffer has to be bound
  /// again before the next. Memory without an owner may be freed from then on.
  virtual void unbind() = 0;
};

/// One dispatch of a batch, of a kernel that the batch's runtime prepared.
struct Launch {
  Prepared* prepared;
  Dim3 grid, threads;
};

/// A device. Any number of threads may use one; it is released when the last kernel that it
/// prepared is gone.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual const DeviceCapabilities& capabilities() const = 0;
  /// One binding per parameter; scalars are bindings of one element, copied here. The device works
  /// on the bound memory itself. `constants` has a value for each function constant, in any order.
  virtual std::unique_ptr<Prepared> prepare(std::shared_ptr<const Artifact> kernel,
                                            std::vector<Binding> arguments,
                                            std::vector<ConstantValue> constants = {}) = 0;
  /// Runs in order, as one submission, and waits for it.
  virtual void dispatch_batch(std::span<const Launch> launches) = 0;
  /// Waits for all dispatches; throws the first error that nobody was told of.
  virtual void synchronize() = 0;
};

/// LLVM IR text to a relocatable ELF object (on a Mac, too) with position-independent code for this
/// machine; called once per kernel and size of threadgroup, from the thread that dispatches, for
/// different ones by several threads at once. What it throws, dispatch() throws. The wheel brings
/// one on top of llvmlite, examples/cpp/jit.cpp starts clang.
using CpuCompiler = std::function<std::string(const std::string& llvm_ir)>;

/// The compiler, with its objects kept on disk: a text that was compiled before, by any process, is
/// read in its place. `identity` is what the objects depend on besides the text and this machine's
/// instruction set: which compiler it is, its version and options. The files are in
/// $ENIGMA_CACHE_DIR/cpu or the user's cache folder; the oldest go when they pass 128 MiB.
CpuCompiler cached_compiler(CpuCompiler compiler, const std::string& identity);

/// The most threads that a CPU device takes.
constexpr uint32_t kMaxCpuThreads = 1024;

/// The CPU device. `threads` counts the one that dispatches, up to kMaxCpuThreads; 0 takes the
/// machine's number of cores.
std::shared_ptr<Runtime> make_cpu_runtime(CpuCompiler compiler, uint32_t threads = 0);
/// The Metal GPU; where there is none, Error with the reason.
std::shared_ptr<Runtime> make_metal_runtime();

}  // namespace enigma
