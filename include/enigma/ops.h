// The operation table as data: what ops.def says of each operation, but for its CPU spelling.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace enigma {

enum class Op : uint16_t {
#define OP(Enum, ...) Enum,
#include "enigma/ops.def"
};

/// Decides the code that handles an operation; all rows of one shape are handled alike.
enum class Shape : uint8_t {
  Constant,          ///< no operands; attribute: the bits of the value
  FunctionConstant,  ///< no operands; attribute: the index; the value is known before a launch
  Query,             ///< no operands; attribute: the dimension 0..2 (XYZ rows)
  Map,               ///< elementwise on values, pure
  Whole,             ///< on all components of vectors and matrices together, pure
  Composed,          ///< the builder writes it with other rows; never in a module
  Make,              ///< 2 to 4 components to a vector, or columns to a matrix
  Extract,           ///< a component of a vector, a column of a matrix; attribute: which
  Cast,              ///< one operand, result type given by the caller
  Lane,              ///< crosses the lanes of a SIMD-group or quad-group
  SimdMatrix,        ///< 8x8 matrices of a SIMD-group; attribute: 1 where memory is transposed
  Alloc,             ///< attribute: number of elements; result is memory
  Load,              ///< memory, index, ...; attribute: components of a vector access, or 0
  Store,             ///< memory, index, value; attribute: the same
  Atomic,            ///< memory, index, values...; attribute: MemoryOrder (a failed exchange's is
                     ///< the same without its release)
  Async,             ///< copies that go on beside the kernel, and waiting for them
  Barrier,           ///< attribute: MemFlags
  Region,            ///< holds regions: for, while, if
  Yield,             ///< last instruction of a region
};

/// Bits of the flags column.
namespace flag {
enum : uint16_t {
  READ = 1,
  WRITE = 2,
  SYNC = 4,  // effects; none: pure
  COMMUTES = 8,
  WRAPS = 16,  // algebra
  GRID = 32,
  GROUP = 64,
  SIMD = 128,   // the result is uniform over ...
  XYZ = 256,    // a query with three components
  WORDS = 512,  // an atomic that floats have not
};
}

/// Fences of a barrier, or-ed.
enum MemFlags : uint8_t { kMemNone = 0, kMemDevice = 1, kMemThreadgroup = 2, kMemTexture = 4 };

enum class MemoryOrder : uint8_t { Relaxed, Acquire, Release, AcqRel, SeqCst };

/// One row of ops.def.
struct OpInfo {
  Op op;
  const char* name;      ///< "AddF": the enumerator
  const char* mnemonic;  ///< "arith.addf"
  Shape shape;
  const char* shape_name;     ///< "Map"
  std::string_view operands;  ///< signature before the colon, a letter per operand
  char result;                ///< signature after the colon
  uint16_t flags;
  const char* msl;     ///< the template of its MSL, "" where that is written by hand
  const char* python;  ///< "" when the operation has no name in Python
  const char* doc;

  constexpr bool has(uint16_t f) const { return (flags & f) != 0; }
  constexpr bool pure() const { return !has(flag::READ | flag::WRITE | flag::SYNC); }
};

const OpInfo& info(Op op);
/// All rows, in the table's order.
std::span<const OpInfo> all_ops();
/// The operation of a mnemonic, or nullptr.
const OpInfo* find_mnemonic(std::string_view mnemonic);
/// The rows that share a Python name, in the table's order; empty when there is none.
std::span<const Op> overloads(std::string_view python_name);
/// A row's signature in messages: "fma(float, float, float) -> float".
std::string signature_text(const OpInfo& row);

}  // namespace enigma
