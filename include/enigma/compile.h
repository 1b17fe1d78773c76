// From a traced module to something that runs: passes, verification, and MSL text.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "enigma/artifact.h"
#include "enigma/ir.h"

namespace enigma {

struct CompileOptions {
  bool fast_math = false;  ///< false: NaN and infinities keep their meaning
  /// Called after each pass with its name and the IR's text; empty: not called.
  std::function<void(std::string_view pass, const std::string& ir)> dump;
};

/// Runs the passes, verifies, emits. Error for what only the whole kernel shows (a barrier in
/// divergent control flow), at the user's line. Warnings are put into Artifact::warnings. Needs no
/// device; threads may compile side by side, and share what it gives. The same module gives the
/// same text, byte for byte.
std::shared_ptr<const Artifact> compile(Module module, const CompileOptions& options = {});

}  // namespace enigma
