// Compiled objects on disk, between processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "enigma/runtime.h"

namespace enigma::cpu {

/// enigma::cached_compiler with a folder and the number of bytes that its files may have. An empty
/// folder keeps nothing.
CpuCompiler cached_in(std::filesystem::path folder, uint64_t most, CpuCompiler compiler,
                      const std::string& identity);

}  // namespace enigma::cpu
