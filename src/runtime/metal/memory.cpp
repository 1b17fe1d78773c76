// Shares pages with the GPU, or keeps its copy in step with the host's memory.

#include "runtime/metal/memory.h"

#include <unistd.h>

#include <cstring>

#include "enigma/error.h"
#include "support/text.h"

namespace enigma::metal {

HostMemory::HostMemory(MTL::Device* device, void* data, size_t bytes) : data_(data), bytes_(bytes) {
  const auto page = static_cast<size_t>(getpagesize());
  if (reinterpret_cast<uintptr_t>(data_) % page == 0) {
    // The rest of the last page is mapped too, and no kernel touches it.
    size_t whole = (bytes_ + page - 1) / page * page;
    buffer_ = Owned(device->newBuffer(data_, whole, MTL::ResourceStorageModeShared,
                                      static_cast<void (^)(void*, NS::UInteger)>(nullptr)));
    // Whoever captures or validates a kernel sees where the array ends.
    if (buffer_) buffer_->addDebugMarker(string("array"), NS::Range(0, bytes_));
  }
  if (!buffer_) {  // memory that may not be written, for one, cannot be shared
    copied_ = true;
    buffer_ = Owned(device->newBuffer(bytes_, MTL::ResourceStorageModeShared));
  }
}

void HostMemory::begin_use(bool written) {
  if (copied_ && uses_ == 0) std::memcpy(buffer_->contents(), data_, bytes_);
  ++uses_;
  if (written) ++writers_;
}

void HostMemory::end_use(bool written, bool succeeded) {
  --uses_;
  if (!written) return;
  changed_ |= succeeded;
  if (--writers_ == 0 && std::exchange(changed_, false) && copied_) {
    std::memcpy(data_, buffer_->contents(), bytes_);
  }
}

std::shared_ptr<HostMemory> MemoryTable::get(MTL::Device* device, void* data, size_t bytes,
                                             const std::string& what) {
  std::lock_guard lock(mutex_);
  auto& known = ranges_[{data, bytes}];
  if (auto memory = known.lock()) return memory;
  auto memory = std::make_shared<HostMemory>(device, data, bytes);
  if (!memory->buffer()) {
    throw Error(concat(what, ": Metal has no memory for ", bytes,
                       " bytes; free other arrays, or use smaller ones"));
  }
  known = memory;
  if (ranges_.size() >= sweep_at_) {
    std::erase_if(ranges_, [](const auto& range) { return range.second.expired(); });
    sweep_at_ = 2 * ranges_.size() + 64;
  }
  return memory;
}

}  // namespace enigma::metal
