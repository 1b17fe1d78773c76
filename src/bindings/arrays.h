// Arguments: arrays and numbers that Python gives, checked against a kernel's parameters.
#pragma once

#include <array>

#include "bindings.h"
#include "enigma/limits.h"
#include "enigma/runtime.h"

namespace enigma {

/// Host memory that an argument lends: an array's own, while this holds it. Left uninitialised by
/// its constructor, since a direct call makes 31 of them.
struct Lent {
  Py_buffer view;
  PyObject* owner;  ///< a further object to release, or nullptr
  void* data;
  size_t bytes;
};

/// The arguments of one call, given back when it ends. The GIL is held at both ends.
struct Arguments {
  std::array<Lent, kMaxParams> arrays;
  std::array<uint64_t, kMaxParams> scalars;
  size_t count = 0;
  Arguments() {}
  Arguments(const Arguments&) = delete;
  ~Arguments();
};

/// Error about an argument, which names the kernel and the parameter.
[[noreturn]] void refuse(const Artifact& kernel, const ParamInfo& param,
                         const std::string& message);
/// Error unless as many arguments are given as the kernel has parameters, those left out aside.
void check_count(const Artifact& kernel, size_t given, const std::vector<uint32_t>& left_out);
/// Borrows the memory of an array for parameter `param`. Error, which names the parameter, unless
/// it is a C-contiguous array of the parameter's dtype, not empty, and writable when `in_place` and
/// the kernel writes it.
void lend(const Artifact& kernel, uint32_t param, nb::handle x, bool in_place, Lent& out);
void give_back(Lent& lent);
/// A number as the bits of a scalar parameter. Error when it does not fit.
uint64_t scalar_bits(const Artifact& kernel, uint32_t param, nb::handle x);
/// The values of function constants that a dict gives by index. Error for a key that is no index,
/// and for a number that does not fit; the runtime says which are missing or unknown.
std::vector<ConstantValue> constant_values(const Artifact& kernel, nb::dict constants);
/// One argument of a direct call: array or number, by what the parameter is.
void add_argument(Arguments& all, const Artifact& kernel, nb::handle x);
/// The same of a scalar parameter, by its bits.
void add_number(Arguments& all, const Artifact& kernel, uint64_t bits);

/// An argument as a binding that keeps it alive for as long as it lasts, on any thread. What the
/// kernel writes is a copy: the caller's array stays as it is.
Binding own(const Artifact& kernel, uint32_t param, nb::handle x);
/// Memory of zeros for an output.
Binding zeros(size_t bytes);

}  // namespace enigma
