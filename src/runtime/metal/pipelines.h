// From MSL text to a pipeline: both of Metal's compilers, and what is kept of their work.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "enigma/artifact.h"
#include "runtime/metal/archive.h"
#include "runtime/metal/device.h"

namespace enigma::metal {

/// A compiled MSL text.
struct Source {
  std::mutex compiling;
  Owned<MTL::Library> library;  ///< null until somebody has compiled it
};

struct Pipeline {
  Owned<MTL::ComputePipelineState> state;
  /// Where the kernel has function constants: other values of theirs are taken from the same text.
  std::shared_ptr<Source> source;
  /// May be less than the device's: a kernel that needs many registers.
  uint32_t max_threads = 0;
};

/// Pipelines by content: the same text, language version, math mode and values of function
/// constants is compiled once, whoever asks first. The least recently used are dropped.
class PipelineCache {
 public:
  /// `device` must outlive this.
  explicit PipelineCache(const Device& device);

  /// `constants` are the bits of the kernel's function constants. Error, at the line in Python
  /// where it is known, when Metal refuses the kernel.
  std::shared_ptr<const Pipeline> get(const Artifact& kernel, std::span<const uint64_t> constants);

 private:
  struct Entry {
    std::mutex compiling;
    std::shared_ptr<const Pipeline> pipeline;
  };
  using Recent = std::list<std::pair<std::string, std::shared_ptr<Entry>>>;

  std::shared_ptr<Entry> entry(std::string content);
  std::shared_ptr<Source> source(const std::string& text);
  std::shared_ptr<const Pipeline> build(const Artifact& kernel, std::span<const uint64_t> constants,
                                        const std::string& content,
                                        std::shared_ptr<Source> source) const;
  Owned<MTL::Library> library(const Artifact& kernel) const;

  const Device& device_;
  const ArchiveFolder archives_;
  std::mutex mutex_;
  Recent recent_;                                                   // the newest first
  std::unordered_map<std::string_view, Recent::iterator> entries_;  // views of recent_
  std::unordered_map<std::string, std::weak_ptr<Source>> sources_;  // of kernels with constants
};

}  // namespace enigma::metal
