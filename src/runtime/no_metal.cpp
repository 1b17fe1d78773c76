// The Metal runtime where there is no Metal: callers need no #ifdef, users learn what to do
// instead.

#include "enigma/runtime.h"

namespace enigma {

std::shared_ptr<Runtime> make_metal_runtime() {
  throw Error(
      "there is no Metal device here: Metal needs macOS on Apple silicon. To run on the CPU, use "
      "enigma.CpuRuntime() instead of enigma.MetalRuntime(), or set ENIGMA_DEVICE=cpu");
}

}  // namespace enigma
