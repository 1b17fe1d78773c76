// A run of a kernel: what it is given, what the scheduler knows of it, and what went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "../shim/msl/abi.h"

namespace msl {

using Triple = std::array<unsigned, 3>;

enum class Schedule : uint32_t { Forward, Reverse, Random };

struct Buffer {
  std::string name;
  char* begin = nullptr;  // up to an inaccessible page
  size_t size = 0;
  unsigned element = 1;
  char* reserved = nullptr;  // with the inaccessible pages before and behind
  size_t reserved_size = 0;
  bool is_threadgroup = false;
  bool is_read_only = false;
  mutable std::vector<struct Cell>* cells = nullptr;  // of the checker, once it has some
};

struct Run {
  void (*entry)(void** slots, const Builtins& builtins) = nullptr;
  Triple grid{1, 1, 1}, threads{1, 1, 1};
  Schedule schedule = Schedule::Forward;
  uint64_t seed = 0;
  bool checked = false;  // compiled with the callbacks of the race checker
  bool fibers = true;    // whether threads can meet at all
  std::vector<Buffer> buffers;
  std::vector<void*> slots;
};

// A finding; `pc` lets the caller name the line of the kernel.
struct Finding {
  std::string kind, text;
  uintptr_t pc = 0, other_pc = 0;
  unsigned line = 0, other_line = 0;
  uint64_t count = 1;
};

struct Report {
  std::vector<Finding> findings;
  uint64_t divergent_simd = 0;
  bool stop = false;  // the run is given up
};

// The thread that runs, as the checker sees it.
struct Place {
  uint32_t group = 0, thread = 0, simdgroup = 0;
  uint32_t device_epoch = 0, threadgroup_epoch = 0;  // barriers passed, by the memory they order
  uint32_t simd_device_epoch = 0, simd_threadgroup_epoch = 0;
  uintptr_t pc = 0;  // of its last access that was checked
};

extern Run* run;
extern Report report;
extern Place place;
extern std::vector<Buffer> threadgroup_variables;

void execute(Run& r);
[[noreturn]] void give_up();  // from a kernel: ends the run
std::string thread_name(uint32_t index);
uint32_t lanes_of(uint32_t simdgroup);  // that the threadgroup which runs has

void checker_begin();
void checker_end();
void check_access(const volatile void* address, unsigned size, bool write, bool atomic,
                  uintptr_t pc);
const Buffer* find_buffer(const void* address);  // reserved pages included

// Fences, for the checker: one is passed, an atomic was read and may be written, threads from
// `first` to `last` of the threadgroup met at a barrier for the memory of `flags`. An access that
// was made is known when the thread that runs now has heard of it by way of these.
struct Made {
  uint32_t group, thread, simdgroup;
  uint32_t fences, simd_epoch, epoch;  // that its thread, SIMD-group, threadgroup had passed
};
void fences_begin();
void fences_pass(unsigned flags, bool for_device);
void fences_atomic(const volatile void* object, bool reads, bool writes);
void fences_barrier(uint32_t first, uint32_t last, unsigned flags);
uint32_t fences_passed();  // by the thread that runs
bool fences_know(const Made& access, bool threadgroup_memory);

// Asynchronous copies: a threadgroup begins, a SIMD-group passes a barrier, a thread touches memory
// (told by the checker only), the threadgroup ends.
void copies_begin(size_t simdgroups);
void copies_barrier(uint32_t simdgroup);
void copies_touch(const char* address, unsigned size, bool write, uintptr_t pc);
void copies_end();

}  // namespace msl
