// Function constants on the Metal runtime: their values reach the compiler, each set of them makes
// a pipeline of its own, and all of these come from one library.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "enigma/builder.h"
#include "enigma/compile.h"
#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

using Values = std::map<uint32_t, std::pair<uint32_t, uint64_t>>;  // by index: bytes, bits
std::mutex values_mutex;
Values last_values;  // that the compiler was given

// Out[i] = the value of constant 0, which the context holds.
softmetal_fault fill(void* context, const softmetal_launch* l) {
  for (uint32_t i = 0; i < l->grid[0]; ++i) {
    static_cast<uint32_t*>(l->bindings[0].data)[i] = *static_cast<uint32_t*>(context);
  }
  return {};
}

int compile_fill(const char*, const char*, const softmetal_options* options,
                 softmetal_kernel* kernel, char**) {
  std::lock_guard lock(values_mutex);
  last_values.clear();
  for (uint32_t k = 0; k < options->constant_count; ++k) {
    const softmetal_constant& c = options->constants[k];
    last_values[c.index] = {c.bytes, c.bits};
  }
  const auto value = static_cast<uint32_t>(last_values.at(0).second);
  kernel->context = new uint32_t(value);
  kernel->destroy = [](void* context) { delete static_cast<uint32_t*>(context); };
  kernel->run = fill;
  return 0;
}

int refuse(const char*, const char*, const softmetal_options*, softmetal_kernel*, char** messages) {
  *messages = strdup("program_source:4:13: error: unknown kernel");
  return 1;
}

// Out[tid] = n, where n is constant 0, of u32; constants of all types follow it by index.
std::shared_ptr<const Artifact> filling(bool all_types = false) {
  Builder b("filling");
  ValueId out = b.buffer("Out", DType::U32);
  ValueId n = b.function_constant(DType::U32, 0);
  b.set_name(n, "n");
  b.store(out, b.query(Op::ThreadPositionInGrid), n);
  if (all_types) {
    for (const DTypeInfo& t : kDTypes) b.function_constant(t.dtype, 1 + int64_t(t.dtype));
  }
  return compile(b.finish());
}

struct Bench {
  Lab lab;
  std::vector<uint32_t> out = std::vector<uint32_t>(64);
  Bench() { softmetal_set_kernel_compiler(compile_fill); }

  // Libraries, pipelines and archive hits that it takes to fill with n.
  std::vector<uint64_t> filled(Runtime& runtime, uint32_t n) {
    const auto before = softmetal_get_statistics();
    auto p = runtime.prepare(filling(), {binding(out)}, {{0, DType::U32, n}});
    p->dispatch({64}, {32});
    CHECK(out == std::vector<uint32_t>(64, n));
    const auto after = softmetal_get_statistics();
    return {after.libraries - before.libraries, after.pipelines - before.pipelines,
            after.archive_hits - before.archive_hits};
  }
};

using Counts = std::vector<uint64_t>;

}  // namespace

TEST_CASE("two sets of values are two pipelines, of one library") {
  Bench bench;
  auto runtime = make_metal_runtime();
  CHECK(bench.filled(*runtime, 3) == Counts{1, 1, 0});
  CHECK(bench.filled(*runtime, 4) == Counts{0, 1, 0});
  CHECK(bench.filled(*runtime, 3) == Counts{0, 0, 0});
  CHECK(bench.filled(*runtime, 4) == Counts{0, 0, 0});
  // Both are on the disk, for the next process.
  auto next = make_metal_runtime();
  CHECK(bench.filled(*next, 4) == Counts{1, 0, 1});
  CHECK(bench.filled(*next, 5) == Counts{0, 1, 0});
  CHECK(bench.filled(*next, 3) == Counts{0, 0, 1});
  size_t archives = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(bench.lab.cache() + "/metal")) {
    ++archives;
  }
  CHECK(archives == 3);
}

TEST_CASE("prepared kernels keep their values") {
  Bench bench;
  auto runtime = make_metal_runtime();
  std::vector<uint32_t> a(32), b(32);
  auto seven = runtime->prepare(filling(), {binding(a)}, {{0, DType::U32, 7}});
  auto eight = runtime->prepare(filling(), {binding(b)}, {{0, DType::U32, 8}});
  Launch launches[] = {{seven.get(), {32}, {32}}, {eight.get(), {32}, {32}}};
  runtime->dispatch_batch(launches);
  CHECK(a == std::vector<uint32_t>(32, 7));
  CHECK(b == std::vector<uint32_t>(32, 8));
  seven->bind(0, binding(b));
  seven->dispatch({32}, {32});
  CHECK(b == std::vector<uint32_t>(32, 7));
}

TEST_CASE("eight threads that ask for other values at once share the library") {
  Bench bench;
  auto runtime = make_metal_runtime();
  const auto before = softmetal_get_statistics();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t round = 0; round < 4; ++round) {
        std::vector<uint32_t> out(33);
        const uint32_t n = (t + round) % 8;
        auto p = runtime->prepare(filling(), {binding(out)}, {{0, DType::U32, n}});
        p->dispatch({33}, {32});
        if (out != std::vector<uint32_t>(33, n)) ++wrong;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
  const auto after = softmetal_get_statistics();
  CHECK(after.libraries - before.libraries == 1);
  CHECK(after.pipelines - before.pipelines == 8);
}

TEST_CASE("a value of every type arrives as the MSL declares it") {
  Bench bench;
  auto runtime = make_metal_runtime();
  auto kernel = filling(true);
  REQUIRE(kernel->constants.size() == 1 + kNumDTypes);
  std::vector<ConstantValue> values;
  for (const ConstantInfo& c : kernel->constants) {
    const uint64_t pattern = 0x8182838485868788 + c.index;
    const int bits = info(c.dtype).bits;
    values.push_back(
        {c.index, c.dtype, c.dtype == DType::B1 ? 1 : pattern & UINT64_MAX >> (64 - bits)});
  }
  runtime->prepare(kernel, {binding(bench.out)}, values);
  REQUIRE(last_values.size() == values.size());
  for (const ConstantValue& v : values) {
    CAPTURE(info(v.dtype).mnemonic);
    CHECK(last_values[v.index].first == static_cast<uint32_t>(byte_size(v.dtype)));
    CHECK(last_values[v.index].second == v.bits);
  }
}

TEST_CASE("values are checked before Metal sees them") {
  Bench bench;
  auto runtime = make_metal_runtime();
  const auto before = softmetal_get_statistics();
  CHECK(message([&] { runtime->prepare(filling(), {binding(bench.out)}); }) ==
        "filling: no value is given for function constant 0 (n, u32); prepare and execute take it "
        "as constants={0: value}");
  CHECK(message([&] {
          runtime->prepare(filling(), {binding(bench.out)},
                           {{0, DType::U32, 1}, {9, DType::U32, 1}});
        }) == "filling: has no function constant 9; it has: 0 (n, u32)");
  CHECK(softmetal_get_statistics().libraries == before.libraries);
}

TEST_CASE("Metal refuses the function") {
  Bench bench;
  auto runtime = make_metal_runtime();
  auto prepare = [&] {
    return runtime->prepare(filling(), {binding(bench.out)}, {{0, DType::U32, 1}});
  };
  const std::string refused =
      "filling: Metal did not compile the kernel for these values of its function constants: ";
  softmetal_inject("function error", 1, 0);
  CHECK(message(prepare) == refused + "injected error (MTLLibraryErrorDomain, code 3)");
  softmetal_set_kernel_compiler(refuse);
  CHECK(message(prepare) == refused +
                                "program_source:4:13: error: unknown kernel "
                                "(MTLLibraryErrorDomain, code 3)");
  softmetal_set_kernel_compiler(compile_fill);
  CHECK(bench.filled(*runtime, 1) == Counts{1, 1, 0});
}
