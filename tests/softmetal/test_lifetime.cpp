// How long Metal's objects, memory and errors live: no longer than their users, on whatever thread
// those end.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

std::string alive() {
  char* text = softmetal_describe_live_objects();
  std::string found = text;
  std::free(text);
  return found;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void on_another_thread(const std::function<void()>& f) { std::thread(f).join(); }

// Memory with an owner that says when it goes.
struct Owned {
  Pages pages{64, 4};
  Binding binding(std::atomic<bool>& freed) {
    Binding b = pages.binding();
    b.owner = std::shared_ptr<void>(this, [&freed](void*) { freed = true; });
    return b;
  }
};

}  // namespace

TEST_CASE("unbind lets go of all memory") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t offset : {size_t{0}, size_t{4}}) {
    Pages a(64, offset), b(64, offset);
    auto p = runtime->prepare(make_spread(), {a.binding(), b.binding()});
    CHECK(has(alive(), "2 MTLBuffer"));
    a[0] = 7;
    p->dispatch({64}, {64}, false);
    p->unbind();
    CHECK(b[63] == 7);
    CHECK(!has(alive(), "MTLBuffer"));
    CHECK(message([&] { p->dispatch({64}, {64}); }) ==
          "spread: x is bound to no memory; bind it again after unbind");
    Launch launches[] = {{p.get(), {64}, {64}}};
    CHECK(has(message([&] { runtime->dispatch_batch(launches); }), "bound to no memory"));
    CHECK(p->read(0).data == nullptr);
    p->bind(0, a.binding());
    CHECK(message([&] { p->dispatch({64}, {64}); }) ==
          "spread: y is bound to no memory; bind it again after unbind");
    a[0] = 8;
    p->bind(1, b.binding());
    p->dispatch({64}, {64});
    CHECK(b[63] == 8);
  }
}

TEST_CASE("scalars stay bound") {
  Lab lab;
  auto runtime = make_metal_runtime();
  float two = 2;
  std::vector<float> x(9, 1.0f), y(9, 1.0f), out(9);
  auto p = runtime->prepare(make_saxpy(), {{&two, 4, {}}, binding(x), binding(y), binding(out)});
  p->unbind();
  p->bind(1, binding(x));
  p->bind(2, binding(y));
  p->bind(3, binding(out));
  p->dispatch({9}, {9});
  CHECK(out[8] == 3);
}

TEST_CASE("a failure keeps no memory") {
  Lab lab;
  auto runtime = make_metal_runtime();
  for (size_t offset : {size_t{0}, size_t{4}}) {
    Pages a(64, offset);
    softmetal_inject("timeout", 1, 0);
    auto p = runtime->prepare(make_increment(), {a.binding()});
    p->dispatch({64}, {64}, false);
    p.reset();  // which waits, since the memory has no owner
    CHECK(!has(alive(), "MTLBuffer"));
    CHECK(!has(alive(), "MTLCommandBuffer"));
    // Whatever lies there now is other memory.
    auto q = runtime->prepare(make_increment(), {a.binding()});
    q->dispatch({64}, {64});
    CHECK(a[0] == 1);
    CHECK(has(message([&] { runtime->synchronize(); }), "increment ran for so long"));
    runtime->synchronize();
  }
}

TEST_CASE("memory with an owner lacks its results until somebody is told") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::atomic<bool> freed = false;
  Owned memory;
  Pages other(64, 4);
  softmetal_inject("timeout", 1, 0);
  auto first = runtime->prepare(make_increment(), {memory.binding(freed)});
  first->dispatch({64}, {64}, false);
  first.reset();
  auto stranger = runtime->prepare(make_increment(), {other.binding()});
  stranger->dispatch({64}, {64});
  CHECK(!freed);
  CHECK(!has(alive(), "2 MTLBuffer"));
  auto heir = runtime->prepare(make_spread(), {memory.pages.binding(), other.binding()});
  CHECK(has(message([&] { heir->dispatch({64}, {64}); }), "increment ran for so long"));
  CHECK(freed);
  heir->dispatch({64}, {64});
  runtime->synchronize();
}

TEST_CASE("every kernel is told of its own failure, however many fail") {
  Lab lab;
  auto runtime = make_metal_runtime();
  constexpr int kKernels = 200;
  std::vector<std::unique_ptr<Pages>> memory;
  std::vector<std::unique_ptr<Prepared>> kernels;
  softmetal_inject("page fault", 3 * kKernels, 0);
  for (int i = 0; i < kKernels; ++i) {
    memory.push_back(std::make_unique<Pages>(64, 4));
    kernels.push_back(runtime->prepare(make_increment(), {memory.back()->binding()}));
    for (int again = 0; again < 3; ++again) kernels.back()->dispatch({64}, {64}, false);
  }
  for (auto& kernel : kernels) {
    CHECK(has(message([&] { kernel->read(0); }), "increment touched memory outside"));
    kernel->read(0);  // told, once
  }
  runtime->synchronize();
}

TEST_CASE("failures that nobody can ask for are forgotten, all but the first") {
  Lab lab;
  auto runtime = make_metal_runtime();
  softmetal_inject("timeout", 1, 0);
  softmetal_inject("page fault", 191, 0);
  for (int i = 0; i < 192; ++i) {
    Pages a(64, 4);
    runtime->prepare(make_increment(), {a.binding()})->dispatch({64}, {64}, false);
  }
  CHECK(has(message([&] { runtime->synchronize(); }), "increment ran for so long"));
  runtime->synchronize();
}

TEST_CASE("memory is kept by the owner of each binding") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::atomic<bool> freed = false;
  Owned memory;
  // The first knows the memory without an owner.
  auto plain = runtime->prepare(make_increment(), {memory.pages.binding()});
  auto owned = runtime->prepare(make_increment(), {memory.binding(freed)});
  softmetal_hold(1);
  owned->dispatch({64}, {64}, false);
  owned.reset();
  CHECK(!freed);
  softmetal_hold(0);
  runtime->synchronize();
  CHECK(freed);
  CHECK(memory.pages[0] == 1);
}

TEST_CASE("what ends on a thread of Python's finds a pool") {
  Lab lab;
  Pages a(64, 4);
  std::shared_ptr<Runtime> runtime;
  std::unique_ptr<Prepared> p;
  on_another_thread([&] { runtime = make_metal_runtime(); });
  on_another_thread([&] { p = runtime->prepare(make_increment(), {a.binding()}); });
  on_another_thread([&] { p->dispatch({64}, {64}, false); });
  on_another_thread([&] { p->bind(0, a.binding()); });
  on_another_thread([&] { p->dispatch({64}, {64}, false); });
  on_another_thread([&] { p->read(0); });
  on_another_thread([&] { p->unbind(); });
  on_another_thread([&] { p->bind(0, a.binding()); });
  on_another_thread([&] { CHECK(p->dispatch_timed({64}, {64}) >= 0); });
  Launch launches[] = {{p.get(), {64}, {64}}};
  on_another_thread([&] { runtime->dispatch_batch(launches); });
  on_another_thread([&] { runtime->synchronize(); });
  on_another_thread([&] { p->dispatch({64}, {64}, false); });
  SUBCASE("the runtime goes first") {
    on_another_thread([&] { runtime.reset(); });
    on_another_thread([&] { p.reset(); });
  }
  SUBCASE("the kernel goes first") {
    on_another_thread([&] { p.reset(); });
    on_another_thread([&] { runtime.reset(); });
  }
  CHECK(a[0] == 5);
}

TEST_CASE("a read holds the last of what another thread has bound before") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::atomic<bool> freed = false, other_freed = false;
  Owned memory, other;
  auto p = runtime->prepare(make_increment(), {memory.binding(freed)});
  softmetal_hold(1);
  p->dispatch({64}, {64}, false);
  std::thread reader([&] { CHECK(p->read(0).data == memory.pages.data()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  p->bind(0, other.binding(other_freed));
  CHECK(!freed);
  softmetal_hold(0);
  reader.join();
  CHECK(freed);
  CHECK(memory.pages[0] == 1);
  p.reset();
  CHECK(other_freed);
}

TEST_CASE("more dispatches than a queue has command buffers") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Pages a(64, 4), b(64, 4);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  auto q = runtime->prepare(make_increment(), {b.binding()});
  softmetal_hold(1);
  std::atomic<int> made = 0;
  std::thread user([&] {
    for (; made < 200; ++made) p->dispatch({64}, {64}, false);
  });
  while (made < 60) std::this_thread::yield();
  // Nobody else waits for a lock meanwhile.
  q->bind(0, b.binding());
  softmetal_hold(0);
  user.join();
  p->read(0);
  CHECK(a[63] == 200);
  CHECK(b[0] == 0);
}
