// The objects of Metal as the model holds them.
#pragma once

#include <Metal/Metal.hpp>
#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "foundation.h"

namespace softmetal {

constexpr uint32_t kMaxThreads = 1024;
constexpr size_t kMaxThreadgroupMemory = 32768;
constexpr size_t kMaxSetBytes = 4096;
constexpr size_t kMaxBuffers = SOFTMETAL_MAX_BUFFERS;
constexpr uint32_t kMaxCommandBuffers = 64;

struct Device : Object {
  static constexpr const char* kName = "MTLDevice";
};

struct Buffer : Object {
  static constexpr const char* kName = "MTLBuffer";
  char* data;
  size_t length;
  bool owned;
  void (^deallocator)(void*, NS::UInteger) = nullptr;  // a copied block
  std::atomic<size_t> marked{0};  // bytes that belong to a debug marker; 0: nothing is marked
  ~Buffer();
};

// The machine code of a kernel: what all objects made of one library function share.
struct Code {
  softmetal_kernel kernel{};  // cannot run before the function constants of its text are known
  std::string name, key;
  uint32_t buffers = 0;  // bits of those that the kernel takes
  std::mutex running;
  ~Code() {
    if (kernel.destroy) kernel.destroy(kernel.context);
  }
};

struct CompileOptions : Object {
  static constexpr const char* kName = "MTLCompileOptions";
  MTL::LanguageVersion version = MTL::LanguageVersion(0);
  bool fast = true, fast_functions = true;  // Metal's defaults
};

struct ConstantValues : Object {
  static constexpr const char* kName = "MTLFunctionConstantValues";
  struct Value {
    MTL::DataType type;
    uint64_t bits;
  };
  std::map<uint32_t, Value> values;
};

// A function constant as the text declares it.
struct Constant {
  uint32_t index;
  std::string type, name;
};

struct Library : Object {
  static constexpr const char* kName = "MTLLibrary";
  std::vector<std::shared_ptr<Code>> functions;
  std::string source;
  softmetal_options options{};
  std::vector<Constant> constants;  // by index
};

struct Function : Object {
  static constexpr const char* kName = "MTLFunction";
  std::shared_ptr<Code> code;
};

struct PipelineDescriptor : Object {
  static constexpr const char* kName = "MTLComputePipelineDescriptor";
  Ref<Function> function;
  Ref<Array> archives;
};

struct Pipeline : Object {
  static constexpr const char* kName = "MTLComputePipelineState";
  std::shared_ptr<Code> code;
  uint32_t max_threads;
};

struct ArchiveDescriptor : Object {
  static constexpr const char* kName = "MTLBinaryArchiveDescriptor";
  Ref<Url> url;
};

struct Archive : Object {
  static constexpr const char* kName = "MTLBinaryArchive";
  std::mutex mutex;
  std::vector<std::string> keys;
};

// One argument of a dispatch: a buffer from an offset on, or bytes.
struct Bound {
  Ref<Buffer> buffer;
  size_t offset = 0;
  std::vector<char> bytes;
  bool is_set = false;
};

struct Dispatched {
  Ref<Pipeline> pipeline;
  std::array<Bound, kMaxBuffers> arguments;
  MTL::Size grid, threads;
};

struct CommandQueue;

struct DebugLocation : Object {
  static constexpr const char* kName = "MTLFunctionLogDebugLocation";
  uint32_t line;
};

struct FunctionLog : Object {
  static constexpr const char* kName = "MTLFunctionLog";
  std::shared_ptr<Code> code;
  std::string text;
  uint32_t line;
};

struct LogContainer : Object {
  static constexpr const char* kName = "MTLLogContainer";
  std::vector<Ref<FunctionLog>> logs;
};

// How far a command buffer is. Whoever waits for its end finds no reference of ours left.
struct Progress {
  std::mutex mutex;
  std::condition_variable ended;
  bool finished = false;  // and the handlers have run
};

struct CommandBuffer : Object {
  static constexpr const char* kName = "MTLCommandBuffer";
  Ref<CommandQueue> queue;
  std::vector<Dispatched> dispatches;
  std::vector<void*> handlers;  // copied blocks
  Object* encoder = nullptr;    // open; it holds us
  std::shared_ptr<Progress> progress = std::make_shared<Progress>();
  std::mutex mutex;
  MTL::CommandBufferStatus status = MTL::CommandBufferStatusNotEnqueued;
  Ref<Error> error;
  std::vector<Ref<FunctionLog>> logs;
  double start = 0, end = 0;
  ~CommandBuffer();
};

struct Encoder : Object {
  static constexpr const char* kName = "MTLComputeCommandEncoder";
  Ref<CommandBuffer> commands;
  Dispatched next;
  bool open = true;
  ~Encoder();
};

// What a queue shares with the thread that runs its command buffers, one after the other.
struct Work {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Ref<CommandBuffer>> committed;
  bool stop = false;
  std::atomic<uint32_t> unfinished{0};  // command buffers, committed or not
};

struct CommandQueue : Object {
  static constexpr const char* kName = "MTLCommandQueue";
  std::shared_ptr<Work> work;
  std::thread thread;
  ~CommandQueue();
};

void define_constants();
/// The function constants that an MSL text declares, by index.
std::vector<Constant> constants_of(const std::string& source);
/// Values for these declarations. A value of another type ends the process; for a missing one the
/// error says which, and nothing is returned.
std::vector<softmetal_constant> values_for(const std::vector<Constant>& constants,
                                           const ConstantValues& given, std::string& error);

/// An MTLLibrary of MSL text; null, with an error, when it does not compile.
MTL::Library* compile_library(const char* source, CompileOptions* options, NS::Error** error);
MTL::ComputePipelineState* make_pipeline(PipelineDescriptor* descriptor,
                                         MTL::PipelineOption options, NS::Error** error);
MTL::BinaryArchive* make_archive(ArchiveDescriptor* descriptor, NS::Error** error);
MTL::CommandQueue* make_queue();
void define_logs();

}  // namespace softmetal
