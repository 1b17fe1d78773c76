// The machine around the runtime: versions of macOS, forks, folders with odd names, numbers as
// Metal's compiler takes them, and where in Python its errors point to.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "kernels.h"

using namespace enigma;
using namespace testing;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What f says in a child by fork, or that it hangs.
std::string in_child(const std::function<std::string()>& f) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    alarm(20);
    std::string said = f();
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string said;
  char buffer[512];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : said + " [hung or crashed]";
}

constexpr const char* kForked =
    "Metal does not work in a process that was forked from one that has used it; start processes "
    "in another way (multiprocessing.set_start_method(\"spawn\")), or use Metal in the child alone";

}  // namespace

TEST_CASE("a child of fork is told so, and ends") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Pages a(64, 4);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  softmetal_hold(1);  // work is in flight, which the child would wait for
  p->dispatch({64}, {64}, false);
  Launch launches[] = {{p.get(), {64}, {64}}};
  const std::function<void()> uses[] = {
      [&] { p->dispatch({64}, {64}); },
      [&] { p->dispatch_timed({64}, {64}); },
      [&] { p->read(0); },
      [&] { p->bind(0, a.binding()); },
      [&] { p->unbind(); },
      [&] { runtime->dispatch_batch(launches); },
      [&] { runtime->synchronize(); },
      [&] { runtime->prepare(make_increment(), {a.binding()}); },
  };
  for (const auto& use : uses) CHECK(in_child([&] { return message(use); }) == kForked);
  CHECK(in_child([&] {
          p.reset();
          runtime.reset();
          return std::string("ended");
        }) == "ended");
  softmetal_hold(0);
  runtime->synchronize();
  CHECK(a[0] == 1);
}

TEST_CASE("a child that alone uses Metal can") {
  CHECK(in_child([] {
          Lab lab;
          Pages a(64, 4);
          make_metal_runtime()->prepare(make_increment(), {a.binding()})->dispatch({64}, {64});
          return std::to_string(a[0]);
        }) == "1.000000");
}

TEST_CASE("macOS 26 may call itself 16, and 4.1 came with 27") {
  Lab lab;
  struct Case {
    int os;
    uint32_t version;
    const char* needs;  // or null where it is taken
  };
  for (const Case& c : {Case{16, 400, nullptr}, Case{26, 400, nullptr}, Case{26, 410, "macOS 27"},
                        Case{16, 410, "macOS 27"}, Case{27, 410, nullptr}}) {
    CAPTURE(c.os);
    softmetal_set_os(c.os, 0);
    auto runtime = make_metal_runtime();
    std::vector<float> a(4);
    auto kernel = make_increment();
    kernel->msl_version = c.version;
    std::string error = message([&] { runtime->prepare(kernel, {binding(a)}); });
    CHECK((c.needs ? has(error, c.needs) : error.empty()));
  }
}

TEST_CASE("a GPU that is not the default is found too") {
  Lab lab;
  softmetal_inject("no device", 1, 0);
  CHECK(make_metal_runtime()->capabilities().name == "Software Metal");
}

TEST_CASE("a cache folder whose name is no text") {
  Lab lab;
  const std::string folder = lab.cache() + "/caf\xe9";
  setenv("ENIGMA_CACHE_DIR", folder.c_str(), 1);
  for (int i = 0; i < 2; ++i) {
    auto runtime = make_metal_runtime();
    Pages a(64, 4);
    runtime->prepare(make_increment(), {a.binding()})->dispatch({64}, {64});
    CHECK(a[0] == 1);
  }
}

TEST_CASE("MSL that is no UTF-8") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  auto kernel = make_increment();
  kernel->msl += "// caf\xe9\n";
  CHECK(message([&] { runtime->prepare(kernel, {binding(a)}); }) ==
        "increment: its MSL is not UTF-8");
  kernel->msl = make_increment()->msl + "// caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n";
  runtime->prepare(kernel, {binding(a)});
}

TEST_CASE("drafts that a crash has left are removed, young ones are not") {
  Lab lab;
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(lab.cache()) / "metal";
  fs::create_directories(folder);
  const fs::path old = folder / "a.metalarchive.1.0.draft", young = folder / "b.2.0.draft";
  for (const fs::path& path : {old, young}) std::ofstream(path) << "x";
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(25));
  make_metal_runtime();
  CHECK(!fs::exists(old));
  CHECK(fs::exists(young));
}

namespace {

uint8_t g_seen;

int compile_flag(const char*, const char*, const softmetal_options*, softmetal_kernel* kernel,
                 char**) {
  kernel->run = [](void*, const softmetal_launch* l) -> softmetal_fault {
    g_seen = *static_cast<const uint8_t*>(l->bindings[0].data);
    return {};
  };
  return 0;
}

}  // namespace

TEST_CASE("a bool is 0 or 1, whatever byte is given") {
  Lab lab;
  softmetal_set_kernel_compiler(compile_flag);
  auto runtime = make_metal_runtime();
  auto kernel = std::make_shared<Artifact>();
  kernel->kernel_name = kernel->msl_name = "flag";
  kernel->msl = "kernel void flag(constant bool& on [[buffer(0)]]) {\n}\n";
  kernel->params = {{"on", 0, DType::B1, true, true, false}};
  for (int byte : {0, 1, 2, 255}) {
    uint8_t given = static_cast<uint8_t>(byte);
    auto p = runtime->prepare(kernel, {{&given, 1, nullptr}});
    p->dispatch({1}, {1});
    CHECK(g_seen == (byte != 0));
    given = static_cast<uint8_t>(255 - byte);
    p->bind(0, {&given, 1, nullptr});
    p->dispatch({1}, {1});
    CHECK(g_seen == (byte != 255));
  }
}

TEST_CASE("of files with one name the one that has the line is meant") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  auto kernel = make_increment();
  kernel->locations = {{"here/kernels.py", 3}, {"there/kernels.py", 12}, {"else/other.py", 12}};
  softmetal_inject("library error", 1, 0);
  CHECK(has(message([&] { runtime->prepare(kernel, {binding(a)}); }), "@ there/kernels.py:12"));
  kernel->locations = {{"here/kernels.py", 3}, {"there/kernels.py", 4}};
  softmetal_inject("library error", 1, 0);
  CHECK(has(message([&] { runtime->prepare(kernel, {binding(a)}); }), "@ here/kernels.py:12"));
}

TEST_CASE("the second compiler's error points to the kernel") {
  Lab lab;
  auto runtime = make_metal_runtime();
  std::vector<float> a(4);
  softmetal_inject("pipeline error", 1, 0);
  CHECK(has(message([&] { runtime->prepare(make_increment(), {binding(a)}); }),
            "@ dir/kernels.py:12"));
  auto bare = make_increment();
  bare->msl = "kernel void increment(device float* A [[buffer(0)]]) {\n}\n";
  softmetal_inject("pipeline error", 1, 0);
  CHECK(!has(message([&] { runtime->prepare(bare, {binding(a)}); }), " @ "));
}

TEST_CASE("a GPU that has had enough of us") {
  Lab lab;
  auto runtime = make_metal_runtime();
  Pages a(64, 4);
  auto p = runtime->prepare(make_increment(), {a.binding()});
  softmetal_inject("access revoked", 1, 0);
  CHECK(message([&] { p->dispatch({64}, {64}); }) ==
        "increment was refused, because kernels of this process have failed or hung too often; "
        "start the program again: Ignored (for causing prior/excessive GPU errors) (injected) "
        "(MTLCommandBufferErrorDomain, code 4)");
}
