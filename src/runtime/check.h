// What is checked before a launch, on every device: sizes of the grid, of groups, of buffers.
#pragma once

#include <span>

#include "enigma/runtime.h"

namespace enigma {

/// Error that names the kernel, the parameter and the Python line when the launch cannot be right:
/// an empty grid, a threadgroup that the device cannot hold, a buffer that the kernel would leave.
/// `elements[p]` is the length of buffer p; for a scalar parameter of integer type, its value.
/// Behind the parameters the function constants follow, as scalars.
void check_launch(const Artifact& kernel, const DeviceCapabilities& device, Dim3 grid, Dim3 threads,
                  std::span<const int64_t> elements);

/// Error unless there is one argument for each parameter.
void check_argument_count(const Artifact& kernel, size_t arguments);

/// Error when the kernel has no such parameter.
void check_param(const Artifact& kernel, uint32_t param);

/// Error when memory cannot be bound to a parameter: none, no whole number of elements, an address
/// that no element can have. Returns what check_launch wants to know of it.
int64_t check_binding(const Artifact& kernel, uint32_t param, const Binding& memory);

/// The bits of the kernel's function constants, by index. Error unless there is one value, of its
/// type, for each, and none for another.
std::vector<uint64_t> check_constants(const Artifact& kernel,
                                      std::span<const ConstantValue> constants);

/// What check_launch wants to know of a number.
int64_t integer_value(DType dtype, const void* data);

/// Error when a buffer has no memory, or when memory that the kernel writes overlaps the memory of
/// another parameter: Metal's compiler takes buffers not to, and the CPU device means the same.
void check_overlap(const Artifact& kernel, std::span<const Binding> arguments);

}  // namespace enigma
