// What a C++ program does with libenigma: builds kernels, reads their MSL, and runs them on the CPU
// device with a JIT of its own and on Metal where there is one, with equal numbers.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <numeric>
#include <string>
#include <vector>

#include "enigma/builder.h"
#include "enigma/compile.h"
#include "enigma/runtime.h"
#include "jit.h"

using namespace enigma;
using enum enigma::DType;

namespace {

using Kernel = std::shared_ptr<const Artifact>;

// The devices of this machine: the CPU, and Metal unless it says why not.
std::vector<std::shared_ptr<Runtime>> devices() {
  std::vector<std::shared_ptr<Runtime>> all{make_cpu_runtime(compile_with_clang, 2)};
  try {
    all.push_back(make_metal_runtime());
  } catch (const Error& why) {
    CHECK(std::string(why.what()).find("CpuRuntime()") != std::string::npos);
  }
  return all;
}

// Runs the kernel on each device; check() looks at what it wrote, reset() is called before.
template <class Reset, class Check>
void run(const Kernel& kernel, std::vector<Binding> arguments, Dim3 grid, Dim3 threads, Reset reset,
         Check check) {
  for (const auto& device : devices()) {
    CAPTURE(device->capabilities().name);
    reset();
    device->prepare(kernel, arguments)->dispatch(grid, threads);
    check();
  }
}

void has_lines(const std::string& msl, std::initializer_list<const char*> lines) {
  CAPTURE(msl);
  size_t at = 0;
  for (const char* line : lines) {
    CAPTURE(line);
    at = msl.find(line, at);
    REQUIRE(at != std::string::npos);
  }
}

// A number that differs from index to index, without a pattern.
uint32_t scrambled(size_t i) { return static_cast<uint32_t>(i) * 2654435761u ^ 0x9e3779b9u; }

// The sum of each row, by the SIMD-group that has it, divided by the row's length.
Kernel row_means() {
  Builder b("row_means");
  b.set_location("means.cpp", 1);
  ValueId x = b.buffer("X", F32), means = b.buffer("Means", F32),
          columns = b.scalar("columns", U32);
  ValueId lane = b.query(Op::ThreadIndexInSimdgroup);
  ValueId row = b.query(Op::ThreadgroupPositionInGrid);
  ValueId begin = b.apply("*", {row, columns});
  b.set_name(begin, "begin");
  b.set_location("means.cpp", 2);
  auto loop = b.begin_for(lane, columns, 32, U32, {0.0f});
  b.set_name(loop.args[0], "sum");
  ValueId x_i = b.load(x, b.apply("+", {begin, loop.index}));
  ValueId sum = b.end_for({b.apply("+", {loop.args[0], x_i})})[0];
  b.set_location("means.cpp", 3);
  ValueId mean = b.apply("/", {b.apply("simd_sum", {sum}), columns});
  b.store_if(means, row, mean, b.apply("cmp_eq", {lane, 0u}));
  return compile(b.finish());
}

// The sum of each threadgroup's 256 elements, halving what is left from turn to turn.
Kernel tree_sum() {
  Builder b("tree_sum");
  b.set_location("tree.cpp", 1);
  ValueId x = b.buffer("X", I32), sums = b.buffer("Sums", I32);
  ValueId shared = b.threadgroup_alloc(I32, 256);
  b.set_name(shared, "shared");
  ValueId i = b.query(Op::ThreadIndexInThreadgroup);
  b.store(shared, i, b.load(x, b.query(Op::ThreadPositionInGrid)));
  b.barrier(Op::Barrier, kMemThreadgroup);
  auto loop = b.begin_while({128u});
  b.set_name(loop.args[0], "half_");
  ValueId half = b.while_body(b.apply("cmp_gt", {loop.args[0], 0})).args[0];
  b.begin_if(b.apply("cmp_lt", {i, half}));
  ValueId upper = b.load(shared, b.apply("+", {i, half}));
  b.store(shared, i, b.apply("+", {b.load(shared, i), upper}));
  b.end_if();
  b.barrier(Op::Barrier, kMemThreadgroup);
  b.end_while({b.apply("/", {half, 2})});
  b.store_if(sums, b.query(Op::ThreadgroupPositionInGrid), b.load(shared, 0),
             b.apply("cmp_eq", {i, 0}));
  return compile(b.finish());
}

// Two carried values that change places: Fibonacci numbers of each count, modulo 2^32.
Kernel fibonacci() {
  Builder b("fibonacci");
  ValueId counts = b.buffer("Counts", U8), out = b.buffer("Out", U32);
  ValueId i = b.query(Op::ThreadPositionInGrid);
  auto loop = b.begin_for(b.cast(b.load(counts, i), I32), 0, -1, I32, {0u, 1u});
  // Literals are i32 until something says otherwise: the carried values wrap as they would in u32.
  ValueId next = b.apply("+", {loop.args[0], loop.args[1]});
  b.store(out, i, b.end_for({loop.args[1], next})[0]);
  return compile(b.finish());
}

// sqrt(x) where x is positive; otherwise -x, or 100 below -1: results of nested branches.
Kernel branches() {
  Builder b("branches");
  ValueId x = b.buffer("X", F32), y = b.buffer("Y", F32), kind = b.buffer("Kind", I16);
  ValueId i = b.query(Op::ThreadPositionInGrid), v = b.load(x, i);
  b.begin_if(b.apply("cmp_gt", {v, 0.0}));
  ValueId root = b.apply("sqrt", {v});
  b.begin_else();
  b.begin_if(b.apply("cmp_lt", {v, -1}));
  b.begin_else();  // for the operand that is built in it
  ValueId inner = b.end_if({100.0}, {b.apply("neg", {v})})[0];
  auto results = b.end_if({root, 1}, {inner, 2});
  b.store(y, i, results[0]);
  b.store(kind, i, results[1]);
  return compile(b.finish());
}

// A histogram of 16 bins, the greatest element, and how many threads set the flag first.
Kernel counts() {
  Builder b("counts");
  ValueId x = b.buffer("X", U32), bins = b.buffer("Bins", U32), most = b.buffer("Most", U32);
  ValueId flags = b.buffer("Flags", I32);
  ValueId v = b.load(x, b.query(Op::ThreadPositionInGrid));
  b.atomic(Op::AtomicAdd, bins, b.apply("&", {v, 15}), {1});
  b.atomic(Op::AtomicMax, most, 0, {v});
  ValueId before = *b.atomic(Op::AtomicExchange, flags, 0, {1});
  b.begin_if(b.apply("cmp_eq", {before, 0}));
  b.atomic(Op::AtomicAdd, flags, 1, {1});
  b.end_if();
  return compile(b.finish());
}

}  // namespace

TEST_CASE("a kernel over rows, with its MSL") {
  Kernel kernel = row_means();
  has_lines(kernel->msl, {
                             "kernel void row_means(device const float* X [[buffer(0)]],",
                             "device float* Means [[buffer(1)]],",
                             "constant uint& columns [[buffer(2)]],",
                             "const uint begin = threadgroup_position_in_grid.x * columns;",
                             "// means.cpp:1",
                             "float sum = 0.0f;  // means.cpp:2",
                             "for (uint i = thread_index_in_simdgroup; i < columns; i += 32u) {",
                             "simd_sum(sum)",
                             "if (thread_index_in_simdgroup == 0u) {",
                         });
  CHECK(kernel->kernel_name == "row_means");
  CHECK(kernel->params[0].read);
  CHECK(!kernel->params[0].written);
  CHECK(kernel->params[1].written);
  CHECK(kernel->params[2].is_scalar);

  const uint32_t columns = 1000;
  std::vector<float> x(7 * columns), means(7);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(scrambled(i) % 1000) - 500;
  run(
      kernel, {Binding::of(x), Binding::of(means), Binding::of(columns)}, {7 * 32}, {32},
      [&] { std::fill(means.begin(), means.end(), -1.0f); },
      [&] {
        for (size_t row = 0; row < means.size(); ++row) {
          // Whole numbers this small have an exact sum in any order.
          auto first = x.begin() + static_cast<ptrdiff_t>(row * columns);
          CHECK(means[row] == std::accumulate(first, first + columns, 0.0f) / columns);
        }
      });
}

TEST_CASE("a tree of sums in threadgroup memory") {
  Kernel kernel = tree_sum();
  has_lines(kernel->msl, {"threadgroup int shared[256];", "threadgroup_barrier(mem_flags::mem_thre",
                          "while (", "threadgroup_barrier(mem_flags::mem_threadgroup);"});
  CHECK(kernel->threadgroup_bytes == 1024);
  std::vector<int32_t> x(256 * 5), sums(5);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int32_t>(scrambled(i)) / 1000;
  run(
      kernel, {Binding::of(x), Binding::of(sums)}, {256 * 5}, {256},
      [&] { std::fill(sums.begin(), sums.end(), -1); },
      [&] {
        for (size_t group = 0; group < sums.size(); ++group) {
          auto first = x.begin() + static_cast<ptrdiff_t>(group * 256);
          CHECK(sums[group] == std::accumulate(first, first + 256, 0));
        }
      });
}

TEST_CASE("a loop that counts down and carries two values") {
  std::vector<uint8_t> n(100);
  std::iota(n.begin(), n.end(), uint8_t{0});
  std::vector<uint32_t> out(n.size());
  run(
      fibonacci(), {Binding::of(n), Binding::of(out)}, {100}, {64},
      [&] { std::fill(out.begin(), out.end(), 7u); },
      [&] {
        uint32_t a = 0, b = 1;
        for (uint32_t f : out) {
          CHECK(f == a);
          a = std::exchange(b, a + b);
        }
      });
}

TEST_CASE("branches that hand over values") {
  std::vector<float> x{4, -0.5f, 0, -1, -2, 2.25f, -1e30f, 1e30f}, y(x.size());
  std::vector<int16_t> kind(x.size());
  run(
      branches(), {Binding::of(x), Binding::of(y), Binding::of(kind)}, {8}, {8},
      [&] {
        std::fill(y.begin(), y.end(), -7.0f);
        std::fill(kind.begin(), kind.end(), int16_t{-7});
      },
      [&] {
        CHECK(y == std::vector<float>{2, 0.5f, 0, 1, 100, 1.5f, 100, std::sqrt(1e30f)});
        CHECK(kind == std::vector<int16_t>{1, 2, 2, 2, 2, 1, 2, 1});
      });
}

TEST_CASE("atomics: a histogram, a maximum, and who was first") {
  std::vector<uint32_t> x(10000), bins(16), expected(16), most(1);
  std::vector<int32_t> flags(2);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = scrambled(i) >> 3;
    ++expected[x[i] & 15];
  }
  run(
      counts(), {Binding::of(x), Binding::of(bins), Binding::of(most), Binding::of(flags)}, {10000},
      {128},
      [&] {
        std::fill(bins.begin(), bins.end(), 0u);
        most[0] = 0;
        flags = {0, 0};
      },
      [&] {
        CHECK(bins == expected);
        CHECK(most[0] == *std::max_element(x.begin(), x.end()));
        CHECK(flags == std::vector<int32_t>{1, 1});
      });
}

TEST_CASE("a prepared kernel outlives what it was made of") {
  std::vector<float> x(64, 3.0f), means(1);
  const uint32_t columns = 64;
  auto all = devices();
  for (auto& device : all) {
    const std::string name = device->capabilities().name;  // CAPTURE looks when a check fails
    CAPTURE(name);
    auto owner = std::make_shared<std::vector<float>>(x);
    std::weak_ptr<void> alive = owner;
    Binding owned = Binding::of(*owner);
    owned.owner = std::move(owner);
    Kernel kernel = row_means();
    auto prepared =
        device->prepare(kernel, {std::move(owned), Binding::of(means), Binding::of(columns)});
    kernel.reset();
    device.reset();
    means[0] = 0;
    prepared->dispatch({32}, {32});
    CHECK(means[0] == 3.0f);
    CHECK(!alive.expired());
    prepared->bind(0, Binding::of(x));  // lets go of what was bound
    CHECK(alive.expired());
    means[0] = 0;
    prepared->dispatch({32}, {32});
    CHECK(means[0] == 3.0f);
    prepared.reset();
  }
}

TEST_CASE("threads build, compile and dispatch beside each other") {
  const auto all = devices();
  auto work = [&](uint32_t first) {
    std::vector<int32_t> x(512), sums(2);
    std::iota(x.begin(), x.end(), static_cast<int32_t>(first));
    bool right = true;
    for (const auto& device : all) {
      Kernel kernel = tree_sum();
      auto prepared = device->prepare(kernel, {Binding::of(x), Binding::of(sums)});
      prepared->dispatch({512}, {256});
      right = right && sums[0] == std::accumulate(x.begin(), x.begin() + 256, 0) &&
              sums[1] == std::accumulate(x.begin() + 256, x.end(), 0);
    }
    return right;
  };
  std::vector<std::future<bool>> threads;
  for (uint32_t t = 0; t < 4; ++t) threads.push_back(std::async(std::launch::async, work, t));
  for (auto& t : threads) CHECK(t.get());
}

TEST_CASE("errors of a launch name the place in C++") {
  Builder b("shift");
  ValueId x = b.buffer("X", F32), i = b.query(Op::ThreadPositionInGrid);
  const uint32_t line = __LINE__ + 1;
  b.set_location();
  b.store(x, i, b.load(x, b.apply("+", {i, 5})));
  Kernel kernel = compile(b.finish());
  std::vector<float> memory(64);
  for (const auto& device : devices()) {
    CAPTURE(device->capabilities().name);
    auto prepared = device->prepare(kernel, {Binding::of(memory)});
    try {
      prepared->dispatch({60}, {32});
      FAIL("no error");
    } catch (const Error& e) {
      CHECK(e.where().line == line);
      CHECK(e.where().file == __FILE__);
      CHECK(std::string(e.what()).find("X") != std::string::npos);
    }
  }
}

TEST_CASE("a size is checked where it is bound") {
  Builder b("sized");
  ValueId x = b.buffer("X", F32), n = b.size("n", 4);
  b.store(x, 0, b.cast(n, F32));
  Kernel kernel = compile(b.finish());
  std::vector<float> memory(1);
  for (const auto& device : devices()) {
    CAPTURE(device->capabilities().name);
    auto sized = [&](uint32_t size) {
      device->prepare(kernel, {Binding::of(memory), Binding::of(size)})->dispatch({1}, {1});
    };
    sized(12);
    CHECK(memory[0] == 12);
    CHECK_THROWS_WITH(sized(6),
                      "sized: n is a size, from 1 to 2147483647 and a multiple of 4, but is 6");
    CHECK_THROWS_AS(sized(0), Error);
    CHECK_THROWS_AS(sized(1u << 31), Error);
  }
}

TEST_CASE("a compiler that fails says so, and the next dispatch asks it again") {
  int calls = 0;
  auto device = make_cpu_runtime([&](const std::string& ir) {
    if (++calls == 1) return compile_with_clang("this is no LLVM IR");
    return compile_with_clang(ir);
  });
  std::vector<uint8_t> n{10};
  std::vector<uint32_t> out(1);
  auto prepared = device->prepare(fibonacci(), {Binding::of(n), Binding::of(out)});
  try {
    prepared->dispatch({1}, {1});
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("did not compile the kernel: ") != std::string::npos);
    CHECK(std::string(e.what()).find("error: expected top-level entity") != std::string::npos);
  }
  prepared->dispatch({1}, {1});
  CHECK(out[0] == 55);
  CHECK(calls == 2);
}
