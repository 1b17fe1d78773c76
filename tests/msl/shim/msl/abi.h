// What a compiled kernel and the lab's runtime know of each other; no header but this is shared.
#pragma once

namespace msl {

// Where a thread is in its kernel: the helpers and loops it is inside of, each with the source
// position, and the round for loops. Threads are together where their paths are equal, and the
// smaller path is the one that has to catch up.
struct Path {
  static constexpr int kDepth = 15;
  int depth = 0;
  unsigned long keys[kDepth + 1] = {};
};

struct Thread {
  Path path;
  unsigned lane = 0;
};

// One value for each attribute that a kernel's parameter can have.
struct Builtins {
  unsigned thread_position_in_grid[3];
  unsigned thread_position_in_threadgroup[3];
  unsigned threadgroup_position_in_grid[3];
  unsigned threads_per_threadgroup[3];
  unsigned dispatch_threads_per_threadgroup[3];
  unsigned threads_per_grid[3];
  unsigned threadgroups_per_grid[3];
  unsigned thread_index_in_threadgroup;
  unsigned thread_index_in_simdgroup;
  unsigned simdgroup_index_in_threadgroup;
  unsigned threads_per_simdgroup;
  unsigned simdgroups_per_threadgroup;
  unsigned dispatch_simdgroups_per_threadgroup;
  unsigned thread_index_in_quadgroup;
  unsigned quadgroup_index_in_threadgroup;
  unsigned quadgroups_per_threadgroup;
  unsigned thread_execution_width;
};

constexpr int kLanes = 32;
constexpr int kDeposit = 64;  // bytes of a lane's value

enum AtomicAccess { kAtomicLoad, kAtomicStore, kAtomicUpdate };

// What all lanes of a SIMD-group brought to an operation, and which of them came.
struct Deposits {
  unsigned mask;
  alignas(64) unsigned char bytes[kLanes][kDeposit];
};

}  // namespace msl

extern "C" {
extern msl::Thread* msl_current;
const msl::Deposits* msl_exchange(const void* value, unsigned size, unsigned site);
void msl_barrier(unsigned flags, unsigned site);
void msl_simdgroup_barrier(unsigned flags, unsigned site);
void msl_atomic(const volatile void* object, unsigned size, msl::AtomicAccess access);
void msl_fence(unsigned flags, unsigned for_device);
unsigned msl_spurious();
void msl_threadgroup_variable(void* address, unsigned long size, unsigned element,
                              unsigned is_float, const char* name);
}
