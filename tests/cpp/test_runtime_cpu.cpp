// The CPU runtime: results, checks, faults and cost of a dispatch, with kernels written in C.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "enigma/runtime.h"
#include "test_runtime_objects.h"

using namespace enigma;
using testing::compile_c;
using testing::make_saxpy;

namespace {

std::shared_ptr<Runtime> make_runtime(uint32_t threads = 2) {
  return make_cpu_runtime([](const std::string& text) { return compile_c(text); }, threads);
}

template <class T>
Binding binding(std::vector<T>& v) {
  return {v.data(), v.size() * sizeof(T), nullptr};
}

struct Saxpy {
  float a = 2;
  std::vector<float> x, y, out;
  std::shared_ptr<Artifact> artifact = make_saxpy();
  std::unique_ptr<Prepared> prepared;

  Saxpy(Runtime& runtime, size_t n) : x(n), y(n), out(n, -1.0f) {
    for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i), y[i] = 1;
    prepared = runtime.prepare(artifact, arguments());
  }
  std::vector<Binding> arguments() {
    return {{&a, 4, nullptr}, binding(x), binding(y), binding(out)};
  }
  bool right(float factor = 2) const {
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i] != factor * static_cast<float>(i) + 1) return false;
    }
    return true;
  }
};

// The message of the Error that f throws, with its place; "" when it throws none.
template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    std::string where = e.where().line ? e.where().file + ":" + std::to_string(e.where().line) : "";
    return std::string(e.what()) + (where.empty() ? "" : " @ " + where);
  }
  return "";
}

}  // namespace

TEST_CASE("capabilities of the CPU device") {
  auto runtime = make_runtime(2);
  const DeviceCapabilities& c = runtime->capabilities();
  CHECK(c.backend == "cpu");
  CHECK(c.name == "CPU (2 threads, " + c.family + ")");
  CHECK(c.max_buffer_bytes > (uint64_t{1} << 28));
  CHECK(c.unified_memory);
  CHECK(make_runtime(1)->capabilities().name == "CPU (1 thread, " + c.family + ")");
  CHECK(make_runtime(0)->capabilities().name.rfind("CPU (", 0) == 0);
  CHECK(message([] { make_runtime(5000); }) ==
        "threads is 5000; the CPU device takes at most 1024");
}

TEST_CASE("no Metal device here") {
#if !defined(__APPLE__) && !defined(ENIGMA_SOFTMETAL)
  CHECK(message([] { make_metal_runtime(); }) ==
        "there is no Metal device here: Metal needs macOS on Apple silicon. To run on the CPU, use "
        "enigma.CpuRuntime() instead of enigma.MetalRuntime(), or set ENIGMA_DEVICE=cpu");
#endif
}

TEST_CASE("saxpy of every size and group") {
  auto runtime = make_runtime();
  for (size_t n : {1, 31, 33, 255, 257, 1000003}) {
    for (uint32_t threads : {1, 32, 256, 1024}) {
      CAPTURE(n);
      CAPTURE(threads);
      Saxpy s(*runtime, n);
      s.prepared->dispatch({static_cast<uint32_t>(n)}, {threads});
      CHECK(s.right());
    }
  }
}

TEST_CASE("dispatch_timed, read, bind, batch") {
  auto runtime = make_runtime();
  Saxpy s(*runtime, 1000);
  CHECK(s.prepared->dispatch_timed({1000}, {256}) >= 0);
  CHECK(s.right());
  CHECK(s.prepared->read(3).data == s.out.data());
  CHECK(s.prepared->read(3).bytes == 4000);
  CHECK(*static_cast<const float*>(s.prepared->read(0).data) == 2);

  float three = 3;
  s.prepared->bind(0, {&three, 4, nullptr});
  three = 100;  // scalars were copied
  std::vector<float> other(2000, -1);
  s.prepared->bind(3, binding(other));
  s.prepared->dispatch({1000}, {256}, false);
  runtime->synchronize();
  CHECK(other[999] == 3 * 999 + 1);
  CHECK(other[1000] == -1);
  CHECK(s.right());  // the old memory is no longer written

  Saxpy t(*runtime, 64);
  Launch batch[] = {{s.prepared.get(), {10}, {32}}, {t.prepared.get(), {64}, {32}}};
  runtime->dispatch_batch(batch);
  CHECK(t.right());
  auto second = make_runtime();
  CHECK(message([&] { second->dispatch_batch(batch); }) ==
        "dispatch_batch takes kernels that this runtime prepared");
  t.out.assign(64, -1);
  Launch bad[] = {{t.prepared.get(), {64}, {32}}, {s.prepared.get(), {0}, {32}}};
  CHECK(message([&] { runtime->dispatch_batch(bad); }).find("grid is (0, 1, 1)") !=
        std::string::npos);
  CHECK(t.out[0] == -1);  // nothing of the batch ran
}

TEST_CASE("a binding's owner is kept and let go") {
  auto runtime = make_runtime();
  auto owner = std::make_shared<int>(1);
  Saxpy s(*runtime, 8);
  s.prepared->bind(1, {s.x.data(), 32, owner});
  CHECK(owner.use_count() == 2);
  s.prepared->bind(1, binding(s.x));
  CHECK(owner.use_count() == 1);
  s.prepared->bind(1, {s.x.data(), 32, owner});
  CHECK(message([&] { s.prepared->bind(1, {s.x.data(), 3, nullptr}); }) != "");
  CHECK(owner.use_count() == 2);  // a refused binding changes nothing
  s.prepared.reset();
  CHECK(owner.use_count() == 1);
}

TEST_CASE("what is wrong with arguments is said before anything runs") {
  auto runtime = make_runtime();
  Saxpy s(*runtime, 8);
  auto refuse = [&](uint32_t param, Binding b) {
    return message([&] { s.prepared->bind(param, b); });
  };
  CHECK(refuse(1, {}) == "saxpy: X is bound to no memory; it needs at least 1 element of float32");
  CHECK(refuse(1, {s.x.data(), 0, nullptr}) ==
        "saxpy: X is bound to no memory; it needs at least 1 element of float32");
  CHECK(refuse(1, {s.x.data(), 30, nullptr}) ==
        "saxpy: X has 30 bytes, which is no multiple of the 4 bytes of a float32");
  CHECK(refuse(0, {s.x.data(), 8, nullptr}) == "saxpy: a is a Scalar: pass 1 element, not 2");
  CHECK(refuse(2, {reinterpret_cast<char*>(s.x.data()) + 2, 8, nullptr}) ==
        "saxpy: Y begins at an address that is no multiple of 4; pass a copy of the array");
  CHECK(refuse(4, binding(s.x)) == "saxpy has no parameter 4; it has 4, counted from 0");
  CHECK(message([&] { s.prepared->read(9); }) ==
        "saxpy has no parameter 9; it has 4, counted from 0");
  CHECK(message([&] { runtime->prepare(s.artifact, {}); }) ==
        "saxpy takes 4 arguments (a, X, Y, Out), but 0 were given");
  s.prepared->dispatch({8}, {32});
  CHECK(s.right());
}

TEST_CASE("sizes are checked before anything runs") {
  auto runtime = make_runtime();
  Saxpy s(*runtime, 8);
  auto refuse = [&](Dim3 grid, Dim3 threads) {
    std::string text = message([&] { s.prepared->dispatch(grid, threads); });
    CHECK(text == message([&] { s.prepared->dispatch_timed(grid, threads); }));
    CHECK(s.out[0] == -1);
    return text.substr(0, text.find(';'));
  };
  CHECK(refuse({0}, {32}) == "saxpy: grid is (0, 1, 1)");
  CHECK(refuse({8, 0}, {32}) == "saxpy: grid is (8, 0, 1)");
  CHECK(refuse({8}, {32, 1, 0}) == "saxpy: threads is (32, 1, 0)");
  CHECK(refuse({8}, {32, 33}).find("1056 threads per threadgroup") != std::string::npos);
  CHECK(refuse({8}, {1u << 16, 1u << 16, 1u << 16}) != "");
  CHECK(refuse({~0u, ~0u, ~0u}, {1}) != "");
  CHECK(refuse({1u << 22, 1u << 21, 1u << 21}, {1}).find("more than 2^62") != std::string::npos);
  s.artifact->threadgroup_bytes = 32769;
  CHECK(refuse({8}, {32}).find("32769 bytes of threadgroup memory") != std::string::npos);
  s.artifact->threadgroup_bytes = 32768;
  s.prepared->dispatch({8}, {32});
  CHECK(s.right());
}

TEST_CASE("a fault of a kernel is an error with its place, and the runtime works on") {
  auto runtime = make_runtime();
  for (uint32_t threads : {64, 1024}) {
    Saxpy s(*runtime, 1000);
    for (int i = 0; i < 3; ++i) {
      CHECK(message([&] { s.prepared->dispatch({1001}, {threads}); }) ==
            "saxpy: Out[1000] is out of bounds (Out has 1000 elements), thread (1000, 0, 0) @ "
            "kernels.py:12");
      s.out.assign(1000, 0);
      s.prepared->dispatch({1000}, {threads});
      CHECK(s.right());
    }
  }
  Saxpy one(*runtime, 1);
  CHECK(message([&] { one.prepared->dispatch({1u << 24}, {32}); }).find("(Out has 1 element)") !=
        std::string::npos);
}

TEST_CASE("other faults") {
  auto artifact = std::make_shared<Artifact>();
  artifact->kernel_name = "broken";
  artifact->locations = {{"kernels.py", 7}};
  artifact->params = {{"which", 0, DType::U32, true, true, false}};
  artifact->cpu = [](const std::string&, const CpuVariant&) {
    return CpuCode{testing::kKernelPrelude + R"(
void broken(const u64* args, i64 begin, i64 end, void* scratch) {
  if (args[7] == 1) fail(args, 1, 0, 0x102, -1, 64, 5);
  if (args[7] == 2) fail(args, 2, 0, 0, 0, 0, 32);
  if (args[7] == 3) fail(args, 9, 0, 0, 0, 0, 0);
})",
                   "broken", 0};
  };
  auto runtime = make_runtime();
  auto run = [&](uint32_t which) {
    auto prepared = runtime->prepare(artifact, {{&which, 4, nullptr}});
    return message([&] { prepared->dispatch({1}, {32}); });
  };
  CHECK(run(0) == "");
  CHECK(run(1) ==
        "broken: threadgroup memory 2[-1] is out of bounds (threadgroup memory 2 has 64 elements), "
        "thread (5, 0, 0) @ kernels.py:7");
  CHECK(run(2) ==
        "broken: barrier not reached by all threads of the threadgroup that begins at thread "
        "(32, 0, 0); move it out of the condition or loop @ kernels.py:7");
  CHECK_THROWS_AS(run(3), InternalError);
}

TEST_CASE("a variant is compiled once, whoever asks") {
  std::atomic<int> compiled{0};
  auto runtime = make_cpu_runtime(
      [&](const std::string& text) {
        ++compiled;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return compile_c(text);
      },
      2);
  auto artifact = make_saxpy();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      Saxpy s(*runtime, 512);
      s.prepared = runtime->prepare(artifact, s.arguments());
      for (int i = 0; i < 50; ++i) s.prepared->dispatch({512}, {64});
      wrong += !s.right();
    });
  }
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
  CHECK(compiled == 1);
  Saxpy s(*runtime, 512);
  s.prepared = runtime->prepare(artifact, s.arguments());
  s.prepared->dispatch({100}, {64});  // with edges
  s.prepared->dispatch({128}, {128});
  s.prepared->dispatch({512}, {64});
  CHECK(compiled == 3);
}

TEST_CASE("code is dropped with its artifact") {
  auto runtime = make_runtime(1);
  for (int i = 0; i < 500; ++i) {
    Saxpy s(*runtime, 4);
    s.prepared->dispatch({4}, {32});
    CHECK(s.right());
  }
  // An artifact at the address of one that is gone has code of its own.
  auto other = make_saxpy();
  other->cpu = [](const std::string&, const CpuVariant&) {
    return CpuCode{"int other;", "nothing", 0};
  };
  std::vector<float> in(4), out(4);
  float a = 1;
  auto prepared =
      runtime->prepare(other, {{&a, 4, nullptr}, binding(in), binding(in), binding(out)});
  CHECK_THROWS_AS(prepared->dispatch({4}, {32}), InternalError);
}

TEST_CASE("memory that is written overlaps no other argument") {
  auto runtime = make_runtime(1);
  std::vector<float> in(4), out(8);
  float a = 1;
  Binding low{out.data(), 16, nullptr}, high{out.data() + 4, 16, nullptr},
      middle{out.data() + 3, 16, nullptr};
  auto prepared = runtime->prepare(make_saxpy(), {{&a, 4, nullptr}, low, low, high});
  prepared->dispatch({4}, {32});
  prepared->bind(3, middle);
  CHECK(
      message([&] { prepared->dispatch({4}, {32}); }) ==
      "saxpy: Out, which the kernel writes, overlaps X in memory; pass a copy, or give the kernel "
      "one parameter that it both reads and writes");
  prepared->bind(3, high);
  prepared->dispatch({4}, {32});
}

TEST_CASE("what goes wrong in the compiler reaches the caller, and may be tried again") {
  int calls = 0;
  auto runtime = make_cpu_runtime(
      [&](const std::string& text) -> std::string {
        if (++calls == 1) throw Error("llvmlite is not installed");
        if (calls == 2) return "rubbish";
        return compile_c(text);
      },
      2);
  Saxpy s(*runtime, 8);
  CHECK(message([&] { s.prepared->dispatch({8}, {32}); }) == "llvmlite is not installed");
  CHECK(message([&] { s.prepared->dispatch({8}, {32}); }) ==
        "object code is damaged: it ends too early");
  s.prepared->dispatch({8}, {32});
  CHECK(s.right());
  Saxpy t(*make_cpu_runtime(nullptr), 8);
  CHECK(message([&] { t.prepared->dispatch({8}, {32}); }) ==
        "saxpy: the CPU device has no compiler; give make_cpu_runtime one");
}

TEST_CASE("a prepared kernel outlives its runtime, and threads may share it") {
  auto runtime = make_runtime();
  Saxpy s(*runtime, 4096);
  runtime.reset();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        s.prepared->dispatch({4096u - static_cast<uint32_t>(t % 2) * 7}, {256});
        if (t == 0) s.prepared->bind(1, binding(s.x));
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(s.right());
}

TEST_CASE("integer scalars bound the launch checks") {
  // Out[i + offset] for every thread i: known before the launch.
  auto artifact = std::make_shared<Artifact>();
  artifact->kernel_name = "shift";
  artifact->locations = {{"kernels.py", 3}};
  artifact->params = {{"offset", 0, DType::I16, true, true, false},
                      {"Out", 1, DType::U8, false, false, true}};
  artifact->bounds = {{1, 0, {{1, {IndexTerm::kPositionX}}, {1, {IndexTerm::kScalar + 0u}}}}};
  artifact->cpu = [](const std::string&, const CpuVariant&) {
    return CpuCode{"void shift(const void* a, long long b, long long e, void* s) {}", "shift", 0};
  };
  auto runtime = make_runtime();
  std::vector<uint8_t> out(10);
  int16_t offset = 0;
  auto prepared = runtime->prepare(artifact, {{&offset, 2, nullptr}, binding(out)});
  auto run = [&](int16_t o, uint32_t n) {
    prepared->bind(0, {&o, 2, nullptr});
    return message([&] { prepared->dispatch({n}, {32}); });
  };
  CHECK(run(0, 10) == "");
  CHECK(run(4, 6) == "");
  CHECK(run(5, 6).find("reach index 10") != std::string::npos);
  CHECK(run(-1, 6).find("reach index -1") != std::string::npos);
  CHECK(run(0, 10) == "");
}
