// Queues, command buffers and encoders: what is encoded is checked, then run on the queue's thread.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "metal.h"

extern "C" {
void* _Block_copy(const void* block);
void _Block_release(const void* block);
}

namespace softmetal {
namespace {

constexpr const char* kDomain = "MTLCommandBufferErrorDomain";

double seconds() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// ---- Running ----------------------------------------------------------------------------------

softmetal_fault run(const Dispatched& d) {
  ++statistics().dispatches;
  softmetal_launch launch{};
  const NS::UInteger* sizes[] = {&d.grid.width, &d.threads.width};
  uint32_t* targets[] = {launch.grid, launch.threads};
  for (int which = 0; which < 2; ++which) {
    const auto* size = reinterpret_cast<const char*>(sizes[which]);  // MTL::Size is packed
    for (int i = 0; i < 3; ++i) {
      NS::UInteger value;
      std::memcpy(&value, size + sizeof value * i, sizeof value);
      targets[which][i] = static_cast<uint32_t>(value);
    }
  }
  for (size_t i = 0; i < kMaxBuffers; ++i) {
    const Bound& b = d.arguments[i];
    if (b.buffer) {
      // What lies behind the memory that is marked is not the kernel's.
      const size_t marked = b.buffer->marked;
      const size_t end = marked > b.offset ? marked : b.buffer->length;
      launch.bindings[i] = {b.buffer->data + b.offset, end - b.offset};
    } else if (b.is_set) {
      launch.bindings[i] = {const_cast<char*>(b.bytes.data()), b.bytes.size()};
    }
  }
  Code& code = *d.pipeline->code;
  std::lock_guard lock(code.running);
  return code.kernel.run(code.kernel.context, &launch);
}

struct Injected {
  const char* fault;
  MTL::CommandBufferError code;
  const char* text;
};

constexpr Injected kInjected[] = {
    {"command buffer error", MTL::CommandBufferErrorInternal, "Internal Error (injected)"},
    {"timeout", MTL::CommandBufferErrorTimeout, "Caused GPU Timeout Error (injected)"},
    {"page fault", MTL::CommandBufferErrorPageFault, "Caused GPU Address Fault Error (injected)"},
    {"access revoked", MTL::CommandBufferErrorAccessRevoked,
     "Ignored (for causing prior/excessive GPU errors) (injected)"},
    {"out of memory", MTL::CommandBufferErrorOutOfMemory, "Insufficient Memory (injected)"},
};

void execute(CommandBuffer& c) {
  NS::Error* error = nullptr;
  std::vector<Ref<FunctionLog>> logs;
  for (const Injected& i : kInjected) {
    if (!error && strikes(i.fault)) error = new_error(kDomain, i.code, i.text);
  }
  ++statistics().command_buffers;
  double start = seconds();
  for (const Dispatched& d : c.dispatches) {
    if (error) break;
    softmetal_fault fault = run(d);
    if (!fault.text) continue;
    if (fault.code) error = new_error(kDomain, fault.code, fault.text);
    logs.emplace_back(autoreleased(make<FunctionLog>(d.pipeline->code, fault.text, fault.line)));
    std::free(fault.text);
  }
  c.dispatches.clear();  // what it has kept alive
  --c.queue->work->unfinished;
  {
    std::lock_guard lock(c.mutex);
    c.start = start;
    c.end = seconds();
    c.error = Ref(as<Error*>(error));
    c.logs = std::move(logs);
    c.status = error ? MTL::CommandBufferStatusError : MTL::CommandBufferStatusCompleted;
  }
  for (void* handler : c.handlers) {
    ((void (^)(MTL::CommandBuffer*))handler)(as<MTL::CommandBuffer*>(&c));
    _Block_release(handler);
  }
  c.handlers.clear();
}

void work(const std::shared_ptr<Work>& work) {
  while (true) {
    Ref<CommandBuffer> next;
    {
      std::unique_lock lock(work->mutex);
      work->changed.wait(lock, [&] { return work->stop || !work->committed.empty(); });
      if (work->committed.empty()) return;
      next = std::move(work->committed.front());
      work->committed.pop_front();
    }
    wait_while_held();
    auto progress = next->progress;
    {
      PoolScope pool;
      Ref running = std::move(next);
      execute(*running.get());
    }
    {
      std::lock_guard lock(progress->mutex);
      progress->finished = true;
    }
    progress->ended.notify_all();
  }
}

// ---- Checking ---------------------------------------------------------------------------------

void check_open(const Encoder* e, const char* method) {
  if (!e->open) fail("encoder ended", "-[MTLComputeCommandEncoder %s] after endEncoding", method);
}

Bound& slot(Encoder* e, const char* method, NS::UInteger index) {
  check_open(e, method);
  if (index >= kMaxBuffers) {
    fail("bad index", "-[MTLComputeCommandEncoder %s] of buffer %lu; there are 0 to %zu", method,
         static_cast<unsigned long>(index), kMaxBuffers - 1);
  }
  return e->next.arguments[index];
}

void check_dispatch(Encoder* e, MTL::Size grid, MTL::Size threads) {
  check_open(e, "dispatchThreads:threadsPerThreadgroup:");
  if (!e->next.pipeline) fail("no pipeline", "a dispatch before setComputePipelineState:");
  const Code& code = *e->next.pipeline->code;
  if (!grid.width || !grid.height || !grid.depth) fail("empty grid", "a dispatch of no threads");
  if (!threads.width || !threads.height || !threads.depth) {
    fail("empty threadgroup", "a dispatch of threadgroups without threads");
  }
  constexpr NS::UInteger kMost = UINT32_MAX;
  if (grid.width > kMost || grid.height > kMost || grid.depth > kMost) {
    fail("grid too large", "a dimension of a grid has 32 bits");
  }
  NS::UInteger total = threads.width * threads.height * threads.depth;
  if (total > e->next.pipeline->max_threads) {
    fail("group too large", "%lu threads per threadgroup; the pipeline takes %u",
         static_cast<unsigned long>(total), e->next.pipeline->max_threads);
  }
  for (size_t i = 0; i < kMaxBuffers; ++i) {
    if ((code.buffers >> i & 1) && !e->next.arguments[i].is_set) {
      fail("missing binding", "%s takes buffer %zu, which is not set", code.name.c_str(), i);
    }
  }
}

MTL::ComputeCommandEncoder* new_encoder(CommandBuffer* c) {
  if (c->encoder) fail("encoder not ended", "a second encoder of one command buffer");
  if (c->status != MTL::CommandBufferStatusNotEnqueued) {
    fail("already committed", "an encoder of a committed command buffer");
  }
  auto* e = make<Encoder>(Ref(c));
  c->encoder = e;
  return as<MTL::ComputeCommandEncoder*>(autoreleased(e));
}

void commit(CommandBuffer* c) {
  if (c->encoder) fail("encoder not ended", "a command buffer is committed with an open encoder");
  std::unique_lock lock(c->mutex);
  if (c->status != MTL::CommandBufferStatusNotEnqueued) {
    fail("already committed", "a command buffer is committed twice");
  }
  c->status = MTL::CommandBufferStatusCommitted;
  lock.unlock();
  Work& work = *c->queue->work;
  {
    std::lock_guard held(work.mutex);
    work.committed.emplace_back(c);
  }
  work.changed.notify_one();
}

void define_command_buffer() {
  Class c = define<CommandBuffer>();
  using Maker = MTL::ComputeCommandEncoder* (*)();
  method<Maker>(c, "computeCommandEncoder", [](CommandBuffer* b) { return new_encoder(b); });
  method<decltype(&MTL::CommandBuffer::commit)>(c, "commit", [](CommandBuffer* b) { commit(b); });
  method<decltype(&MTL::CommandBuffer::waitUntilCompleted)>(
      c, "waitUntilCompleted", [](CommandBuffer* b) {
        {
          std::lock_guard lock(b->mutex);
          if (b->status < MTL::CommandBufferStatusCommitted) {
            fail("not committed", "waitUntilCompleted of a command buffer that is not committed");
          }
        }
        std::unique_lock lock(b->progress->mutex);
        b->progress->ended.wait(lock, [&] { return b->progress->finished; });
      });
  method<decltype(&MTL::CommandBuffer::status)>(
      c, "status", [](CommandBuffer* b) -> MTL::CommandBufferStatus {
        std::scoped_lock lock(b->mutex, b->progress->mutex);
        const bool ended = b->progress->finished ||
                           b->queue->thread.get_id() == std::this_thread::get_id();  // a handler
        return ended ? b->status : std::min(b->status, MTL::CommandBufferStatusScheduled);
      });
  method<decltype(&MTL::CommandBuffer::error)>(c, "error", [](CommandBuffer* b) -> NS::Error* {
    std::lock_guard lock(b->mutex);
    if (!b->error) return nullptr;
    retain(b->error.get());
    return as<NS::Error*>(autoreleased(b->error.get()));
  });
  method<decltype(&MTL::CommandBuffer::logs)>(c, "logs", [](CommandBuffer* b) {
    std::lock_guard lock(b->mutex);
    if (b->status < MTL::CommandBufferStatusCompleted) fail("too early", "logs before the end");
    return as<MTL::LogContainer*>(autoreleased(make<LogContainer>(b->logs)));
  });
  auto times = [](CommandBuffer* b) {
    if (b->status < MTL::CommandBufferStatusCompleted) fail("too early", "GPU time before the end");
  };
  static auto check = times;
  method<decltype(&MTL::CommandBuffer::GPUStartTime)>(c, "GPUStartTime",
                                                      [](CommandBuffer* b) -> CFTimeInterval {
                                                        std::lock_guard lock(b->mutex);
                                                        check(b);
                                                        return b->start;
                                                      });
  method<decltype(&MTL::CommandBuffer::GPUEndTime)>(c, "GPUEndTime",
                                                    [](CommandBuffer* b) -> CFTimeInterval {
                                                      std::lock_guard lock(b->mutex);
                                                      check(b);
                                                      return b->end;
                                                    });
  method<void (*)(MTL::CommandBufferHandler)>(
      c, "addCompletedHandler:", [](CommandBuffer* b, MTL::CommandBufferHandler handler) {
        std::lock_guard lock(b->mutex);
        if (b->status >= MTL::CommandBufferStatusCommitted) {
          fail("already committed", "addCompletedHandler: after commit");
        }
        b->handlers.push_back(_Block_copy((const void*)handler));
      });
}

void define_encoder() {
  Class c = define<Encoder>();
  method<decltype(&MTL::ComputeCommandEncoder::setComputePipelineState)>(
      c, "setComputePipelineState:", [](Encoder* e, const MTL::ComputePipelineState* state) {
        check_open(e, "setComputePipelineState:");
        if (!state) fail("null object", "setComputePipelineState: of null");
        e->next.pipeline = Ref(as<Pipeline*>(state));
      });
  method<void (*)(const MTL::Buffer*, NS::UInteger, NS::UInteger)>(
      c, "setBuffer:offset:atIndex:",
      [](Encoder* e, const MTL::Buffer* buffer, NS::UInteger offset, NS::UInteger index) {
        Bound& b = slot(e, "setBuffer:offset:atIndex:", index);
        auto* memory = as<Buffer*>(buffer);
        if (memory && offset >= memory->length) {
          fail("offset out of range", "offset %lu of a buffer of %zu bytes",
               static_cast<unsigned long>(offset), memory->length);
        }
        b = {Ref(memory), offset, {}, memory != nullptr};
      });
  method<void (*)(const void*, NS::UInteger, NS::UInteger)>(
      c, "setBytes:length:atIndex:",
      [](Encoder* e, const void* bytes, NS::UInteger length, NS::UInteger index) {
        Bound& b = slot(e, "setBytes:length:atIndex:", index);
        if (length == 0 || length > kMaxSetBytes) {
          fail("setBytes too large", "setBytes of %lu bytes; it takes 1 to %zu",
               static_cast<unsigned long>(length), kMaxSetBytes);
        }
        auto* first = static_cast<const char*>(bytes);
        b = {{}, 0, std::vector<char>(first, first + length), true};
      });
  method<decltype(&MTL::ComputeCommandEncoder::setThreadgroupMemoryLength)>(
      c, "setThreadgroupMemoryLength:atIndex:",
      [](Encoder* e, NS::UInteger length, NS::UInteger index) {
        slot(e, "setThreadgroupMemoryLength:atIndex:", index);
        if (length > kMaxThreadgroupMemory || length % 16 != 0) {
          fail("too much threadgroup memory", "%lu bytes; it takes multiples of 16 up to %zu",
               static_cast<unsigned long>(length), kMaxThreadgroupMemory);
        }
      });
  method<decltype(&MTL::ComputeCommandEncoder::dispatchThreads)>(
      c,
      "dispatchThreads:threadsPerThreadgroup:", [](Encoder* e, MTL::Size grid, MTL::Size threads) {
        check_dispatch(e, grid, threads);
        e->next.grid = grid;
        e->next.threads = threads;
        e->commands->dispatches.push_back(e->next);
      });
  method<decltype(&MTL::CommandEncoder::endEncoding)>(c, "endEncoding", [](Encoder* e) {
    check_open(e, "endEncoding");
    e->open = false;
    e->commands->encoder = nullptr;
  });
}

}  // namespace

CommandBuffer::~CommandBuffer() {
  if (status < MTL::CommandBufferStatusCommitted) --queue->work->unfinished;
  for (void* handler : handlers) _Block_release(handler);
}

Encoder::~Encoder() {
  if (open) fail("encoder not ended", "an encoder is freed before endEncoding");
}

CommandQueue::~CommandQueue() {
  {
    std::lock_guard lock(work->mutex);
    work->stop = true;
  }
  work->changed.notify_all();
  // The last reference may be that of a command buffer which the thread itself has let go.
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

MTL::CommandQueue* make_queue() {
  auto* queue = make<CommandQueue>();
  queue->work = std::make_shared<Work>();
  queue->thread = std::thread([w = queue->work] { work(w); });
  return as<MTL::CommandQueue*>(queue);
}

void define_commands() {
  Class c = define<CommandQueue>();
  using Maker = MTL::CommandBuffer* (*)();
  method<Maker>(c, "commandBuffer", [](CommandQueue* q) -> MTL::CommandBuffer* {
    if (strikes("no command buffer")) return nullptr;
    // A 65th would wait until one has ended: with a lock held, for all who want that lock.
    if (q->work->unfinished.fetch_add(1) >= kMaxCommandBuffers) {
      fail("too many command buffers", "%u of one queue are not finished", kMaxCommandBuffers);
    }
    return as<MTL::CommandBuffer*>(autoreleased(make<CommandBuffer>(Ref(q))));
  });
  define_command_buffer();
  define_logs();
  define_encoder();
}

}  // namespace softmetal
