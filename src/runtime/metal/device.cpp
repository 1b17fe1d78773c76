// Finds the GPU and asks it for its name, family and limits.

#include "runtime/metal/device.h"

#include "support/text.h"

namespace enigma::metal {
namespace {

struct Family {
  MTL::GPUFamily family;
  const char* name;
};

// The newest first: a GPU is of all families before its own.
constexpr Family kFamilies[] = {
    {MTL::GPUFamilyApple10, "Apple10"},  // M5
    {MTL::GPUFamilyApple9, "Apple9"},    // M3, M4
    {MTL::GPUFamilyApple8, "Apple8"},    // M2
    {MTL::GPUFamilyApple7, "Apple7"},    // M1
};

constexpr uint32_t kOldestMacOs = 14;  // MSL 3.1

// macOS 26 tells programs of before its time that it is 16.
uint32_t macos(NS::Integer major) { return major == 16 ? 26 : static_cast<uint32_t>(major); }

// The default needs CoreGraphics, which a linker may have dropped as unused.
Owned<MTL::Device> find_device() {
  Owned found(MTL::CreateSystemDefaultDevice());
  if (found) return found;
  Owned all(MTL::CopyAllDevices());
  return all && all->count() > 0 ? retained(all->object<MTL::Device>(0)) : Owned<MTL::Device>();
}

}  // namespace

void Device::check_process() const {
  if (!is_forked()) return;
  throw Error(
      "Metal does not work in a process that was forked from one that has used it; start processes "
      "in another way (multiprocessing.set_start_method(\"spawn\")), or use Metal in the child "
      "alone");
}

Device open_device() {
  Pool pool;
  constexpr const char* kInstead =
      "; to run on the CPU, use enigma.CpuRuntime() instead of enigma.MetalRuntime(), or set "
      "ENIGMA_DEVICE=cpu";
  Device d;
  NS::ProcessInfo* process = NS::ProcessInfo::processInfo();
  d.os_major = macos(process->operatingSystemVersion().majorVersion);
  d.os_version = text(process->operatingSystemVersionString());
  if (d.os_major < kOldestMacOs) {
    throw Error(concat("Metal needs macOS ", kOldestMacOs, ", this is ", d.os_version, kInstead));
  }
  d.device = find_device();
  if (!d.device) throw Error(concat("there is no Metal device here", kInstead));

  DeviceCapabilities& c = d.capabilities;
  c.backend = "metal";
  c.name = text(d.device->name());
  for (const Family& f : kFamilies) {
    if (d.device->supportsFamily(f.family)) {
      c.family = f.name;
      break;
    }
  }
  if (c.family.empty()) {
    throw Error(concat(c.name, " is not one of Apple's own GPUs (M1 or newer)", kInstead));
  }
  c.max_threads_per_threadgroup = static_cast<uint32_t>(d.device->maxThreadsPerThreadgroup().width);
  c.threadgroup_memory = static_cast<uint32_t>(d.device->maxThreadgroupMemoryLength());
  c.max_buffer_bytes = d.device->maxBufferLength();
  c.unified_memory = d.device->hasUnifiedMemory();

  d.queue = Owned(d.device->newCommandQueue());
  if (!d.queue) throw Error(concat(c.name, ": Metal gave no command queue; too many are in use"));
  return d;
}

}  // namespace enigma::metal
