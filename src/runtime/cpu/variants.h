// Machine code of artifacts: each variant is compiled once, whoever asks first.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "enigma/runtime.h"
#include "runtime/cpu/object.h"
#include "runtime/cpu/pool.h"

namespace enigma::cpu {

/// One compiled variant.
struct Code {
  Object object;
  Kernel kernel;
  size_t scratch_bytes;
  Pace pace;
};

/// The variants of one artifact.
class Variants {
 public:
  /// Compiles when nobody has; other threads that ask for the same variant wait for it. The code
  /// lives as long as this.
  Code& get(const Artifact& artifact, const CpuVariant& variant, const CpuCompiler& compiler);

 private:
  struct Entry {
    CpuVariant variant;
    std::mutex compiling;
    std::unique_ptr<Code> code;
  };
  std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

/// Variants by artifact, kept for as long as the artifact lives.
class VariantCache {
 public:
  std::shared_ptr<Variants> get(const std::shared_ptr<const Artifact>& artifact);

 private:
  struct Entry {
    std::weak_ptr<const Artifact> artifact;  // the address alone may be another's by now
    std::shared_ptr<Variants> variants;
  };
  std::mutex mutex_;
  std::unordered_map<const Artifact*, Entry> entries_;
  size_t sweep_at_ = 64;
};

}  // namespace enigma::cpu
