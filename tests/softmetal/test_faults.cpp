// What fails in Metal becomes an Error that says what to do, frees everything, and does not last.
#include <doctest/doctest.h>

#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

void works(Runtime& runtime) {
  Pages a(64, 4);
  auto p = runtime.prepare(make_increment(), {a.binding()});
  p->dispatch({64}, {64});
  CHECK(a[63] == 1);
}

}  // namespace

TEST_CASE("no device, no queue") {
  Lab lab;
  softmetal_inject("no device", 2, 0);  // neither a default nor another
  contains(message([] { make_metal_runtime(); }),
           "there is no Metal device here; to run on the CPU");
  softmetal_inject("no queue", 1, 0);
  contains(message([] { make_metal_runtime(); }), "Metal gave no command queue");
  works(*make_metal_runtime());
}

TEST_CASE("the MSL is refused") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  softmetal_inject("library error", 1, 0);
  CHECK(
      message([&] { runtime->prepare(make_increment(), {binding(a)}); }) ==
      "increment: Metal did not compile the kernel: injected error, in line 6 of its MSL: A[gid.x]"
      " += 1;  // kernels.py:12 @ dir/kernels.py:12");
  auto unknown = make_increment();
  unknown->msl = "kernel void stranger(device int* A [[buffer(0)]]) {\n}\n";
  unknown->msl_name = "stranger";
  contains(message([&] { runtime->prepare(unknown, {binding(a)}); }), "unknown kernel");
  works(*runtime);
}

TEST_CASE("warnings are no errors") {
  Lab lab;
  auto runtime = make_metal_runtime();
  softmetal_inject("library warning", 1, 0);
  works(*runtime);
}

TEST_CASE("the line of a loop is that of the comment below it") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  auto kernel = make_increment();
  // Injected errors are in line 6.
  kernel->msl =
      "\n\nkernel void increment(device float* A [[buffer(0)]]) {\n    int i;  // k.py:1\n"
      "\n    for (;;) {\n        // k.py:7\n        A[0] = 1;  // k.py:8\n    }\n}\n";
  softmetal_inject("library error", 1, 0);
  contains(message([&] { runtime->prepare(kernel, {binding(a)}); }), "@ k.py:7");
  kernel->msl =
      "\n\nkernel void increment(device float* A [[buffer(0)]]) {\n    int i;  // k.py:1\n"
      "\n    int j;\n}\n";
  softmetal_inject("library error", 1, 0);
  contains(message([&] { runtime->prepare(kernel, {binding(a)}); }), "@ k.py:1");
}

TEST_CASE("the second compiler fails") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  softmetal_inject("pipeline error", 1, 0);
  CHECK(
      message([&] { runtime->prepare(make_increment(), {binding(a)}); }) ==
      "increment: Metal made no pipeline of the compiled kernel: Compiler encountered an internal "
      "error (AGXMetalSoft, code 3) @ dir/kernels.py:12");
  works(*runtime);
}

TEST_CASE("archives are a help, not a need") {
  Lab lab;
  auto runtime = make_metal_runtime();
  softmetal_inject("archive error", 1, 0);
  works(*runtime);
}

TEST_CASE("memory") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> x(7), y(9);
  for (uint32_t skip : {0u, 1u}) {
    softmetal_inject("buffer allocation", 1, skip);
    softmetal_inject("no-copy refused", 2, 0);
    const char* name =
        skip == 0 ? "x: Metal has no memory for 28 bytes" : "y: Metal has no memory for 36 bytes";
    contains(message([&] { runtime->prepare(make_spread(), {binding(x), binding(y)}); }),
             std::string("spread: ") + name);
    softmetal_clear_faults();
  }
  works(*runtime);
  Binding huge{x.data(), size_t{1} << 40, nullptr};
  contains(message([&] { runtime->prepare(make_increment(), {huge}); }),
           "increment: A has 1099511627776 bytes, but a buffer of Software Metal has at most");
}

TEST_CASE("no command buffer") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Pages a(64, 4);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  softmetal_inject("no command buffer", 1, 0);
  contains(message([&] { p->dispatch({64}, {64}); }), "Metal gave no command buffer");
  p->dispatch({64}, {64});
  CHECK(a[0] == 1);
}

TEST_CASE("the GPU fails") {
  Lab lab;
  auto runtime = make_metal_runtime();
  struct Case {
    const char* fault;
    const char* says;
  };
  for (size_t offset : {size_t{0}, size_t{4}}) {
    for (const Case& c :
         {Case{"timeout", "increment ran for so long that the system stopped it"},
          Case{"page fault", "increment touched memory outside of its buffers"},
          Case{"out of memory", "increment needs more memory than the GPU has free"},
          Case{"command buffer error", "increment failed on the GPU"}}) {
      CAPTURE(c.fault);
      Pages a(64, offset);
      auto p = runtime->prepare(make_increment(), {a.binding()});
      softmetal_inject(c.fault, 1, 0);
      contains(message([&] { p->dispatch({64}, {64}); }), c.says);
      CHECK(a[0] == 0);
      softmetal_inject(c.fault, 1, 0);
      contains(message([&] { p->dispatch_timed({64}, {64}); }), c.says);
      softmetal_inject(c.fault, 1, 0);
      Launch launches[] = {{p.get(), {64}, {64}}, {p.get(), {64}, {64}}};
      contains(message([&] { runtime->dispatch_batch(launches); }), c.says);
      // Told where one waits, once.
      softmetal_inject(c.fault, 1, 0);
      p->dispatch({64}, {64}, false);
      contains(message([&] { runtime->synchronize(); }), c.says);
      runtime->synchronize();
      softmetal_inject(c.fault, 1, 0);
      p->dispatch({64}, {64}, false);
      contains(message([&] { p->read(0); }), c.says);
      softmetal_inject(c.fault, 1, 0);
      p->dispatch({64}, {64}, false);
      contains(message([&] { p->dispatch({64}, {64}); }), c.says);
      p->dispatch({64}, {64});
      CHECK(a[0] == 2);
      works(*runtime);
    }
  }
}

TEST_CASE("an error is told to those whom it concerns") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Pages a(64, 4), b(64, 4), c(64, 4);
  auto first = runtime->prepare(make_increment(), {a.binding()});
  auto heir = runtime->prepare(make_spread(), {a.binding(), b.binding()});
  auto stranger = runtime->prepare(make_increment(), {c.binding()});
  softmetal_inject("timeout", 1, 0);
  first->dispatch({64}, {64}, false);
  stranger->dispatch({64}, {64});
  CHECK(c[0] == 1);
  stranger->read(0);
  contains(message([&] { heir->dispatch({64}, {64}); }), "increment ran for so long");
  heir->dispatch({64}, {64});
  runtime->synchronize();
}

TEST_CASE("a fault of the kernel has its text") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  auto p = runtime->prepare(make_faulty(), {binding(a)});
  contains(message([&] { p->dispatch({4}, {4}); }),
           "faulty touched memory outside of its buffers; look for an index out of bounds: faulty: "
           "A[9] is out of bounds (A has 4 elements) (MTLCommandBufferErrorDomain, code 3) @ "
           "dir/kernels.py:12");
  works(*runtime);
}

TEST_CASE("what shader validation logs is an error, though the command buffer completes") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4), b(4);
  auto p = runtime->prepare(make_validated(), {binding(a)});
  auto q = runtime->prepare(make_increment(), {binding(b)});
  Launch launches[] = {{q.get(), {4}, {4}}, {p.get(), {4}, {4}}};
  contains(message([&] { runtime->dispatch_batch(launches); }),
           "increment, validated: Metal's shader validation has found a fault: A[9] is read @ "
           "dir/kernels.py:12");
  works(*runtime);
}

TEST_CASE("every fault at every moment frees everything") {
  Lab lab;
  const char* faults[] = {"no queue",       "no command buffer", "library error",
                          "pipeline error", "buffer allocation", "no-copy refused",
                          "archive error",  "timeout",           "page fault",
                          "out of memory",  "library warning",   "command buffer error"};
  for (const char* fault : faults) {
    for (uint32_t skip = 0; skip < 9; ++skip) {
      CAPTURE(fault);
      CAPTURE(skip);
      softmetal_inject(fault, 1, skip);
      message([&] {
        auto runtime = make_metal_runtime();
        Pages a(64, 4), b(64, 0);
        auto p = runtime->prepare(make_increment(), {a.binding()});
        auto q = runtime->prepare(make_spread(), {a.binding(), b.binding()});
        for (int i = 0; i < 3; ++i) {
          p->dispatch({64}, {64}, false);
          q->dispatch({64}, {64}, i == 2);
        }
        Launch launches[] = {{p.get(), {64}, {64}}, {q.get(), {64}, {64}}};
        runtime->dispatch_batch(launches);
      });
      softmetal_clear_faults();
      CHECK(softmetal_live_objects() == 0);
    }
  }
}
