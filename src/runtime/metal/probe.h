// Whether this GPU and this macOS take AIR's asynchronous copies, which nobody promises: it is
// tried.
#pragma once

#include "runtime/metal/device.h"
#include "runtime/metal/pipelines.h"

namespace enigma::metal {

/// Compiles and runs a small kernel, in both spellings of AIR's names. Whatever goes wrong, the
/// answer is Cooperative, and no error. The outcome is kept on disk for this device and this build
/// of macOS.
AsyncCopy probe_async_copy(const Device& device, PipelineCache& pipelines);

}  // namespace enigma::metal
