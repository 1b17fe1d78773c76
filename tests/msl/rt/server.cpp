// The process that kernels run in: it reads requests from its input, runs them, and answers; a
// fault of a kernel is answered as well, with what was touched, before the process ends.
#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <unordered_map>

#include "run.h"

namespace msl {

extern "C" {
char* msl_section_begin = nullptr;
char* msl_section_end = nullptr;
}

namespace {

constexpr size_t kPage = 4096 * 16;  // 64 KiB suit every page size there is
// Before and behind a buffer nothing is accessible as far as any 32-bit index reaches.
constexpr size_t kGuard = size_t{16} << 30;
constexpr size_t kMaxLibraries = 1024;
int answer_to;
pid_t parent;

[[noreturn]] void end(const char* why) {
  fprintf(stderr, "msl server: %s\n", why);
  _exit(3);
}

void read_all(void* to, size_t n) {
  auto* p = static_cast<char*>(to);
  while (n) {
    ssize_t got = read(0, p, n);
    if (got <= 0) _exit(0);
    p += got;
    n -= static_cast<size_t>(got);
  }
}

void write_all(const void* from, size_t n) {
  auto* p = static_cast<const char*>(from);
  while (n) {
    ssize_t put = write(answer_to, p, n);
    if (put <= 0) _exit(0);
    p += put;
    n -= static_cast<size_t>(put);
  }
}

template <class T>
T get() {
  T x;
  read_all(&x, sizeof x);
  return x;
}

std::string get_string() {
  std::string s(get<uint32_t>(), '\0');
  read_all(s.data(), s.size());
  return s;
}

void put_string(const std::string& s) {
  auto n = static_cast<uint32_t>(s.size());
  write_all(&n, sizeof n);
  write_all(s.data(), n);
}

// The last byte of the buffer is the last before an inaccessible page, or as near to it as leaves
// the first one at a multiple of 16: a float4 lies so in Metal's buffers, and a vector access to
// another place ends the process.
Buffer make_buffer(std::string name, size_t size, unsigned element, bool is_threadgroup) {
  Buffer b;
  b.name = std::move(name);
  b.size = size;
  b.element = element ? element : 1;
  b.is_threadgroup = is_threadgroup;
  size_t inner = (size + kPage - 1) / kPage * kPage;
  b.reserved_size = inner + 2 * kGuard;
  void* p =
      mmap(nullptr, b.reserved_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) end("no memory for a buffer");
  b.reserved = static_cast<char*>(p);
  char* usable = b.reserved + kGuard;
  if (inner) mprotect(usable, inner, PROT_READ | PROT_WRITE);
  constexpr size_t kAligned = 16;
  b.begin = usable + (inner - size) / kAligned * kAligned;
  return b;
}

struct Library {
  void* handle;
  char *begin, *end;
  uintptr_t base;
};
std::unordered_map<std::string, Library> libraries;
Library current;

Library& load(const std::string& path) {
  auto at = libraries.find(path);
  if (at != libraries.end()) return at->second;
  if (libraries.size() >= kMaxLibraries) {  // a process has only so many mappings
    for (auto& known : libraries) dlclose(known.second.handle);
    libraries.clear();
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) end(dlerror());
  auto bound = [&](const char* name) -> char* {
    auto* get = reinterpret_cast<char* (*)()>(dlsym(handle, name));
    return get ? get() : nullptr;
  };
  Dl_info info{};
  dladdr(dlsym(handle, "msl_library"), &info);
  return libraries[path] = {handle, bound("msl_section_first"), bound("msl_section_last"),
                            reinterpret_cast<uintptr_t>(info.dli_fbase)};
}

void put(const Finding& f) {
  put_string(f.kind);
  put_string(f.text);
  uint64_t numbers[5] = {f.pc ? f.pc - current.base : 0, f.other_pc ? f.other_pc - current.base : 0,
                         f.line, f.other_line, f.count};
  write_all(numbers, sizeof numbers);
}

// Status, findings, divergent operations, nanoseconds.
void put_report(uint32_t status, uint64_t nanoseconds) {
  write_all(&status, sizeof status);
  auto n = static_cast<uint32_t>(report.findings.size());
  write_all(&n, sizeof n);
  for (const Finding& f : report.findings) put(f);
  write_all(&report.divergent_simd, sizeof report.divergent_simd);
  write_all(&nanoseconds, sizeof nanoseconds);
}

uintptr_t interrupted(void* context) {
#if defined(__x86_64__)
  return static_cast<uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]) + 1;
#else
  return static_cast<ucontext_t*>(context)->uc_mcontext.pc + 1;
#endif
}

void on_fault(int number, siginfo_t* info, void* context) {
  Finding f;
  f.kind = number == SIGSEGV || number == SIGBUS ? "out of bounds" : "fault";
  f.pc = interrupted(context);
#if defined(__x86_64__)
  bool write = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
  bool write = false;
#endif
  char text[300];
  const Buffer* b = run && f.kind[0] == 'o' ? find_buffer(info->si_addr) : nullptr;
  if (b) {
    long offset = static_cast<char*>(info->si_addr) - b->begin;
    snprintf(text, sizeof text,
             "%s of %s[%ld], which has %zu elements, by thread %u of "
             "threadgroup %u",
             write ? "write" : "read", b->name.c_str(), offset / static_cast<long>(b->element),
             b->size / b->element, place.thread, place.group);
  } else {
    snprintf(text, sizeof text, "signal %s at address %p in thread %u of threadgroup %u",
             sigabbrev_np(number), info->si_addr, place.thread, place.group);
  }
  f.text = text;
  report.findings.push_back(f);
  put_report(2, 0);
  _exit(0);
}

// How long a kernel may run, and how long it has: the processor's time, since others may want it.
struct {
  uint32_t milliseconds = 0, passed = 0;
} limit;
constexpr uint32_t kTick = 500;

// Whatever has been interrupted, the allocator too: nothing is allocated here.
void on_tick(int, siginfo_t*, void* context) {
  if (getppid() != parent) _exit(0);
  limit.passed += kTick;
  if (limit.passed < limit.milliseconds) return;
  char text[64];
  int length =
      snprintf(text, sizeof text, "the kernel did not end within %g s", limit.milliseconds * 1e-3);
  const struct {
    uint32_t status = 2, findings = 1, kind_length = 4;
    char kind[4] = {'t', 'i', 'm', 'e'};
  } head;
  static_assert(sizeof head == 16);
  const auto text_length = static_cast<uint32_t>(length);
  // Where it is, if that is the kernel and not the checker, and its last access.
  const uint64_t numbers[5] = {interrupted(context) - current.base,
                               place.pc ? place.pc - current.base : 0, 0, 0, 1};
  const uint64_t rest[2] = {};
  write_all(&head, sizeof head);
  write_all(&text_length, sizeof text_length);
  write_all(text, text_length);
  write_all(numbers, sizeof numbers);
  write_all(rest, sizeof rest);
  _exit(0);
}

void set_timer(uint32_t milliseconds) {
  itimerval every{};
  every.it_interval.tv_usec = every.it_value.tv_usec = static_cast<long>(milliseconds) * 1000;
  setitimer(ITIMER_PROF, &every, nullptr);
}

void catch_faults() {
  stack_t alternative{};
  alternative.ss_size = 1 << 18;
  alternative.ss_sp = malloc(alternative.ss_size);
  sigaltstack(&alternative, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigaction(s, &action, nullptr);
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
}

// What a buffer is to the caller: given, given and read back, or memory of the threadgroup.
enum class Kind : uint32_t { Given, Written, Threadgroup };

void serve_one() {
  Run r;
  std::string path = get_string(), symbol = get_string();
  current = load(path);
  r.entry = reinterpret_cast<decltype(r.entry)>(dlsym(current.handle, symbol.c_str()));
  if (!r.entry) end("the library lacks the kernel's entry");
  msl_section_begin = current.begin;
  msl_section_end = current.end;
  r.schedule = static_cast<Schedule>(get<uint32_t>());
  r.seed = get<uint64_t>();
  r.checked = get<uint32_t>() != 0;
  r.fibers = get<uint32_t>() != 0;
  for (unsigned& x : r.grid) x = get<uint32_t>();
  for (unsigned& x : r.threads) x = get<uint32_t>();
  limit = {get<uint32_t>(), 0};
  std::vector<Kind> kinds(get<uint32_t>());
  for (Kind& kind : kinds) {
    std::string name = get_string();
    auto size = get<uint64_t>();
    auto element = get<uint32_t>();
    kind = static_cast<Kind>(get<uint32_t>());
    r.buffers.push_back(make_buffer(std::move(name), size, element, kind == Kind::Threadgroup));
    r.buffers.back().is_read_only = kind == Kind::Given;
    if (kind != Kind::Threadgroup) read_all(r.buffers.back().begin, size);
  }
  for (auto slots = get<uint32_t>(); slots > 0; --slots) {
    auto buffer = get<uint32_t>();
    r.slots.push_back(r.buffers.at(buffer).begin + get<uint64_t>());
  }
  timespec t0, t1;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  set_timer(kTick);
  execute(r);
  set_timer(0);
  clock_gettime(CLOCK_MONOTONIC, &t1);
  put_report(report.findings.empty() ? 0 : 1,
             static_cast<uint64_t>((t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec));
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Buffer& b = r.buffers[i];
    if (kinds[i] == Kind::Written) write_all(b.begin, b.size);
    munmap(b.reserved, b.reserved_size);
  }
}

}  // namespace
}  // namespace msl

int main() {
  // Answers have a descriptor of their own: nothing that prints can spoil them.
  msl::answer_to = dup(1);
  dup2(2, 1);
  msl::parent = getppid();
  msl::catch_faults();
  for (;;) msl::serve_one();
}
