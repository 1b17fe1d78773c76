// The Metal runtime on software Metal: results, memory, batches, asynchrony, caches.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

struct Saxpy {
  float a = 2;
  std::vector<float> x, y, out;
  std::unique_ptr<Prepared> prepared;

  Saxpy(Runtime& runtime, size_t n, std::shared_ptr<Artifact> kernel = make_saxpy())
      : x(n), y(n), out(n, -1.0f) {
    for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i), y[i] = 1;
    prepared = runtime.prepare(std::move(kernel), arguments());
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

uint32_t u32(size_t n) { return static_cast<uint32_t>(n); }

}  // namespace

TEST_CASE("capabilities") {
  Lab lab;
  for (int family : {7, 8, 9, 10}) {
    softmetal_set_family(family);
    auto runtime = make_metal_runtime();
    const DeviceCapabilities& c = runtime->capabilities();
    CHECK(c.backend == "metal");
    CHECK(c.name == "Software Metal");
    CHECK(c.family == "Apple" + std::to_string(family));
    CHECK(c.max_threads_per_threadgroup == 1024);
    CHECK(c.threadgroup_memory == 32768);
    CHECK(c.max_buffer_bytes > (uint64_t{1} << 30));
    CHECK(c.unified_memory);
  }
  softmetal_set_family(6);
  CHECK(message([] { make_metal_runtime(); }).find("not one of Apple's own GPUs") !=
        std::string::npos);
  softmetal_set_family(9);
  softmetal_set_os(13, 6);
  CHECK(message([] { make_metal_runtime(); }).find("Metal needs macOS 14") == 0);
}

TEST_CASE("saxpy, on all sizes") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t n : {1, 31, 33, 255, 257, 1024, 100003}) {
    Saxpy s(*runtime, n);
    s.prepared->dispatch({u32(n)}, {256});
    CHECK(s.right());
    CHECK(s.prepared->dispatch_timed({u32(n)}, {32}) >= 0);
    CHECK(s.prepared->read(3).data == s.out.data());
    CHECK(*static_cast<float*>(s.prepared->read(0).data) == 2);
  }
}

TEST_CASE("rebinding") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Saxpy s(*runtime, 100);
  float three = 3;
  s.prepared->bind(0, {&three, 4, nullptr});
  three = 0;  // scalars are copied
  s.prepared->dispatch({100}, {32});
  CHECK(s.right(3));
  std::vector<float> other(100);
  s.prepared->bind(3, binding(other));
  s.prepared->dispatch({100}, {32});
  CHECK(other[10] == 31);
  CHECK(message([&] { s.prepared->bind(4, binding(other)); }) ==
        "saxpy has no parameter 4; it has 4, counted from 0");
}

TEST_CASE("checks are those of every device") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Saxpy s(*runtime, 100);
  CHECK(message([&] { s.prepared->dispatch({0}, {32}); }) ==
        "saxpy: grid is (0, 1, 1); every dimension must be at least 1 thread");
  CHECK(message([&] { s.prepared->dispatch({100}, {2048}); }) ==
        "saxpy: threads (2048, 1, 1) are 2048 threads per threadgroup, but Software Metal takes at "
        "most 1024");
  CHECK(message([&] { s.prepared->dispatch({101}, {32}); }) ==
        "saxpy: the grid (101, 1, 1) makes out[...] reach index 100, but out has 100 elements; "
        "pass at least 101 elements, or a smaller grid, or guard the access @ dir/kernels.py:12");
  CHECK(message([&] { runtime->prepare(make_saxpy(), {}); }) ==
        "saxpy takes 4 arguments (a, x, y, out), but 0 were given");
  CHECK(message([&] { s.prepared->bind(3, binding(s.x)), s.prepared->dispatch({9}, {9}); }) ==
        "saxpy: out, which the kernel writes, overlaps x in memory; pass a copy, or give the "
        "kernel one parameter that it both reads and writes");
  std::vector<float> a(4);
  auto narrow = runtime->prepare(make_narrow(), {binding(a)});
  CHECK(message([&] { narrow->dispatch({4}, {512}); }) ==
        "narrow: threads (512, 1, 1) are 512 threads per threadgroup, but this kernel uses so many "
        "registers that Software Metal takes at most 256 of it");
  narrow->dispatch({4}, {256});
  auto greedy = make_increment();
  greedy->threadgroup_bytes = 40000;
  auto prepared = runtime->prepare(greedy, {binding(a)});
  CHECK(message([&] { prepared->dispatch({4}, {4}); }) ==
        "increment: needs 40000 bytes of threadgroup memory, but Software Metal has 32768");
}

TEST_CASE("pages are shared, other memory is copied, and both mean the same") {
  Lab lab;
  auto runtime = make_metal_runtime();
  const auto before = softmetal_get_statistics().shared_buffers;
  for (size_t offset : {size_t{0}, size_t{4}}) {
    CAPTURE(offset);
    Pages a(5000, offset);
    auto p = runtime->prepare(make_increment(), {a.binding()});
    CHECK(softmetal_get_statistics().shared_buffers == before + 1);
    p->dispatch({4000}, {64});
    CHECK(a[0] == 1);
    CHECK(a[3999] == 1);
    CHECK(a[4000] == 0);
    a[7] = 10;  // the host's changes are seen
    p->dispatch({4000}, {64});
    CHECK(a[7] == 11);
    CHECK(a[8] == 2);
  }
  // Metal may refuse: then memory is copied.
  softmetal_inject("no-copy refused", 1, 0);
  Pages a(100);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  p->dispatch({100}, {64});
  CHECK(a[99] == 1);
  CHECK(softmetal_get_statistics().shared_buffers == before + 1);
}

TEST_CASE("a batch is one command buffer, in order") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t offset : {size_t{0}, size_t{4}}) {
    Pages a(64, offset), b(64, offset);
    auto first = runtime->prepare(make_increment(), {a.binding()});
    auto second = runtime->prepare(make_spread(), {a.binding(), b.binding()});
    auto third = runtime->prepare(make_increment(), {b.binding()});
    const auto before = softmetal_get_statistics();
    Launch launches[] = {{first.get(), {64}, {64}},
                         {first.get(), {64}, {64}},
                         {second.get(), {64}, {32}},
                         {third.get(), {64}, {64}}};
    runtime->dispatch_batch(launches);
    CHECK(a[5] == 2);
    CHECK(b[63] == 3);
    const auto after = softmetal_get_statistics();
    CHECK(after.dispatches == before.dispatches + 4);
    CHECK(after.command_buffers == before.command_buffers + 1);
  }
  runtime->dispatch_batch({});
  // Nothing of a batch runs when one of its launches is refused.
  Pages a(64);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  Launch launches[] = {{p.get(), {64}, {64}}, {p.get(), {64}, {0}}};
  CHECK(message([&] { runtime->dispatch_batch(launches); }).find("threads is (0, 1, 1)") !=
        std::string::npos);
  CHECK(a[0] == 0);
  auto other = make_metal_runtime();
  Launch foreign[] = {{p.get(), {64}, {64}}};
  CHECK(message([&] { other->dispatch_batch(foreign); }) ==
        "dispatch_batch takes kernels that this runtime prepared");
}

TEST_CASE("kernels that share a part of their memory run one after the other") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t offset : {size_t{0}, size_t{4}}) {
    Pages a(64, offset), b(64, offset);
    Binding tail{a.data() + 3, 4 * 10, nullptr};  // copied, inside of what may be shared
    auto whole = runtime->prepare(make_increment(), {a.binding()});
    auto part = runtime->prepare(make_increment(), {tail});
    auto spread = runtime->prepare(make_spread(), {tail, b.binding()});
    Launch launches[] = {{whole.get(), {64}, {64}},
                         {part.get(), {10}, {10}},
                         {whole.get(), {64}, {64}},
                         {spread.get(), {64}, {64}}};
    runtime->dispatch_batch(launches);
    CHECK(a[2] == 2);
    CHECK(a[3] == 3);
    CHECK(b[0] == 3);
    for (const Launch& l : launches) l.prepared->dispatch(l.grid, l.threads, false);
    runtime->synchronize();
    CHECK(a[3] == 6);
    CHECK(b[9] == 6);
  }
}

TEST_CASE("without waiting") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t offset : {size_t{0}, size_t{4}}) {
    Pages a(64, offset);
    auto p = runtime->prepare(make_increment(), {a.binding()});
    softmetal_hold(1);
    for (int i = 0; i < 5; ++i) p->dispatch({64}, {64}, false);
    CHECK(a[0] == 0);
    softmetal_hold(0);
    CHECK(static_cast<float*>(p->read(0).data)[0] == 5);
    for (int i = 0; i < 5; ++i) p->dispatch({64}, {64}, false);
    runtime->synchronize();
    CHECK(a[63] == 10);
    for (int i = 0; i < 5; ++i) p->dispatch({64}, {64}, false);
    p->dispatch({64}, {64});
    CHECK(a[1] == 16);
    // Memory, and its results, outlive the prepared kernel.
    p->dispatch({64}, {64}, false);
    p.reset();
    runtime->synchronize();
    CHECK(a[2] == 17);
  }
}

TEST_CASE("owners are kept for as long as the GPU works") {
  Lab lab;
  auto runtime = make_metal_runtime();
  bool freed = false;
  auto owner = std::shared_ptr<std::vector<float>>(new std::vector<float>(64), [&](auto* v) {
    freed = true;
    delete v;
  });
  Binding b = binding(*owner);
  b.owner = std::move(owner);
  auto p = runtime->prepare(make_increment(), {std::move(b)});
  softmetal_hold(1);
  p->dispatch({64}, {64}, false);
  p.reset();
  CHECK(!freed);
  softmetal_hold(0);
  runtime->synchronize();
  CHECK(freed);
}

TEST_CASE("a runtime that ends waits") {
  Lab lab;
  Pages a(64, 4);
  auto runtime = make_metal_runtime();
  runtime->prepare(make_increment(), {a.binding()})->dispatch({64}, {64}, false);
  runtime.reset();
  CHECK(a[0] == 1);
}

TEST_CASE("language version and math mode") {
  Lab lab;
  for (int os : {14, 15, 26}) {
    softmetal_set_os(os, 0);
    auto runtime = make_metal_runtime();
    std::vector<float> a(4);
    for (uint32_t version : {310u, 320u, 400u}) {
      for (bool fast : {false, true}) {
        auto kernel = make_increment();
        kernel->msl_version = version;
        kernel->fast_math = fast;
        std::string error = message([&] { runtime->prepare(kernel, {binding(a)}); });
        int needed = version == 400 ? 26 : version == 320 ? 15 : 14;
        if (os < needed) {
          CHECK(error.find("which needs macOS " + std::to_string(needed)) != std::string::npos);
        } else {
          CHECK(error == "");
          CHECK(softmetal_get_statistics().last_options.msl_version == version);
          CHECK(softmetal_get_statistics().last_options.fast_math == fast);
        }
      }
    }
  }
}

TEST_CASE("pipelines are kept, in the process and on disk") {
  Lab lab;
  std::vector<float> a(4);
  auto compiled = [&](Runtime& runtime) {
    const auto before = softmetal_get_statistics();
    runtime.prepare(make_increment(), {binding(a)})->dispatch({4}, {4});
    const auto after = softmetal_get_statistics();
    return std::vector<uint64_t>{after.libraries - before.libraries,
                                 after.pipelines - before.pipelines,
                                 after.archive_hits - before.archive_hits};
  };
  using Counts = std::vector<uint64_t>;
  {
    auto runtime = make_metal_runtime();
    CHECK(compiled(*runtime) == Counts{1, 1, 0});
    CHECK(compiled(*runtime) == Counts{0, 0, 0});
  }
  CHECK(compiled(*make_metal_runtime()) == Counts{1, 0, 1});
  softmetal_set_os(15, 1);  // machine code is of one system
  CHECK(compiled(*make_metal_runtime()) == Counts{1, 1, 0});
  softmetal_set_os(15, 0);
  for (const auto& file : std::filesystem::directory_iterator(lab.cache() + "/metal")) {
    CHECK(file.path().extension() == ".metalarchive");
    std::ofstream(file.path()) << "damaged";
  }
  CHECK(compiled(*make_metal_runtime()) == Counts{1, 1, 0});
  CHECK(compiled(*make_metal_runtime()) == Counts{1, 0, 1});
  // Nowhere to write to: everything works.
  std::ofstream(lab.cache() + "/file") << "x";
  setenv("ENIGMA_CACHE_DIR", (lab.cache() + "/file/folder").c_str(), 1);
  CHECK(compiled(*make_metal_runtime()) == Counts{1, 1, 0});
  CHECK(a[0] == 7);
}

TEST_CASE("eight threads compile and dispatch on one runtime") {
  Lab lab;
  auto runtime = make_metal_runtime();
  const char* seconds = std::getenv("ENIGMA_STRESS_SECONDS");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(seconds ? 1000 * std::atoi(seconds) : 300);
  std::atomic<int> wrong = 0;
  Pages common(64, 4);
  auto shared = runtime->prepare(make_increment(), {common.binding()});
  std::atomic<uint32_t> increments = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
        Saxpy s(*runtime, 100 + t, make_variant(round % 20 + t / 4 * 20));
        bool wait = round % 2;
        s.prepared->dispatch({u32(s.out.size())}, {32}, wait);
        if (!wait) s.prepared->read(3);
        if (!s.right()) ++wrong;
        if (round < 1000) {
          shared->dispatch({64}, {64}, round % 3 == 0);
          ++increments;
        }
        if (round % 16 == 0) runtime->synchronize();
        Launch launches[] = {{s.prepared.get(), {100}, {32}}, {s.prepared.get(), {100}, {64}}};
        runtime->dispatch_batch(launches);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  runtime->synchronize();
  CHECK(wrong == 0);
  CHECK(common[0] == static_cast<float>(increments));
}
