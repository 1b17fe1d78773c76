// The GPU, its queue, and what both can do.
#pragma once

#include <unistd.h>

#include <string>

#include "enigma/runtime.h"
#include "runtime/metal/metal.h"

namespace enigma::metal {

struct Device {
  Owned<MTL::Device> device;
  Owned<MTL::CommandQueue> queue;
  DeviceCapabilities capabilities;
  uint32_t os_major = 0;   ///< macOS
  std::string os_version;  ///< with its build: machine code is cached for this one
  pid_t process = getpid();

  /// Whether this is a child, by fork, of the process that opened the device. There nothing of
  /// Metal's works: a wait would never end, and not even a release is safe.
  bool is_forked() const { return getpid() != process; }
  /// Error where it is.
  void check_process() const;
};

/// Error where there is no GPU, or none of Apple's, or a macOS older than 14.
Device open_device();

}  // namespace enigma::metal
