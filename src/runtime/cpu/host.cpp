// Asks the instruction cpuid, Linux's /proc/cpuinfo on ARM, or sysctl on a Mac.

#include "runtime/cpu/host.h"

#include <string_view>

#include "support/text.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <sys/auxv.h>

#include <fstream>
#endif

namespace enigma::cpu {

const char* instruction_set() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  if (__builtin_cpu_supports("avx")) return "avx";
  return "sse";
#else
  return "neon";
#endif
}

int vectors() {
  const std::string_view set = instruction_set();
  return set == "avx512" ? 16 : set == "sse" ? 2 : 4;
}

bool has_scalef() { return std::string_view(instruction_set()) == "avx512"; }

#if defined(__x86_64__)

// The leaves with the vendor, the model and the features. Masks leave out what differs from core to
// core: the number of the core, sizes of caches.
std::string host_identity() {
  constexpr struct {
    unsigned leaf, subleaf;
    bool a, b, c, d;
  } kLeaves[] = {
      {0, 0, false, true, true, true},
      {1, 0, true, false, true, true},
      {7, 0, true, true, true, true},
      {7, 1, true, true, true, true},
      {0xd, 1, true, false, false, false},
      {0x14, 0, false, true, false, false},
      {0x19, 0, false, true, false, false},
      {0x1e, 1, true, false, false, false},
      {0x24, 0, false, true, false, false},
      {0x80000001, 0, false, false, true, true},
      {0x80000008, 0, false, true, false, false},
  };
  Text t;
  t.add("x86-64");
  unsigned a = 0, b = 0, c = 0, d = 0;
  for (const auto& row : kLeaves) {
    if (!__get_cpuid_count(row.leaf, row.subleaf, &a, &b, &c, &d)) continue;
    t.add(' ', row.leaf, '.', row.subleaf, ':');
    t.add(row.a ? a : 0, ',', row.b ? b : 0, ',', row.c ? c : 0, ',', row.d ? d : 0);
  }
  // Which registers the system saves, where it says so.
  constexpr unsigned kOsxsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & kOsxsave) != 0) {
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    t.add(" xcr0:", low, ',', high);
  }
  return t.str();
}

#elif defined(__APPLE__)

std::string host_identity() {
  uint32_t family = 0;
  size_t size = sizeof family;
  sysctlbyname("hw.cpufamily", &family, &size, nullptr, 0);
  char build[64] = "";
  size = sizeof build - 1;
  sysctlbyname("kern.osversion", build, &size, nullptr, 0);
  return concat("apple ", family, ' ', build);
}

#else

std::string host_identity() {
  Text t;
  t.add("aarch64 ", getauxval(AT_HWCAP), ' ', getauxval(AT_HWCAP2));
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first core's lines
    if (line.starts_with("CPU ") || line.starts_with("Features")) t.add('\n', line);
  }
  return t.str();
}

#endif

}  // namespace enigma::cpu
