// The thread pool: every group once, whoever asks, also after a fork and when a kernel faults.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/cpu/pool.h"
#include "support/cpu_abi.h"

using namespace enigma;
using cpu::Job;
using cpu::Pace;
using cpu::Pool;

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool kThreadSanitizer = false;
#endif

namespace {

using Clock = std::chrono::steady_clock;

void work_for(std::chrono::nanoseconds time) {
  for (auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

// A grid whose kernel counts the visits of each group.
struct Counting {
  std::vector<uint8_t> visits;  // not atomic: a group that two threads run is a race
  std::vector<uint64_t> args;
  cpu_abi::Fault fault{};
  Pace pace;

  explicit Counting(int64_t groups, uint64_t ns_per_group = 0, uint64_t fault_at = ~0ull)
      : visits(static_cast<size_t>(groups)) {
    args.resize(cpu_abi::kFirstParam + 3);
    args[cpu_abi::kFault] = reinterpret_cast<uint64_t>(&fault);
    args[cpu_abi::kFirstParam] = reinterpret_cast<uint64_t>(visits.data());
    args[cpu_abi::kFirstParam + 1] = ns_per_group;
    args[cpu_abi::kFirstParam + 2] = fault_at;
  }

  static void kernel(const uint64_t* args, int64_t begin, int64_t end, void* scratch) {
    auto* visits = reinterpret_cast<uint8_t*>(args[cpu_abi::kFirstParam]);
    auto* words = static_cast<int64_t*>(scratch);
    for (int64_t i = begin; i < end; ++i) {
      words[0] = words[31] = i;  // scratch is nobody else's
      if (uint64_t ns = args[cpu_abi::kFirstParam + 1]) work_for(std::chrono::nanoseconds(ns));
      ++visits[i];
      if (words[0] != i || words[31] != i) visits[i] = 100;
      if (static_cast<uint64_t>(i) == args[cpu_abi::kFirstParam + 2]) {
        auto* fault = reinterpret_cast<cpu_abi::Fault*>(args[cpu_abi::kFault]);
        __atomic_store_n(&fault->kind, 1u, __ATOMIC_RELEASE);
        return;
      }
    }
  }

  void run(Pool& pool) {
    pool.run(Job{kernel, args.data(), static_cast<int64_t>(visits.size()), 256, &pace});
  }
  bool all(uint8_t times) const {
    for (uint8_t v : visits) {
      if (v != times) return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("every group runs once") {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    Pool pool(threads);
    for (int64_t groups : {1, 2, 3, 7, 64, 1000, 100000}) {
      for (uint64_t ns : {0, 300}) {
        CAPTURE(threads);
        CAPTURE(groups);
        Counting grid(groups, ns);
        grid.run(pool);
        CHECK(grid.all(1));
        grid.run(pool);  // now the pace is known
        CHECK(grid.all(2));
      }
    }
  }
}

TEST_CASE("ten thousand dispatches of changing size") {
  Pool pool(2);
  Counting small(5), middle(300, 200), large(3000, 100);
  for (int i = 0; i < 10000; ++i) {
    small.run(pool);
    if (i % 50 == 0) middle.run(pool);
    if (i % 500 == 0) large.run(pool);
    if (i % 200 == 199) {  // 200 visits do not overflow the counters
      CHECK(small.all(200));
      small.visits.assign(small.visits.size(), 0);
    }
  }
  CHECK(middle.all(200));
  CHECK(large.all(20));
}

TEST_CASE("small jobs one after the other have the workers take part") {
  static std::thread::id caller;
  static std::atomic<bool> helped;
  caller = std::this_thread::get_id();
  helped = false;
  auto kernel = [](const uint64_t*, int64_t begin, int64_t end, void*) {
    work_for(std::chrono::microseconds(end - begin));
    if (std::this_thread::get_id() != caller) helped = true;
  };
  Pool pool(2);
  Pace pace;
  std::vector<uint64_t> args(cpu_abi::kFirstParam);
  auto end = Clock::now() + std::chrono::seconds(20);
  while (!helped && Clock::now() < end) pool.run(Job{kernel, args.data(), 50, 256, &pace});
  CHECK(helped);
}

TEST_CASE("eight threads dispatch at once") {
  Pool pool(3);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        Counting grid(100 + 10 * t + i, i % 3 == 0 ? 3000 : 0);
        grid.run(pool);
        grid.run(pool);
        wrong += !grid.all(2);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("one pace may be shared by threads") {
  Pool pool(2);
  Pace pace;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        Counting grid(50, 100);
        pool.run(Job{Counting::kernel, grid.args.data(), 50, 256, &pace});
        CHECK(grid.all(1));
      }
    });
  }
  for (auto& t : threads) t.join();
}

TEST_CASE("a job inside a job runs on its own thread") {
  static Pool* pool;
  Pool own(2);
  pool = &own;
  auto outer = [](const uint64_t*, int64_t begin, int64_t end, void*) {
    for (int64_t i = begin; i < end; ++i) {
      Counting inner(200, 1000);
      inner.run(*pool);
      CHECK(inner.all(1));
    }
  };
  cpu_abi::Fault fault{};
  uint64_t args[16] = {};
  args[cpu_abi::kFault] = reinterpret_cast<uint64_t>(&fault);
  Pace pace;
  pool->run(Job{outer, args, 20, 0, &pace});
  pool->run(Job{outer, args, 20, 0, &pace});
}

TEST_CASE("a fault stops the job and nothing else") {
  Pool pool(2);
  for (uint64_t at : {0, 1, 500, 9999}) {
    Counting grid(10000, 500, at);
    grid.run(pool);
    CHECK(grid.fault.kind == 1);
    CHECK(grid.visits[at] == 1);
    for (uint8_t v : grid.visits) CHECK(v <= 1);
    grid.fault = {};
    grid.args.back() = ~0ull;
    grid.visits.assign(grid.visits.size(), 0);
    grid.run(pool);
    CHECK(grid.all(1));
  }
}

TEST_CASE("pools come and go") {
  for (int i = 0; i < 100; ++i) {
    Pool pool(2);
    Counting grid(400, i % 2 ? 1000 : 0);
    grid.run(pool);
    CHECK(grid.all(1));
  }
}

TEST_CASE("a forked child has workers of its own") {
  if (kThreadSanitizer) return;  // it does not allow threads in a forked child
  Pool pool(2);
  Counting before(2000, 200);
  before.run(pool);
  for (int round = 0; round < 3; ++round) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(20);  // a child that hangs dies, and fails the test
      Counting grid(2000, 200);
      grid.run(pool);
      grid.run(pool);
      bool right = grid.all(2);
      {
        Pool own(2);
        grid.run(own);
      }
      _exit(right && grid.all(3) ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    before.run(pool);
  }
  CHECK(before.all(4));
}

TEST_CASE("a fork while another thread dispatches") {
  if (kThreadSanitizer) return;
  Pool pool(2);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      Counting grid(500, 500);
      grid.run(pool);
    }
  });
  for (int round = 0; round < 10; ++round) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      Counting grid(1000, 500);
      grid.run(pool);
      _exit(grid.all(1) ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  stop = true;
  other.join();
}
