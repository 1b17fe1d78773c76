// The list of passes.

#include "passes/passes.h"

#include "ir/verify.h"
#include "support/text.h"

namespace enigma {
namespace {

struct Pass {
  const char* name;
  void (*run)(Module&);
};

constexpr Pass kPasses[] = {
    {"unroll_rings", unroll_rings},
    {"fold", fold},
    {"eliminate_common", eliminate_common},
    {"simplify_regions", simplify_regions},
    {"fold again", fold},  // what the regions no longer hide
    {"hoist_invariants", hoist_invariants},
    {"eliminate_common again", eliminate_common},
    {"eliminate_dead", eliminate_dead},
};

void check_sound([[maybe_unused]] const Module& m, [[maybe_unused]] const char* after) {
#ifndef NDEBUG
  auto broken = broken_rules(m);
  if (!broken.empty()) throw InternalError(concat("after ", after, ": ", broken.front()));
#endif
}

}  // namespace

void run_passes(Module& m, const CompileOptions& options) {
  for (const Pass& pass : kPasses) {
    pass.run(m);
    check_sound(m, pass.name);
    if (options.dump) options.dump(pass.name, print(m));
  }
}

}  // namespace enigma
