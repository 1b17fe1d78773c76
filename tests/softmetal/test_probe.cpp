// The probe for asynchronous copies: each way that it can end, and what is remembered of it.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <type_traits>

#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

// What a machine does with the probe. Its copies are those of probe.metal, written a second time.
enum class Machine { Right, NoClamp, Lazy };
Machine g_machine;

using Fault = std::invoke_result_t<decltype(softmetal_kernel::run), void*, const softmetal_launch*>;

Fault run_probe(void*, const softmetal_launch* l) {
  auto* in = static_cast<const uint32_t*>(l->bindings[0].data);
  auto* out = static_cast<uint32_t*>(l->bindings[1].data);
  if (l->threads[0] != 64 || l->grid[0] != 64) return {};
  for (size_t i = 0; i < 64; ++i) out[i] = in[i] ^ 0x5a5a5a5au;
  for (size_t y = 0; y < 8; ++y) {
    for (size_t x = 0; x < 12; ++x) {
      bool inside = (y < 7 && x < 10) || g_machine == Machine::NoClamp;
      if (g_machine != Machine::Lazy) {
        out[64 + y * 20 + x] = 1 + (inside ? in[64 + y * 16 + x] : 0);
      }
    }
  }
  for (size_t i = 0; i < 64; ++i) out[224 + i] = out[i] ^ out[64 + i];
  return {};
}

int compile(const char* source, const char* function, const softmetal_options* options,
            softmetal_kernel* kernel, char** messages) {
  if (std::string(function) != "probe_async_copy") {
    return compile_by_name(source, function, options, kernel, messages);
  }
  CHECK(options->msl_version == 310);
  CHECK(!options->fast_math);
  kernel->run = run_probe;
  return 0;
}

// A machine whose compiler knows the probe.
struct ProbeLab : Lab {
  explicit ProbeLab(Machine machine = Machine::Right) {
    g_machine = machine;
    softmetal_set_kernel_compiler(compile);
  }
  ~ProbeLab() { softmetal_clear_faults(); }
  std::filesystem::path entry() const {
    return std::filesystem::path(cache()) / "probe" / "async_copy";
  }
};

AsyncCopy outcome() {
  auto runtime = make_metal_runtime();
  Pages a(64, 4);  // whatever it was, kernels run
  runtime->prepare(make_increment(), {a.binding()})->dispatch({64}, {64});
  CHECK(a[63] == 1);
  return runtime->capabilities().async_copy;
}

uint64_t compiled() { return softmetal_get_statistics().libraries; }

}  // namespace

TEST_CASE("every macOS has its spelling") {
  for (int os : {14, 15, 26, 27}) {
    CAPTURE(os);
    ProbeLab lab;
    softmetal_set_os(os, 0);
    CHECK(outcome() == (os < 26    ? AsyncCopy::Air
                        : os == 26 ? AsyncCopy::EscapedAir
                                   : AsyncCopy::Cooperative));
  }
}

TEST_CASE("a compiler refuses") {
  {
    ProbeLab lab;
    softmetal_inject("async copy refused", 2, 0);
    CHECK(outcome() == AsyncCopy::Cooperative);
  }
  {
    ProbeLab lab;
    softmetal_inject("async copy escaped only", 1, 0);
    CHECK(outcome() == AsyncCopy::EscapedAir);
  }
  {
    ProbeLab lab;
    softmetal_inject("pipeline error", 2, 0);
    CHECK(outcome() == AsyncCopy::Cooperative);
  }
  {
    ProbeLab lab;  // the second compiler refuses what the first took
    softmetal_inject("pipeline error", 1, 0);
    CHECK(outcome() == AsyncCopy::EscapedAir);
  }
  {
    ProbeLab lab;
    softmetal_set_kernel_compiler(compile_by_name);  // knows no such kernel
    CHECK(outcome() == AsyncCopy::Cooperative);
  }
}

TEST_CASE("the copies are wrong") {
  for (Machine machine : {Machine::NoClamp, Machine::Lazy}) {
    ProbeLab lab(machine);
    const uint64_t before = compiled();
    CHECK(outcome() == AsyncCopy::Cooperative);
    CHECK(compiled() == before + 2);  // the probe once, since the other spelling means the same
  }
}

TEST_CASE("the GPU fails") {
  for (const char* fault : {"command buffer error", "timeout", "page fault", "out of memory"}) {
    CAPTURE(fault);
    ProbeLab lab;
    softmetal_inject(fault, 1, 0);
    CHECK(outcome() == AsyncCopy::Cooperative);
    CHECK(outcome() == AsyncCopy::Cooperative);
  }
}

TEST_CASE("the GPU hangs") {
  ProbeLab lab;
  softmetal_hold(1);
  auto runtime = make_metal_runtime();
  CHECK(runtime->capabilities().async_copy == AsyncCopy::Cooperative);
  softmetal_hold(0);
  Pages a(64, 4);
  runtime->prepare(make_increment(), {a.binding()})->dispatch({64}, {64});
  CHECK(a[63] == 1);
  runtime.reset();
  // The command buffer that nobody waited for goes when it ends.
  for (int i = 0; softmetal_live_objects() > 0 && i < 5000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("the outcome is kept for this device, this macOS and this text") {
  ProbeLab lab;
  uint64_t before = compiled();
  CHECK(outcome() == AsyncCopy::Air);
  CHECK(compiled() == before + 2);
  g_machine = Machine::Lazy;  // it is not asked again
  before = compiled();
  CHECK(outcome() == AsyncCopy::Air);
  CHECK(compiled() == before + 1);
  softmetal_set_os(15, 1);
  CHECK(outcome() == AsyncCopy::Cooperative);
  before = compiled();
  CHECK(outcome() == AsyncCopy::Cooperative);
  CHECK(compiled() == before + 1);
  g_machine = Machine::Right;
  softmetal_set_os(15, 0);
  CHECK(outcome() == AsyncCopy::Air);
}

TEST_CASE("a damaged entry is probed again") {
  ProbeLab lab;
  CHECK(outcome() == AsyncCopy::Air);
  auto read = [&] {
    std::ifstream stream(lab.entry(), std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(stream), {}};
  };
  const std::string whole = read();
  CHECK(whole.rfind("air\nSoftware Metal\nVersion 15.0 (Build SOFT1)\n#include", 0) == 0);
  std::string other = whole, cut = whole.substr(0, whole.size() / 2);
  other[whole.size() / 2] ^= 1;
  for (const std::string& damaged : {std::string(), std::string("air\n"), cut, other, whole + "x",
                                     "escaped " + whole.substr(0, whole.size() - 1)}) {
    std::ofstream(lab.entry(), std::ios::binary) << damaged;
    CHECK(outcome() == AsyncCopy::Air);
    CHECK(read() == whole);
  }
  // Nothing lies beside it: drafts are gone.
  auto files = std::filesystem::directory_iterator(lab.entry().parent_path());
  CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("what could not be tried is not kept") {
  // The runtime's own queue is the first.
  const std::pair<const char*, uint32_t> cases[] = {{"no queue", 1},
                                                    {"buffer allocation", 0},
                                                    {"buffer allocation", 1},
                                                    {"no command buffer", 0}};
  for (auto [fault, skip] : cases) {
    CAPTURE(fault);
    ProbeLab lab;
    softmetal_inject(fault, 1, skip);
    CHECK(outcome() == AsyncCopy::Cooperative);
    CHECK(!std::filesystem::exists(lab.entry()));
    CHECK(outcome() == AsyncCopy::Air);
  }
}

TEST_CASE("nowhere to keep it") {
  ProbeLab lab;
  std::ofstream(lab.cache() + "/file") << "x";
  setenv("ENIGMA_CACHE_DIR", (lab.cache() + "/file/folder").c_str(), 1);
  CHECK(outcome() == AsyncCopy::Air);
  CHECK(outcome() == AsyncCopy::Air);
  unsetenv("ENIGMA_CACHE_DIR");
  const char* home = std::getenv("HOME");
  const std::string kept = home ? home : "";
  unsetenv("HOME");
  CHECK(outcome() == AsyncCopy::Air);
  if (home) setenv("HOME", kept.c_str(), 1);
}

TEST_CASE("eight threads make their first runtime at once") {
  ProbeLab lab;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back(
        [&] { right += make_metal_runtime()->capabilities().async_copy == AsyncCopy::Air; });
  }
  for (std::thread& t : threads) t.join();
  CHECK(right == 8);
}
