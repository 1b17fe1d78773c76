// What the processor says of itself.
#pragma once

#include <string>

namespace enigma::cpu {

/// "avx512", "avx2", "avx", "sse" or "neon".
const char* instruction_set();

/// How many vectors of 32 floats its registers hold.
int vectors();

/// Whether it has AVX-512's x * 2^n.
bool has_scalef();

/// All that LLVM asks of the processor before it compiles for it, in a form of our own: machines
/// with equal texts may run each other's code.
std::string host_identity();

}  // namespace enigma::cpu
