// Kernels built by hand for the tests of MSL text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/msl/emit.h"
#include "enigma/builder.h"
#include "ir/verify.h"

namespace enigma {

/// A builder whose calls read like the Python that they stand for.
struct Kernel {
  Builder b;

  explicit Kernel(std::string_view name = "k") : b(std::string(name)) {}
  Kernel& at(uint32_t line) {
    b.set_location("/somewhere/k.py", line);
    return *this;
  }
  ValueId op(std::string_view name, std::vector<Operand> operands) {
    return b.apply(name, operands);
  }
  ValueId named(std::string_view name, ValueId v) {
    b.set_name(v, name);
    return v;
  }
  ValueId tid() { return named("tid", b.query(Op::ThreadPositionInGrid)); }

  MslCode code(bool fast_math = false) { return emit_msl(verify(b.finish()), fast_math); }
  std::string text() { return code().text; }
  /// The statements between the kernel's braces.
  std::string body() {
    std::string all = text();
    size_t from = all.find(") {\n", all.find("kernel void ")) + 4;
    return all.substr(from, all.size() - from - 2);
  }
};

inline Operand number(int64_t x) { return Literal{x}; }
inline Operand real(double x) { return Literal{x}; }

}  // namespace enigma
