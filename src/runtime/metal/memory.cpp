// Shares pages with the GPU, or keeps its copy in step with the host's memory.

#include "runtime/metal/memory.h"

#include <unistd.h>

#include <cstring>

#include "support/text.h"

namespace enigma::metal {

HostMemory::HostMemory(MTL::Device* device, Binding binding) : binding_(std::move(binding)) {
  const auto page = static_cast<size_t>(getpagesize());
  if (reinterpret_cast<uintptr_t>(binding_.data) % page == 0) {
    // The rest of the last page is mapped too, and no kernel touches it.
    size_t whole = (binding_.bytes + page - 1) / page * page;
    buffer_ = Owned(device->newBuffer(binding_.data, whole, MTL::ResourceStorageModeShared,
                                      static_cast<void (^)(void*, NS::UInteger)>(nullptr)));
    // Whoever captures or validates a kernel sees where the array ends.
    if (buffer_) buffer_->addDebugMarker(string("array"), NS::Range(0, binding_.bytes));
  }
  if (!buffer_) {  // memory that may not be written, for one, cannot be shared
    copied_ = true;
    buffer_ = Owned(device->newBuffer(binding_.bytes, MTL::ResourceStorageModeShared));
  }
}

bool HostMemory::overlaps(const HostMemory& other) const {
  auto a = reinterpret_cast<uintptr_t>(binding_.data);
  auto b = reinterpret_cast<uintptr_t>(other.binding_.data);
  return a < b + other.binding_.bytes && b < a + binding_.bytes;
}

void HostMemory::begin_use(bool written) {
  if (copied_ && uses_ == 0) std::memcpy(buffer_->contents(), binding_.data, binding_.bytes);
  ++uses_;
  if (written) ++writers_;
}

void HostMemory::end_use(bool written, bool succeeded) {
  --uses_;
  if (!written) return;
  changed_ |= succeeded;
  if (--writers_ == 0 && std::exchange(changed_, false) && copied_) {
    std::memcpy(binding_.data, buffer_->contents(), binding_.bytes);
  }
}

std::shared_ptr<HostMemory> MemoryTable::get(MTL::Device* device, Binding binding,
                                             const std::string& what) {
  std::lock_guard lock(mutex_);
  auto& known = ranges_[{binding.data, binding.bytes}];
  if (auto memory = known.lock()) return memory;
  size_t bytes = binding.bytes;
  auto memory = std::make_shared<HostMemory>(device, std::move(binding));
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
