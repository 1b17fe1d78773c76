// Metal's errors, said to the user: which kernel, which line of Python, what to do.
#pragma once

#include <string>

#include "enigma/artifact.h"
#include "runtime/metal/metal.h"

namespace enigma::metal {

/// "the text (domain, code 3)".
std::string describe(NS::Error* error);

/// The place in Python that an MSL line was made from, by the `// file:line` comments of the text.
/// `line` is 1-based.
Location python_place(const Artifact& kernel, uint32_t line);

/// The MSL text was refused; the first error's line is mapped back to Python.
[[noreturn]] void fail_library(const Artifact& kernel, NS::Error* error);
/// The function constants' values were refused, or the function with them.
[[noreturn]] void fail_function(const Artifact& kernel, NS::Error* error);
/// The second compiler, from library to machine code, has failed.
[[noreturn]] void fail_pipeline(const Artifact& kernel, NS::Error* error);

/// What shader validation, which MTL_SHADER_VALIDATION=1 turns on, has logged first.
struct Logged {
  std::string text;      ///< "" when there is nothing
  std::string function;  ///< of the MSL
  uint32_t line = 0;
};
Logged first_log(MTL::CommandBuffer* commands);

/// What a command buffer that failed says to the user; `names` are its kernels. Without an error
/// it is the log that tells.
std::string explain(NS::Error* error, const Logged& log, const std::string& names);

}  // namespace enigma::metal
