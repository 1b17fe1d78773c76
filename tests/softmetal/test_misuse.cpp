// Software Metal names every misuse of the API, and ends the process that has made it.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Metal/Metal.hpp>
#include <csignal>
#include <functional>

#include "kernels.h"

using namespace testing;

extern "C" void __lsan_disable() __attribute__((weak));

namespace {

// Each in a process of its own: what it says on stderr, or "fine".
std::string outcome(const std::function<void()>& misuse) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    std::signal(SIGABRT, SIG_DFL);         // doctest's handler would report a crash of its own
    if (__lsan_disable) __lsan_disable();  // the leaks are those of the misuse
    misuse();
    std::exit(0);
  }
  close(ends[1]);
  std::string said;
  char buffer[512];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, n);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "fine";
  size_t start = said.find("softmetal: ");
  return start == said.npos ? said : said.substr(start + 11, said.find('\n', start) - start - 11);
}

NS::String* text(const char* s) { return NS::String::string(s, NS::UTF8StringEncoding); }

bool null_answers_null() {
  auto pointer = reinterpret_cast<void* (*)(void*, SEL)>(&objc_msgSend);
  auto number = reinterpret_cast<double (*)(void*, SEL)>(&objc_msgSend_fpret);
  SEL selector = sel_registerName("newCommandQueue");
  return pointer(nullptr, selector) == nullptr && number(nullptr, selector) == 0;
}

// A device with all that a dispatch needs, and a pool.
struct Bench {
  NS::AutoreleasePool* pool = NS::AutoreleasePool::alloc()->init();
  MTL::Device* device = MTL::CreateSystemDefaultDevice();
  MTL::CommandQueue* queue = device->newCommandQueue();
  MTL::Buffer* buffer = device->newBuffer(256, MTL::ResourceStorageModeShared);
  MTL::ComputePipelineState* state = pipeline();
  MTL::CommandBuffer* commands = queue->commandBuffer();
  MTL::ComputeCommandEncoder* encoder = commands->computeCommandEncoder();

  MTL::ComputePipelineState* pipeline() {
    softmetal_set_kernel_compiler(compile_by_name);
    auto* options = MTL::CompileOptions::alloc()->init();
    options->setLanguageVersion(MTL::LanguageVersion3_1);
    NS::Error* error = nullptr;
    auto* library = device->newLibrary(text(make_increment()->msl.c_str()), options, &error);
    auto* function = library->newFunction(text("increment"));
    auto* descriptor = MTL::ComputePipelineDescriptor::alloc()->init();
    descriptor->setComputeFunction(function);
    auto* made = device->newComputePipelineState(descriptor, 0, nullptr, &error);
    for (NS::Object* o : {(NS::Object*)options, (NS::Object*)library, (NS::Object*)function,
                          (NS::Object*)descriptor}) {
      o->release();
    }
    return made;
  }
  void dispatch(size_t threads) {
    encoder->setComputePipelineState(state);
    encoder->setBuffer(buffer, 0, 0);
    encoder->dispatchThreads(MTL::Size(64, 1, 1), MTL::Size(threads, 1, 1));
  }
  void end() {
    encoder->endEncoding();
    commands->commit();
    commands->waitUntilCompleted();
    for (NS::Object* o :
         {(NS::Object*)state, (NS::Object*)buffer, (NS::Object*)queue, (NS::Object*)device}) {
      o->release();
    }
    pool->release();
  }
};

// A library with one function constant, of int, and values for it.
struct Specialized {
  NS::AutoreleasePool* pool = NS::AutoreleasePool::alloc()->init();
  MTL::Device* device = MTL::CreateSystemDefaultDevice();
  MTL::FunctionConstantValues* values = MTL::FunctionConstantValues::alloc()->init();
  NS::Error* error = nullptr;
  MTL::Library* library = nullptr;
  Specialized() {
    softmetal_set_kernel_compiler(compile_by_name);
    auto* options = MTL::CompileOptions::alloc()->init();
    options->setLanguageVersion(MTL::LanguageVersion3_1);
    std::string source = "constant int n [[function_constant(3)]];\n" + make_increment()->msl;
    library = device->newLibrary(text(source.c_str()), options, &error);
    options->release();
  }
  void set(MTL::DataType type, NS::UInteger index) {
    const float one = 1;
    values->setConstantValue(&one, type, index);
  }
  MTL::Function* make(const char* name = "increment") {
    return library->newFunction(text(name), values, &error);
  }
  std::string said() const { return error->localizedDescription()->utf8String(); }
};

struct Case {
  const char* name;  // of the failure; the outcome begins with it
  std::function<void()> run;
};

}  // namespace

TEST_CASE("right use is fine") {
  CHECK(outcome([] {
          Bench b;
          b.dispatch(64);
          b.end();
        }) == "fine");
}

TEST_CASE("function constants as Metal takes them") {
  CHECK(outcome([] {
          Specialized s;
          REQUIRE(s.library);
          // Without a value; then with one more than is declared, which Metal ignores.
          REQUIRE(s.make() == nullptr);
          REQUIRE(s.said() == "function constant 'n' with index 3 has no value\n");
          s.set(MTL::DataTypeInt, 3);
          s.set(MTL::DataTypeFloat, 4);
          REQUIRE(s.make("stranger") == nullptr);
          REQUIRE(s.said() == "Function stranger was not found in the library");
          MTL::Function* function = s.make();
          REQUIRE(function);
          for (NS::Object* o : {(NS::Object*)function, (NS::Object*)s.library,
                                (NS::Object*)s.values, (NS::Object*)s.device}) {
            o->release();
          }
          s.pool->release();
        }) == "fine");
}

TEST_CASE("misuse has a name") {
  const Case cases[] = {
      {"unknown selector: -[MTLDevice newFence] is not implemented",
       [] { MTL::CreateSystemDefaultDevice()->newFence(); }},
      {"unknown selector: +[MTLHeapDescriptor alloc] is not implemented",
       [] { MTL::HeapDescriptor::alloc(); }},
      {"unknown selector: -[MTLCompileOptions setMathMode:] came with macOS 15, this is 14",
       [] {
         softmetal_set_os(14, 0);
         MTL::CompileOptions::alloc()->init()->setMathMode(MTL::MathModeSafe);
       }},
      {"over-release: -[MTLBuffer release] is sent to a freed object",
       [] {
         Bench b;
         b.buffer->release();
         b.buffer->release();
       }},
      {"use after free: -[MTLBuffer contents] is sent to a freed object",
       [] {
         Bench b;
         b.buffer->release();
         b.buffer->contents();
       }},
      {"leak: at the end live 1 MTLDevice", [] { MTL::CreateSystemDefaultDevice(); }},
      {"missing pool: NSString is autoreleased on a thread that has no NSAutoreleasePool",
       [] { text("x"); }},
      {"pool out of order",
       [] {
         auto* outer = NS::AutoreleasePool::alloc()->init();
         NS::AutoreleasePool::alloc()->init();
         outer->release();
       }},
      {"encoder not ended: a command buffer is committed with an open encoder",
       [] {
         Bench b;
         b.commands->commit();
       }},
      {"encoder not ended: an encoder is freed before endEncoding",
       [] {
         Bench b;
         b.pool->release();
       }},
      {"encoder not ended: a second encoder",
       [] {
         Bench b;
         b.commands->computeCommandEncoder();
       }},
      {"encoder ended",
       [] {
         Bench b;
         b.encoder->endEncoding();
         b.dispatch(64);
       }},
      {"bad index: -[MTLComputeCommandEncoder setBuffer:offset:atIndex:] of buffer 31",
       [] {
         Bench b;
         b.encoder->setBuffer(b.buffer, 0, 31);
       }},
      {"offset out of range: offset 256 of a buffer of 256 bytes",
       [] {
         Bench b;
         b.encoder->setBuffer(b.buffer, 256, 0);
       }},
      {"setBytes too large: setBytes of 4097 bytes",
       [] {
         Bench b;
         char bytes[5000] = {};
         b.encoder->setBytes(bytes, 4097, 0);
       }},
      {"group too large: 1025 threads per threadgroup",
       [] {
         Bench b;
         b.dispatch(1025);
       }},
      {"empty threadgroup",
       [] {
         Bench b;
         b.dispatch(0);
       }},
      {"constant type: function constant 'n' is declared as int and set as float",
       [] {
         Specialized s;
         s.set(MTL::DataTypeFloat, 3);
         s.make();
       }},
      {"constant type: 58 is no scalar type that this model knows",
       [] { Specialized().set(MTL::DataTypeTexture, 3); }},
      {"constant index: index 65536 is above 65535",
       [] { Specialized().set(MTL::DataTypeInt, 65536); }},
      {"null constant",
       [] { Specialized().values->setConstantValue(nullptr, MTL::DataTypeInt, NS::UInteger{3}); }},
      {"function not specialized: increment has function constants without values",
       [] {
         Specialized s;
         auto* descriptor = MTL::ComputePipelineDescriptor::alloc()->init();
         descriptor->setComputeFunction(s.library->newFunction(text("increment")));
         s.device->newComputePipelineState(descriptor, 0, nullptr, &s.error);
       }},
      {"too much threadgroup memory: 32784 bytes",
       [] {
         Bench b;
         b.encoder->setThreadgroupMemoryLength(32784, 0);
       }},
      {"no pipeline",
       [] {
         Bench b;
         b.encoder->dispatchThreads(MTL::Size(1, 1, 1), MTL::Size(1, 1, 1));
       }},
      {"missing binding: increment takes buffer 0, which is not set",
       [] {
         Bench b;
         b.encoder->setComputePipelineState(b.state);
         b.encoder->dispatchThreads(MTL::Size(1, 1, 1), MTL::Size(1, 1, 1));
       }},
      {"not committed",
       [] {
         Bench b;
         b.commands->waitUntilCompleted();
       }},
      {"already committed",
       [] {
         Bench b;
         b.encoder->endEncoding();
         b.commands->commit();
         b.commands->commit();
       }},
      {"too early: GPU time before the end",
       [] {
         Bench b;
         b.commands->GPUStartTime();
       }},
      {"unaligned memory",
       [] {
         Bench b;
         b.device->newBuffer((char*)b.buffer->contents() + 4, 4096, MTL::ResourceStorageModeShared,
                             nullptr);
       }},
      {"empty buffer",
       [] {
         Bench b;
         b.device->newBuffer(0, MTL::ResourceStorageModeShared);
       }},
      {"language version",
       [] {
         Bench b;
         NS::Error* error = nullptr;
         b.device->newLibrary(text("x"), MTL::CompileOptions::alloc()->init(), &error);
       }},
      {"null string", [] { NS::String::string(nullptr, NS::UTF8StringEncoding); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    std::string is = outcome(c.run);
    CAPTURE(is);
    CHECK(is.rfind(c.name, 0) == 0);
  }
}

TEST_CASE("blocks, literals and messages to null") {
  CHECK(outcome([] {
          Bench b;
          __block int called = 0;
          b.commands->addCompletedHandler(^(MTL::CommandBuffer* c) {
            called += c->status() == MTL::CommandBufferStatusCompleted;
          });
          int expected = 7, seen = 0;
          b.commands->addCompletedHandler(
              MTL::HandlerFunction([expected, &seen](MTL::CommandBuffer*) { seen = expected; }));
          b.dispatch(64);
          if (!null_answers_null()) std::abort();
          if (std::string((MTLSTR("literal"))->utf8String()) != "literal") std::abort();
          if (!text("literal")->isEqualToString(MTLSTR("literal"))) std::abort();
          Pages pages(4096);
          int freed = 0;
          int* count = &freed;
          auto* shared = b.device->newBuffer(pages.data(), 4096, MTL::ResourceStorageModeShared,
                                             ^(void*, NS::UInteger) {
                                               ++*count;
                                             });
          shared->release();
          b.end();
          if (called != 1 || seen != 7 || freed != 1) std::abort();
        }) == "fine");
}
