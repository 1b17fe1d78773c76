// From MSL text to a pipeline: both of Metal's compilers, and what is kept of their work.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "enigma/artifact.h"
#include "runtime/metal/archive.h"
#include "runtime/metal/device.h"

namespace enigma::metal {

struct Pipeline {
  Owned<MTL::ComputePipelineState> state;
  /// May be less than the device's: a kernel that needs many registers.
  uint32_t max_threads = 0;
};

/// Pipelines by content: the same text, language version and math mode is compiled once, whoever
/// asks first. The least recently used are dropped.
class PipelineCache {
 public:
  /// `device` must outlive this.
  explicit PipelineCache(const Device& device);

  /// Error, at the line in Python where it is known, when Metal refuses the kernel.
  std::shared_ptr<const Pipeline> get(const Artifact& kernel);

 private:
  struct Entry {
    std::mutex compiling;
    std::shared_ptr<const Pipeline> pipeline;
  };
  using Recent = std::list<std::pair<std::string, std::shared_ptr<Entry>>>;

  std::shared_ptr<Entry> entry(std::string content);
  std::shared_ptr<const Pipeline> build(const Artifact& kernel, const std::string& content) const;
  Owned<MTL::Library> library(const Artifact& kernel) const;

  const Device& device_;
  const ArchiveFolder archives_;
  std::mutex mutex_;
  Recent recent_;                                                   // the newest first
  std::unordered_map<std::string_view, Recent::iterator> entries_;  // views of recent_
};

}  // namespace enigma::metal
