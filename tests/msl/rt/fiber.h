// Fibers: one for each thread of a threadgroup, switched by hand.
#pragma once

#include <cstddef>

namespace msl {

struct Context {
  void* sp;
};

extern "C" void msl_switch(Context* from, Context* to);

// A context that calls entry() on the stack when it is switched to; entry never returns.
void prepare(Context& c, char* stack, size_t size, void (*entry)());

// Stacks with an inaccessible page below each; they are kept for the next run.
constexpr size_t kStackBytes = 256 * 1024;
char* stack(size_t index);

}  // namespace msl
