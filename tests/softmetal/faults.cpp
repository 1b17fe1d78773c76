// Faults to order, the machine that is played, and counts of what has happened.

#include <dlfcn.h>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

#include "runtime.h"

namespace softmetal {
namespace {

constexpr std::string_view kFaults[] = {
    "no device",
    "no queue",
    "no command buffer",
    "library error",
    "library warning",
    "function error",
    "pipeline error",
    "buffer allocation",
    "no-copy refused",
    "archive error",
    "timeout",
    "page fault",
    "out of memory",
    "command buffer error",
    "access revoked",
    "async copy refused",
    "async copy escaped only",
};

struct Plan {
  uint32_t count = 0, skip = 0;
};

struct State {
  std::mutex mutex;
  std::condition_variable released;
  std::map<std::string, Plan, std::less<>> plans;
  std::atomic<uint32_t> planned{0};
  int held = 0;
  Os os{15, 0};
  int family = 9;
  softmetal_kernel_compiler compiler = nullptr;
  Statistics statistics{};

  State() {
    if (const char* f = std::getenv("SOFTMETAL_FAMILY")) family = std::atoi(f);
    if (const char* v = std::getenv("SOFTMETAL_OS")) {
      os.major = std::atoi(v);
      const char* dot = std::strchr(v, '.');
      os.minor = dot ? std::atoi(dot + 1) : 0;
    }
    if (const char* f = std::getenv("SOFTMETAL_FAULTS")) plan(f);
    if (const char* path = std::getenv("SOFTMETAL_COMPILER")) load(path);
  }

  // "pipeline error, buffer allocation:2"
  void plan(std::string_view text) {
    while (!text.empty()) {
      size_t end = std::min(text.find(','), text.size());
      std::string_view one = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
      size_t colon = one.find(':');
      std::string name(one.substr(0, colon));
      uint32_t count =
          colon == one.npos ? 1 : std::atoi(std::string(one.substr(colon + 1)).c_str());
      if (!add(name, count, 0)) {
        std::fprintf(stderr, "softmetal: SOFTMETAL_FAULTS names no fault \"%s\"\n", name.c_str());
        std::abort();
      }
    }
  }

  bool add(std::string_view name, uint32_t count, uint32_t skip) {
    for (std::string_view known : kFaults) {
      if (known != name) continue;
      plans[std::string(name)] = {count, skip};
      planned = static_cast<uint32_t>(plans.size());
      return true;
    }
    return false;
  }

  void load(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library ? dlsym(library, "softmetal_compile_kernel") : nullptr;
    if (!symbol) {
      std::fprintf(stderr, "softmetal: SOFTMETAL_COMPILER: %s\n", dlerror());
      std::abort();
    }
    compiler = reinterpret_cast<softmetal_kernel_compiler>(symbol);
  }
};

State& state() {
  static auto* s = new State;
  return *s;
}

}  // namespace

bool strikes(const char* fault) {
  State& s = state();
  if (s.planned == 0) return false;
  std::lock_guard lock(s.mutex);
  auto found = s.plans.find(std::string_view(fault));
  if (found == s.plans.end()) return false;
  Plan& plan = found->second;
  if (plan.skip > 0) return --plan.skip, false;
  if (--plan.count == 0) s.plans.erase(found);
  s.planned = static_cast<uint32_t>(s.plans.size());
  return true;
}

Os os() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.os;
}

int family() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.family;
}

softmetal_kernel_compiler kernel_compiler() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.compiler;
}

void wait_while_held() {
  State& s = state();
  std::unique_lock lock(s.mutex);
  s.released.wait(lock, [&] { return s.held == 0; });
}

Statistics& statistics() { return state().statistics; }

}  // namespace softmetal

using namespace softmetal;

extern "C" {

void softmetal_set_kernel_compiler(softmetal_kernel_compiler compiler) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.compiler = compiler;
}

int softmetal_inject(const char* fault, uint32_t count, uint32_t skip) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return count > 0 && s.add(fault, count, skip);
}

void softmetal_clear_faults(void) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.plans.clear();
  s.planned = 0;
}

void softmetal_set_family(int apple) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.family = apple;
}

void softmetal_set_os(int major, int minor) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.os = {major, minor};
}

void softmetal_hold(int held) {
  State& s = state();
  {
    std::lock_guard lock(s.mutex);
    s.held = held;
  }
  s.released.notify_all();
}

softmetal_statistics softmetal_get_statistics(void) {
  Statistics& s = statistics();
  return {s.libraries,
          s.pipelines,
          s.archive_hits,
          s.command_buffers,
          s.dispatches,
          s.shared_buffers,
          {s.msl_version, static_cast<int>(s.fast_math.load())}};
}

}  // extern "C"
