// Host memory as the GPU sees it: the pages themselves where they can be shared, else a copy.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/metal/metal.h"

namespace enigma::metal {

struct Range {
  uintptr_t begin = 0;
  size_t bytes = 0;
  bool overlaps(const Range& other) const {
    return begin < other.begin + other.bytes && other.begin < begin + bytes;
  }
};

/// One range of host memory, which its users keep alive. Memory that begins on a page is used where
/// it lies; of other memory the GPU has a copy, brought up to date before a submission and written
/// back after it.
class HostMemory {
 public:
  HostMemory(MTL::Device* device, void* data, size_t bytes);
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  MTL::Buffer* buffer() const { return buffer_.get(); }
  Range range() const { return {reinterpret_cast<uintptr_t>(data_), bytes_}; }

  /// The queue calls these, under its lock, for each use of the memory by a submission. While a
  /// submission uses the copy nobody else may change the host's, so it is filled by the first and
  /// written back after the last.
  void begin_use(bool written);
  void end_use(bool written, bool succeeded);

 private:
  void* data_;
  size_t bytes_;
  Owned<MTL::Buffer> buffer_;
  bool copied_ = false;
  uint32_t uses_ = 0;
  uint32_t writers_ = 0;
  bool changed_ = false;  // the copy is newer than the host's
};

/// All memory in use, so that one range has one buffer: Metal orders the accesses to one buffer,
/// and knows nothing of two that share their pages.
class MemoryTable {
 public:
  /// Error, naming `what`, when Metal has no memory for it.
  std::shared_ptr<HostMemory> get(MTL::Device* device, void* data, size_t bytes,
                                  const std::string& what);

 private:
  std::mutex mutex_;
  std::map<std::pair<void*, size_t>, std::weak_ptr<HostMemory>> ranges_;
  size_t sweep_at_ = 64;
};

}  // namespace enigma::metal
