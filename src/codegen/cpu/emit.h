// IR to LLVM IR text for CPUs: the 32 lanes of a SIMD-group are vectors, uniform values scalars.
#pragma once

#include "enigma/artifact.h"
#include "ir/verify.h"

namespace enigma {

/// One variant of a kernel. See support/cpu_abi.h for what the emitted function takes.
CpuCode emit_cpu(const Verified& kernel, const CpuVariant& variant);

}  // namespace enigma
