// Launch checks: the extremes of every known index formula must lie inside its buffer.

#include "runtime/check.h"

#include <algorithm>
#include <cstring>

#include "enigma/limits.h"
#include "support/floats.h"
#include "support/text.h"

namespace enigma {
namespace {

using Wide = __int128;  // products of sizes and positions cannot overflow it

constexpr uint32_t component(Dim3 d, uint32_t i) { return i == 0 ? d.x : i == 1 ? d.y : d.z; }

// A term's extreme values over the grid; `position` is its position symbol or -1.
struct Range {
  Wide low = 0, high = 0;
  int position = -1;
  bool rising = true;
};

Range range_of(const IndexTerm& term, Dim3 grid, std::span<const int64_t> elements) {
  Wide factor = term.coefficient;
  Range r;
  Wide last = 0;
  for (uint32_t symbol : term.factors) {
    if (symbol <= IndexTerm::kPositionZ) {
      r.position = static_cast<int>(symbol);
      last = Wide{component(grid, symbol)} - 1;
    } else if (symbol < IndexTerm::kScalar) {
      factor *= component(grid, symbol - IndexTerm::kGridX);
    } else {
      factor *= elements[symbol - IndexTerm::kScalar];
    }
  }
  if (r.position < 0) {
    r.low = r.high = factor;
  } else {
    r.rising = factor >= 0;
    r.low = std::min<Wide>(0, factor * last);
    r.high = std::max<Wide>(0, factor * last);
  }
  return r;
}

void check_bound(const Artifact& kernel, const IndexBound& bound, Dim3 grid,
                 std::span<const int64_t> elements) {
  Wide low = 0, high = 0;
  int direction[3] = {0, 0, 0};  // of the index along each position: terms must agree
  for (const IndexTerm& term : bound.terms) {
    Range r = range_of(term, grid, elements);
    low += r.low;
    high += r.high;
    if (r.position >= 0 && r.low != r.high) {
      int& d = direction[r.position];
      int mine = r.rising ? 1 : -1;
      if (d == -mine) return;  // extremes lie somewhere inside; the device checks each access
      d = mine;
    }
  }
  // Beyond 32 bits the kernel's own arithmetic may wrap: nothing certain to say.
  constexpr Wide kLimit = Wide{1} << 31;
  if (low < -kLimit || high >= kLimit) return;
  int64_t size = elements[bound.param];
  if (low >= 0 && high < size) return;
  const ParamInfo& param = kernel.params[bound.param];
  auto reached = static_cast<int64_t>(low < 0 ? low : high);
  std::string advice = low < 0 ? "guard the access with enigma.if_ or load_if"
                               : concat("pass at least ", reached + 1,
                                        " elements, or a smaller grid, or guard the access");
  throw Error(concat(kernel.kernel_name, ": the grid ", str(grid), " makes ", param.name,
                     "[...] reach index ", reached, ", but ", param.name, " has ", size, " element",
                     size == 1 ? "" : "s", "; ", advice),
              kernel.locations[bound.location]);
}

// Every threadgroup that the launch has, those at the grid's edges too.
void check_whole_simdgroups(const Artifact& kernel, Dim3 grid, Dim3 threads) {
  auto size = [&](uint32_t dim, bool edge) {
    const uint32_t all = component(grid, dim), each = component(threads, dim);
    return edge ? all % each : all < each ? 0 : each;
  };
  for (uint32_t edges = 0; edges < 8; ++edges) {
    const Dim3 group{size(0, edges & 1), size(1, edges & 2), size(2, edges & 4)};
    if (group.total() % kSimdWidth == 0) continue;
    throw Error(concat(kernel.kernel_name, ": the grid ", str(grid), " in threadgroups of ",
                       str(threads), " has one of ", str(group), ", which are ", group.total(),
                       " threads; SIMD-group matrices need a multiple of ", kSimdWidth,
                       " in every threadgroup, so make the grid a multiple of such threadgroups"),
                kernel.locations[*kernel.simd_matrices]);
  }
}

// "3 (n, i32)"
std::string described(const ConstantInfo& c) {
  return concat(c.index, " (", c.name, c.name.empty() ? "" : ", ", info(c.dtype).mnemonic, ')');
}

}  // namespace

int64_t integer_value(DType dtype, const void* data) {
  if (is_float(dtype)) return 0;
  uint64_t bits = 0;
  std::memcpy(&bits, data, static_cast<size_t>(byte_size(dtype)));
  return to_integer(dtype, bits);
}

void check_argument_count(const Artifact& kernel, size_t arguments) {
  const size_t count = kernel.params.size();
  if (arguments == count) return;
  std::string names;
  for (const ParamInfo& p : kernel.params) names += (names.empty() ? "" : ", ") + p.name;
  throw Error(concat(kernel.kernel_name, " takes ", count, count == 1 ? " argument" : " arguments",
                     " (", names, "), but ", arguments, " were given"));
}

void check_param(const Artifact& kernel, uint32_t param) {
  if (param < kernel.params.size()) return;
  throw Error(concat(kernel.kernel_name, " has no parameter ", param, "; it has ",
                     kernel.params.size(), ", counted from 0"));
}

int64_t check_binding(const Artifact& kernel, uint32_t index, const Binding& memory) {
  const ParamInfo& param = kernel.params[index];
  const auto size = static_cast<size_t>(byte_size(param.dtype));
  auto fail = [&](const auto&... message) {
    throw Error(concat(kernel.kernel_name, ": ", param.name, " ", message...));
  };
  if (!memory.data || memory.bytes == 0) {
    fail("is bound to no memory; it needs at least 1 element of ", info(param.dtype).numpy);
  }
  if (memory.bytes % size != 0) {
    fail("has ", memory.bytes, " bytes, which is no multiple of the ", size, " bytes of a ",
         info(param.dtype).numpy);
  }
  if (param.is_scalar) {
    if (memory.bytes != size) fail("is a Scalar: pass 1 element, not ", memory.bytes / size);
    const int64_t value = integer_value(param.dtype, memory.data);
    if (param.multiple && (value < 1 || value > kMaxSize || value % param.multiple != 0)) {
      fail("is a size, from 1 to ", kMaxSize, " and a multiple of ", param.multiple, ", but is ",
           value);
    }
    return value;
  }
  if (reinterpret_cast<uintptr_t>(memory.data) % size != 0) {
    fail("begins at an address that is no multiple of ", size, "; pass a copy of the array");
  }
  const uint64_t elements = memory.bytes / size;
  if (elements < param.elements) {
    fail("has ", elements, " element", elements == 1 ? "" : "s", ", but its layout reaches ",
         param.elements, "; pass an array of that many");
  }
  return static_cast<int64_t>(elements);
}

std::vector<uint64_t> check_constants(const Artifact& kernel,
                                      std::span<const ConstantValue> constants) {
  const std::vector<ConstantInfo>& known = kernel.constants;
  std::vector<uint64_t> bits(known.size());
  std::vector<bool> given(known.size());
  auto fail = [&](const auto&... message) {
    throw Error(concat(kernel.kernel_name, ": ", message...));
  };
  for (const ConstantValue& value : constants) {
    auto found = std::find_if(known.begin(), known.end(),
                              [&](const ConstantInfo& c) { return c.index == value.index; });
    if (found == known.end()) {
      std::string all;
      for (const ConstantInfo& c : known) all += concat(all.empty() ? "" : ", ", described(c));
      if (all.empty()) {
        fail("has no function constants, but a value is given for index ", value.index);
      }
      fail("has no function constant ", value.index, "; it has: ", all);
    }
    const auto k = static_cast<size_t>(found - known.begin());
    if (given[k]) fail("two values are given for function constant ", described(*found));
    if (value.dtype != found->dtype) {
      fail("the value given for function constant ", described(*found), " is of type ",
           info(value.dtype).mnemonic);
    }
    if (value.bits != mask_to(value.dtype, value.bits)) {
      fail("the value given for function constant ", described(*found),
           " has bits beyond its width");
    }
    bits[k] = value.bits;
    given[k] = true;
  }
  for (size_t k = 0; k < known.size(); ++k) {
    if (given[k]) continue;
    fail("no value is given for function constant ", described(known[k]),
         "; prepare and execute take it as ", "constants={", known[k].index, ": value}");
  }
  return bits;
}

void check_launch(const Artifact& kernel, const DeviceCapabilities& device, Dim3 grid, Dim3 threads,
                  std::span<const int64_t> elements) {
  if (!grid.x || !grid.y || !grid.z) {
    throw Error(concat(kernel.kernel_name, ": grid is ", str(grid),
                       "; every dimension must be at least 1 thread"));
  }
  if (!threads.x || !threads.y || !threads.z) {
    throw Error(concat(kernel.kernel_name, ": threads is ", str(threads),
                       "; every dimension must be at least 1 thread"));
  }
  Wide group = Wide{threads.x} * threads.y * threads.z;
  if (group > device.max_threads_per_threadgroup) {
    throw Error(concat(kernel.kernel_name, ": threads ", str(threads), " are ",
                       static_cast<uint64_t>(group), " threads per threadgroup, but ", device.name,
                       " takes at most ", device.max_threads_per_threadgroup));
  }
  if (kernel.threadgroup_bytes > device.threadgroup_memory) {
    throw Error(concat(kernel.kernel_name, ": needs ", kernel.threadgroup_bytes,
                       " bytes of threadgroup memory, but ", device.name, " has ",
                       device.threadgroup_memory));
  }
  if (kernel.simd_matrices) check_whole_simdgroups(kernel, grid, threads);
  for (const IndexBound& bound : kernel.bounds) check_bound(kernel, bound, grid, elements);
}

void check_overlap(const Artifact& kernel, std::span<const Binding> arguments) {
  for (size_t a = 0; a < arguments.size(); ++a) {
    if (!kernel.params[a].is_scalar && !arguments[a].data) {
      throw Error(concat(kernel.kernel_name, ": ", kernel.params[a].name,
                         " is bound to no memory; bind it again after unbind"));
    }
    if (!kernel.params[a].written) continue;
    auto begin = reinterpret_cast<uintptr_t>(arguments[a].data);
    for (size_t b = 0; b < arguments.size(); ++b) {
      if (a == b || kernel.params[b].is_scalar) continue;
      auto other = reinterpret_cast<uintptr_t>(arguments[b].data);
      if (begin < other + arguments[b].bytes && other < begin + arguments[a].bytes) {
        throw Error(concat(kernel.kernel_name, ": ", kernel.params[a].name,
                           ", which the kernel writes, ", "overlaps ", kernel.params[b].name,
                           " in memory; pass a copy, or give the ",
                           "kernel one parameter that it both reads and writes"));
      }
    }
  }
}

}  // namespace enigma
