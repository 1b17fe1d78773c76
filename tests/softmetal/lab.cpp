// libmsl_lab.so: software Metal's kernels are compiled and run as MSL text by the lab in tests/msl,
// always with its checks for races and bounds.
//
// SOFTMETAL_COMPILER names this library, or a test links with it and passes its one function,
// softmetal_compile_kernel, to softmetal_set_kernel_compiler. Whatever the lab finds (race, out of
// bounds, divergent barrier, fault, time) is the text of the command buffer's error, with the line
// of the MSL and that of the Python: "race: write of ... at line 7 (page.py:9)".
//
// Two processes serve each process that uses it, started when they are first needed: Python with
// msl.service compiles and explains; the lab's server, tests/msl/rt, runs kernels on copies of the
// buffers, and is started again after a kernel has brought it down. Only what a kernel has changed
// is written back. MSL_LAB_SECONDS is how long a kernel that is
// compiled then may run, 60 unless set; MSL_LAB_SCHEDULE is the order of its threads: forward,
// reverse or random.

#include "lab.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <tuple>
#include <vector>

#include "child.h"

namespace msl_lab {
namespace {

using Strings = std::vector<std::string>;

struct Process {
  std::mutex mutex;
  Child child;
};
constinit Process service, server;

[[gnu::constructor]] void watch_forks() {
  // A lock that another thread has held is held for ever in the child: it gets new ones.
  pthread_atfork(nullptr, nullptr, [] {
    for (Process* p : {&service, &server}) {
      p->child.forget();
      new (p) Process;
    }
  });
}

[[gnu::destructor]] void end_children() {
  for (Process* p : {&service, &server}) {
    std::unique_lock lock(p->mutex, std::try_to_lock);
    if (lock) p->child.end();  // another thread may be waiting for it; then it ends without us
  }
}

char* copied(const std::string& text) { return strdup(text.c_str()); }

// ---- The service ------------------------------------------------------------------------------

bool put(const Child& child, const Strings& strings) {
  std::string message;
  auto number = [&](size_t n) {
    const auto bits = static_cast<uint32_t>(n);
    message.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  };
  number(strings.size());
  for (const std::string& s : strings) {
    number(s.size());
    message += s;
  }
  return child.send(message.data(), message.size());
}

template <class T>
bool get(const Child& child, T& to) {
  return child.receive(&to, sizeof to);
}

bool get(const Child& child, std::string& to) {
  uint32_t length;
  if (!get(child, length)) return false;
  to.resize(length);
  return child.receive(to.data(), length);
}

bool get(const Child& child, Strings& to) {
  uint32_t count;
  if (!get(child, count)) return false;
  to.resize(count);
  for (std::string& s : to) {
    if (!get(child, s)) return false;
  }
  return true;
}

// The answer; empty when there is none. Compilation is the same when it is asked for again, so a
// service that somebody has killed is started once more.
Strings ask(const Strings& request) {
  static const Strings command = {
      MSL_LAB_PYTHON, "-I", "-c",
      "import sys; sys.path.insert(0, sys.argv[1]); from msl.service import main; main()",
      MSL_LAB_TESTS};
  std::lock_guard lock(service.mutex);
  Child& child = service.child;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!child.running() && !child.start(command)) return {};
    Strings answer;
    if (put(child, request) && get(child, answer)) return answer;
    child.end();
  }
  return {};
}

// ---- Running ----------------------------------------------------------------------------------

struct Slot {
  std::string name;
  uint32_t index, element;
  bool written;
};

struct Kernel {
  std::string source, server, library, symbol;
  uint32_t fibers, milliseconds, schedule;
  uint64_t runs = 0;
  std::vector<Slot> slots;
};

// Memory that kernels get a copy of: what several slots share is copied once.
struct Region {
  char* begin;
  char* end;
  const Slot* slot;  // the first
  bool written;
  std::vector<char> sent;  // of what may be written
  size_t size() const { return static_cast<size_t>(end - begin); }
};

struct Place {
  uint32_t region;
  uint64_t offset;
};

void arrange(const Kernel& kernel, const softmetal_launch& launch, std::vector<Region>& regions,
             std::vector<Place>& places) {
  for (const Slot& slot : kernel.slots) {
    const softmetal_binding& b = launch.bindings[slot.index];
    auto* begin = static_cast<char*>(b.data);
    regions.push_back({begin, begin + b.bytes, &slot, slot.written, {}});
  }
  std::sort(regions.begin(), regions.end(), [](const Region& a, const Region& b) {
    return std::tie(a.begin, a.slot) < std::tie(b.begin, b.slot);
  });
  size_t kept = 0;
  for (size_t i = 1; i < regions.size(); ++i) {
    Region &last = regions[kept], &next = regions[i];
    if (next.begin < last.end) {
      last.end = std::max(last.end, next.end);
      last.written |= next.written;
    } else {
      regions[++kept] = next;
    }
  }
  regions.resize(std::min(regions.size(), kept + 1));
  for (const Slot& slot : kernel.slots) {
    auto* begin = static_cast<char*>(launch.bindings[slot.index].data);
    size_t r = regions.size();
    while (r-- > 1 && regions[r].begin > begin) {
    }
    places.push_back({static_cast<uint32_t>(r), static_cast<uint64_t>(begin - regions[r].begin)});
  }
}

class Message {
 public:
  explicit Message(const Child& child) : child_(child) {}
  template <class T>
  void put(T value) {
    pending_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& text) {
    put(static_cast<uint32_t>(text.size()));
    pending_ += text;
  }
  void put(const char* data, size_t bytes) {
    if (bytes <= 4096) {
      pending_.append(data, bytes);
    } else {
      flush();
      sent_ = sent_ && child_.send(data, bytes);
    }
  }
  bool flush() {
    sent_ = sent_ && child_.send(pending_.data(), pending_.size());
    pending_.clear();
    return sent_;
  }

 private:
  const Child& child_;
  std::string pending_;
  bool sent_ = true;
};

// As tests/msl/rt/server.cpp reads it.
bool send(const Child& child, const Kernel& kernel, const softmetal_launch& launch,
          std::vector<Region>& regions, const std::vector<Place>& places) {
  Message m(child);
  m.put(kernel.library);
  m.put(kernel.symbol);
  m.put(kernel.schedule);
  m.put(kernel.runs);  // the seed
  m.put(uint32_t{1});  // checked
  m.put(kernel.fibers);
  for (uint32_t n : launch.grid) m.put(n);
  for (uint32_t n : launch.threads) m.put(n);
  m.put(kernel.milliseconds);
  m.put(static_cast<uint32_t>(regions.size()));
  for (Region& r : regions) {
    m.put(r.slot->name);
    m.put(static_cast<uint64_t>(r.size()));
    m.put(r.slot->element);
    m.put(uint32_t{r.written});
    if (r.written) r.sent.assign(r.begin, r.end);
    m.put(r.written ? r.sent.data() : r.begin, r.size());
  }
  m.put(static_cast<uint32_t>(places.size()));
  for (const Place& p : places) {
    m.put(p.region);
    m.put(p.offset);
  }
  return m.flush();
}

// A kernel's own bytes only: the memory between is not the GPU's to write.
void write_changes(const Region& region, const std::vector<char>& now) {
  constexpr size_t kBlock = 256;
  for (size_t at = 0; at < now.size(); at += kBlock) {
    const size_t end = std::min(at + kBlock, now.size());
    if (std::memcmp(&now[at], &region.sent[at], end - at) == 0) continue;
    for (size_t i = at; i < end; ++i) {
      if (now[i] != region.sent[i]) region.begin[i] = now[i];
    }
  }
}

struct Outcome {
  uint32_t status = 0;
  Strings findings;  // kind, text and five numbers of each
};

bool receive(const Child& child, std::vector<Region>& regions, Outcome& outcome) {
  uint32_t count;
  if (!get(child, outcome.status) || !get(child, count)) return false;
  for (; count > 0; --count) {
    std::string kind, text;
    uint64_t numbers[5];
    if (!get(child, kind) || !get(child, text) || !get(child, numbers)) return false;
    outcome.findings.insert(outcome.findings.end(), {kind, text});
    for (uint64_t n : numbers) outcome.findings.push_back(std::to_string(n));
  }
  uint64_t divergent_and_time[2];
  if (!get(child, divergent_and_time)) return false;
  if (outcome.status == 2) return true;  // the server has ended
  std::vector<char> now;
  for (const Region& r : regions) {
    if (!r.written) continue;
    now.resize(r.size());
    if (!child.receive(now.data(), now.size())) return false;
    if (outcome.findings.empty()) write_changes(r, now);
  }
  return true;
}

// Findings of the server, or what became of it.
Outcome run_in_server(const Kernel& kernel, const softmetal_launch& launch) {
  std::vector<Region> regions;
  std::vector<Place> places;
  arrange(kernel, launch, regions, places);
  std::lock_guard lock(server.mutex);
  Child& child = server.child;
  Outcome outcome;
  if (!child.running() && !child.start({kernel.server})) {
    return {2, {"fault", "the server cannot be started", "0", "0", "0", "0", "1"}};
  }
  bool answered = send(child, kernel, launch, regions, places) && receive(child, regions, outcome);
  if (!answered || outcome.status == 2) {
    std::string how = child.end();
    if (!answered) {
      return {2, {"fault", "the server ended with " + how, "0", "0", "0", "0", "1"}};
    }
  }
  return outcome;
}

uint32_t most_milliseconds() {
  const char* seconds = std::getenv("MSL_LAB_SECONDS");
  return seconds ? static_cast<uint32_t>(std::atof(seconds) * 1000) : 60000;
}

uint32_t schedule() {
  const char* name = std::getenv("MSL_LAB_SCHEDULE");
  if (!name) return 0;
  return std::strcmp(name, "random") == 0 ? 2 : std::strcmp(name, "reverse") == 0 ? 1 : 0;
}

uint32_t number(const std::string& digits) {
  return static_cast<uint32_t>(std::strtoul(digits.c_str(), nullptr, 10));
}

softmetal_fault run(void* context, const softmetal_launch* launch) {
  auto& kernel = *static_cast<Kernel*>(context);
  ++kernel.runs;
  Outcome outcome = run_in_server(kernel, *launch);
  if (outcome.findings.empty()) return {};
  const std::string kind = outcome.findings[0];
  Strings request = {"findings", kernel.source, kernel.library};
  request.insert(request.end(), outcome.findings.begin(), outcome.findings.end());
  Strings answer = ask(request);
  if (answer.size() != 2) answer = {kind + ": " + outcome.findings[1], "0"};
  const int code = kind == "time"            ? SOFTMETAL_TIMEOUT
                   : kind == "out of bounds" ? SOFTMETAL_PAGE_FAULT
                                             : SOFTMETAL_INTERNAL;
  return {copied(answer[0]), code, number(answer[1])};
}

}  // namespace
}  // namespace msl_lab

using namespace msl_lab;

extern "C" __attribute__((visibility("default"))) int softmetal_compile_kernel(
    const char* source, const char* function, const softmetal_options* options,
    softmetal_kernel* kernel, char** messages) {
  Strings request = {"compile", source, function};
  for (uint32_t k = 0; k < options->constant_count; ++k) {
    request.push_back(std::to_string(options->constants[k].index));
    request.push_back(std::to_string(options->constants[k].bits));
  }
  Strings answer = ask(request);
  if (answer.size() < 7 || answer[0] != "ok") {
    *messages = copied(answer.size() == 2 ? answer[1] : "the MSL lab's service has ended\n");
    return 1;
  }
  auto made = std::make_unique<Kernel>();
  made->source = source;
  made->server = answer[1];
  made->library = answer[2];
  made->symbol = answer[3];
  made->fibers = number(answer[4]);
  made->milliseconds = most_milliseconds();
  made->schedule = schedule();
  for (size_t i = 7; i + 3 < answer.size(); i += 4) {
    made->slots.push_back(
        {answer[i], number(answer[i + 1]), number(answer[i + 2]), answer[i + 3] == "1"});
  }
  kernel->max_threads = number(answer[5]);
  kernel->threadgroup_bytes = number(answer[6]);
  kernel->run = run;
  kernel->destroy = [](void* context) { delete static_cast<Kernel*>(context); };
  kernel->context = made.release();
  return 0;
}
