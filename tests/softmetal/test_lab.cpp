// Kernels of our own builder, through the Metal runtime on software Metal, executed as their MSL:
// right ones give the right numbers, wrong ones are told by name and line, and all goes on.
#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <numeric>
#include <thread>

#include "enigma/builder.h"
#include "enigma/compile.h"
#include "kernels.h"
#include "lab.h"

using namespace enigma;
using namespace testing;

namespace {

Literal whole(int64_t x) { return x; }

// A kernel in the making; line numbers are those of a k.py.
struct Kernel {
  Builder b{"k"};
  ValueId tid{};

  ValueId f32(const char* name) { return b.buffer(name, DType::F32); }
  ValueId u32(const char* name) { return b.buffer(name, DType::U32); }
  void at(uint32_t line) { b.set_location("/somewhere/k.py", line); }
  ValueId op(const char* name, std::initializer_list<Operand> operands) {
    return b.apply(name, std::span<const Operand>(operands.begin(), operands.size()));
  }
  ValueId position() { return b.query(Op::ThreadPositionInGrid); }
  ValueId local() { return b.query(Op::ThreadPositionInThreadgroup); }
  std::shared_ptr<const Artifact> done() { return compile(b.finish()); }
};

std::vector<float> ramp(size_t n) {
  std::vector<float> v(n);
  std::iota(v.begin(), v.end(), 1.0f);
  return v;
}

struct Executed {
  Lab lab;
  std::shared_ptr<Runtime> runtime;
  Executed() {
    softmetal_set_kernel_compiler(softmetal_compile_kernel);
    runtime = make_metal_runtime();
  }
  ~Executed() { runtime.reset(); }

  template <class... Buffers>
  void run(const std::shared_ptr<const Artifact>& kernel, Dim3 grid, Dim3 threads,
           Buffers&... buffers) {
    runtime->prepare(kernel, {binding(buffers)...})->dispatch(grid, threads);
  }
  std::string error(const std::shared_ptr<const Artifact>& kernel, uint32_t n,
                    std::vector<float>& x) {
    return message([&] { run(kernel, {n}, {64}, x); });
  }
  // Nothing that went wrong stays.
  void still_works() {
    Kernel k;
    ValueId x = k.f32("x"), i = k.position();
    k.b.store(x, i, k.op("*", {k.b.load(x, i), Literal(2.0)}));
    std::vector<float> v = ramp(100);
    run(k.done(), {100}, {32}, v);
    CHECK(v[99] == 200);
  }
};

}  // namespace

TEST_CASE("saxpy, on copied and on shared memory") {
  Executed e;
  Kernel k;
  ValueId a = k.b.scalar("a", DType::F32), x = k.f32("x"), y = k.f32("y"), i = k.position();
  k.b.store(y, i, k.op("+", {k.op("*", {a, k.b.load(x, i)}), k.b.load(y, i)}));
  auto kernel = k.done();
  for (size_t n : {1, 33, 1000, 5000}) {
    for (size_t offset : {0, 4}) {
      Pages px(n, offset), py(n, offset);
      for (size_t j = 0; j < n; ++j) px[j] = static_cast<float>(j), py[j] = 1;
      float factor = 3;
      auto p = e.runtime->prepare(kernel, {{&factor, 4, nullptr}, px.binding(), py.binding()});
      p->dispatch({static_cast<uint32_t>(n)}, {256});
      p->dispatch({static_cast<uint32_t>(n)}, {32}, false);
      p->read(2);
      for (size_t j = 0; j < n; ++j) REQUIRE(py[j] == 6 * static_cast<float>(j) + 1);
    }
  }
}

TEST_CASE("a tree reduction meets at its barriers") {
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), sums = k.f32("sums");
  ValueId shared = k.b.threadgroup_alloc(DType::F32, 128), lane = k.local();
  k.b.store(shared, lane, k.b.load(x, k.position()));
  k.b.barrier(Op::Barrier, kMemThreadgroup);
  for (int step = 64; step > 0; step /= 2) {
    k.b.begin_if(k.op("cmp_lt", {lane, whole(step)}));
    ValueId other = k.b.load(shared, k.op("+", {lane, whole(step)}));
    k.b.store(shared, lane, k.op("+", {k.b.load(shared, lane), other}));
    k.b.end_if({}, {});
    k.b.barrier(Op::Barrier, kMemThreadgroup);
  }
  k.b.begin_if(k.op("cmp_eq", {lane, whole(0)}));
  k.b.store(sums, k.b.query(Op::ThreadgroupPositionInGrid), k.b.load(shared, whole(0)));
  k.b.end_if({}, {});
  std::vector<float> numbers = ramp(1024), partial(8);
  e.run(k.done(), {1024}, {128}, numbers, partial);
  CHECK(partial[0] == 128 * 129 / 2);
  CHECK(std::accumulate(partial.begin(), partial.end(), 0.0f) == 1024 * 1025 / 2);
}

TEST_CASE("a grid in two dimensions, with smaller threadgroups at its edges") {
  Executed e;
  Kernel k;
  ValueId out = k.u32("out");
  ValueId x = k.b.query(Op::ThreadPositionInGrid, 0), y = k.b.query(Op::ThreadPositionInGrid, 1);
  ValueId width = k.b.query(Op::ThreadsPerGrid, 0);
  ValueId size = k.b.query(Op::ThreadsPerThreadgroup, 1);
  ValueId value =
      k.op("+", {k.op("*", {y, whole(1000)}), k.op("+", {x, k.op("*", {size, width})})});
  k.b.store(out, k.op("+", {k.op("*", {y, width}), x}), value);
  auto kernel = k.done();
  std::vector<uint32_t> pixels(70 * 45);
  e.run(kernel, {70, 45}, {16, 16}, pixels);
  for (uint32_t row = 0; row < 45; ++row) {
    for (uint32_t column = 0; column < 70; ++column) {
      const uint32_t rows = row < 32 ? 16 : 13;  // of the threadgroup, as Metal has it
      REQUIRE(pixels[row * 70 + column] == row * 1000 + column + rows * 70);
    }
  }
}

TEST_CASE("an atomic histogram") {
  Executed e;
  Kernel k;
  ValueId keys = k.u32("keys"), counts = k.u32("counts");
  Operand one[] = {whole(1)};
  k.b.atomic(Op::AtomicAdd, counts, k.b.load(keys, k.position()), one);
  std::vector<uint32_t> given(3000), bins(7);
  for (size_t i = 0; i < given.size(); ++i) given[i] = static_cast<uint32_t>(i * i % 7);
  std::vector<uint32_t> expected(7);
  for (uint32_t key : given) ++expected[key];
  e.run(k.done(), {3000}, {256}, given, bins);
  CHECK(bins == expected);
}

TEST_CASE("a race has its name and its line") {
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), i = k.position();
  k.at(7);
  k.b.store(x, i, k.b.load(x, k.op("^", {i, whole(1)})));
  auto kernel = k.done();
  std::vector<float> v = ramp(64);
  CHECK(e.error(kernel, 64, v) ==
        "k failed on the GPU: race: read of x[0] by thread 1 of threadgroup 0 races with the write "
        "by thread 0 of threadgroup 0, 32 times at line 6 (k.py:7) and line 6 (k.py:7); race: "
        "write of x[1] by thread 1 of threadgroup 0 races with the read by thread 0 of threadgroup "
        "0, 32 times at line 6 (k.py:7) and line 6 (k.py:7) (MTLCommandBufferErrorDomain, code 1) "
        "@ /somewhere/k.py:7");
  CHECK(v == ramp(64));
  e.still_works();
}

TEST_CASE("a store out of bounds has its name and its line, near and far") {
  Executed e;
  for (int64_t stride : {2, 1 << 28}) {  // the far one is no memory of the server's
    Kernel k;
    ValueId x = k.f32("x"), table = k.u32("table"), i = k.position();
    k.at(9);
    k.b.store(x, k.op("*", {k.b.load(table, i), whole(stride)}), Literal(1.0));
    auto kernel = k.done();
    std::vector<float> v = ramp(64);
    std::vector<uint32_t> positions(64);
    positions[40] = 33;
    std::string text = message([&] { e.run(kernel, {64}, {64}, v, positions); });
    CAPTURE(text);
    CHECK(text.find("k touched memory outside of its buffers; look for an index out of bounds: out "
                    "of bounds: ") == 0);
    if (stride == 2) CHECK(text.find("write of x[66], which has 64 elements, by thread 40") < 200);
    CHECK(text.find("(k.py:9) (MTLCommandBufferErrorDomain, code 3) @ /somewhere/k.py:9") <
          text.size());
    e.still_works();
  }
}

TEST_CASE("shared pages end where the array ends") {
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), table = k.u32("table"), i = k.position();
  k.b.store(x, k.b.load(table, i), Literal(1.0));
  auto kernel = k.done();
  Pages page(11);
  for (uint32_t last : {9, 10}) {
    std::vector<uint32_t> positions = {0, 1, last};
    const auto before = softmetal_get_statistics().shared_buffers;
    auto p = e.runtime->prepare(kernel, {{page.data(), 40, nullptr}, binding(positions)});
    CHECK(softmetal_get_statistics().shared_buffers == before + 1);
    std::string text = message([&] { p->dispatch({3}, {3}); });
    CHECK((text.find("write of x[10], which has 10 elements") < text.size()) == (last == 10));
  }
  CHECK(page[9] == 1);
  CHECK(page[10] == 0);
}

TEST_CASE("a barrier that not all threads reach has its name and its line") {
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), i = k.position();
  k.b.begin_if(k.op("cmp_lt", {k.b.load(x, i), Literal(41.0)}));
  k.at(5);
  k.b.barrier(Op::Barrier, kMemThreadgroup);
  k.b.end_if({}, {});
  auto kernel = k.done();
  std::vector<float> v = ramp(64);
  CHECK(e.error(kernel, 64, v) ==
        "k failed on the GPU: divergent barrier: 40 of 64 threads reached the barrier at line 7 "
        "(k.py:5) (MTLCommandBufferErrorDomain, code 1) @ /somewhere/k.py:5");
  e.still_works();
}

TEST_CASE("a kernel that does not end is stopped") {
  setenv("MSL_LAB_SECONDS", "0.5", 1);
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), i = k.position();
  k.at(4);
  k.b.begin_while({});
  k.b.while_body(k.op("cmp_ge", {k.b.load(x, i), Literal(0.0)}));
  k.at(5);
  k.b.store(x, i, Literal(3.0));
  k.b.end_while({});
  auto kernel = k.done();
  std::vector<float> v = ramp(64);
  std::string text = e.error(kernel, 64, v);
  unsetenv("MSL_LAB_SECONDS");
  CAPTURE(text);
  CHECK(text.find("k ran for so long that the system stopped it; look for a loop without end, or "
                  "launch smaller grids: time: the kernel did not end within 0.5 s at line ") == 0);
  CHECK(text.find("(MTLCommandBufferErrorDomain, code 2) @ /somewhere/k.py:") < text.size());
  CHECK(v == ramp(64));
  e.still_works();
}

TEST_CASE("what the compiler refuses is told at the line of Python") {
  Executed e;
  Kernel k;
  ValueId x = k.f32("x"), i = k.position();
  k.at(3);
  ValueId twice = k.op("*", {k.b.load(x, i), Literal(2.0)});
  k.at(8);
  k.b.store(x, i, twice);
  auto broken = std::make_shared<Artifact>(*k.done());
  size_t at = broken->msl.rfind("x[");
  broken->msl.replace(at, 1, "unknown_name");
  std::vector<float> v(64);
  CHECK(e.error(broken, 64, v) ==
        "k: Metal did not compile the kernel: use of undeclared identifier 'unknown_name', in line "
        "6 of its MSL: x[thread_position_in_grid.x] = unknown_name[thread_position_in_grid.x] * "
        "2.0f;  // k.py:8 @ /somewhere/k.py:8");
  e.still_works();
}

TEST_CASE("threads compile and run at once, and faults stay with who made them") {
  Executed e;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Kernel k;
      ValueId x = k.f32("x"), i = k.position();
      Operand index = t == 3 ? Operand(k.op("+", {k.op("*", {i, i}), whole(1)})) : Operand(i);
      k.b.store(x, index, k.op("+", {k.b.load(x, i), whole(t + 1)}));
      auto kernel = k.done();
      for (int round = 0; round < 10; ++round) {
        std::vector<float> v(64);
        auto p = e.runtime->prepare(kernel, {binding(v)});
        std::string text = message([&] { p->dispatch({64}, {32}); });
        wrong += t == 3 ? text.find("out of bounds") > 200 : v[63] != static_cast<float>(t + 1);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("bindings that share memory, and what the pipeline knows") {
  const char* source =
      "#include <metal_stdlib>\nusing namespace metal;\n"
      "[[max_total_threads_per_threadgroup(128)]] kernel void f(\n"
      "    device const float* a [[buffer(0)]], device float* b [[buffer(2)]],\n"
      "    constant float* c [[buffer(1)]], uint3 t [[thread_position_in_threadgroup]]) {\n"
      "    threadgroup float4 tile[32];\n    threadgroup ushort flags[2][8];\n"
      "    tile[t.x] = float4(a[t.x]);\n    flags[0][0] = 1;\n"
      "    threadgroup_barrier(mem_flags::mem_threadgroup);\n"
      "    b[t.x] = tile[31u - t.x].y + c[0] + float(flags[0][0]);\n}\n";
  softmetal_options options{};
  options.msl_version = 310;
  softmetal_kernel kernel{};
  char* messages = nullptr;
  REQUIRE(softmetal_compile_kernel(source, "f", &options, &kernel, &messages) == 0);
  CHECK(kernel.max_threads == 128);
  CHECK(kernel.threadgroup_bytes == 32 * 16 + 2 * 8 * 2);
  std::vector<float> memory = ramp(96);
  const auto bytes = [&](size_t from) { return (memory.size() - from) * sizeof(float); };
  softmetal_launch launch{{32, 1, 1}, {32, 1, 1}, {}};
  launch.bindings[0] = {&memory[0], bytes(0)};
  launch.bindings[1] = {&memory[95], bytes(95)};
  launch.bindings[2] = {&memory[32], bytes(32)};
  CHECK(kernel.run(kernel.context, &launch).text == nullptr);
  for (size_t i = 0; i < 96; ++i) {
    const size_t from = i < 32 || i >= 64 ? i + 1 : 64 - i + 97;
    REQUIRE(memory[i] == static_cast<float>(from));
  }
  kernel.destroy(kernel.context);

  kernel = {};
  CHECK(softmetal_compile_kernel(source, "g", &options, &kernel, &messages) != 0);
  CHECK(std::string(messages) == "program_source:1:1: error: there is no kernel 'g'\n");
  std::free(messages);
}
