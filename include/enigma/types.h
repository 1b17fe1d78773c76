// Types of the IR: scalar types from dtypes.def, and what is built from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "enigma/limits.h"

namespace enigma {

enum class DType : uint8_t {
#define DTYPE(Enum, ...) Enum,
#include "enigma/dtypes.def"
};

enum class DTypeKind : uint8_t { Float, Signed, Unsigned, Bool };

/// One row of dtypes.def.
struct DTypeInfo {
  DType dtype;
  const char* mnemonic;    ///< "f32"
  const char* class_name;  ///< "Float32"
  const char* msl;         ///< "float"
  const char* numpy;       ///< "float32"
  uint8_t bits;            ///< width in memory; 8 for bool
  DTypeKind kind;
  const char* aliases;
  const char* doc;
};

inline constexpr DTypeInfo kDTypes[] = {
#define DTYPE(Enum, mnemonic, Class, msl, numpy, bits, Kind, aliases, doc) \
  {DType::Enum, #mnemonic, #Class, msl, numpy, bits, DTypeKind::Kind, aliases, doc},
#include "enigma/dtypes.def"
};
inline constexpr int kNumDTypes = sizeof(kDTypes) / sizeof(kDTypes[0]);

constexpr const DTypeInfo& info(DType t) { return kDTypes[static_cast<int>(t)]; }
constexpr bool is_float(DType t) { return info(t).kind == DTypeKind::Float; }
constexpr bool is_signed(DType t) { return info(t).kind == DTypeKind::Signed; }
constexpr bool is_unsigned(DType t) { return info(t).kind == DTypeKind::Unsigned; }
constexpr bool is_integer(DType t) { return is_signed(t) || is_unsigned(t); }
constexpr int byte_size(DType t) { return info(t).bits / 8; }
/// Whether a load or store may be of a vector of so many elements: 2 or 4, no bools, and together
/// no more than buffers are aligned to.
constexpr bool is_vector_access(DType t, uint64_t lanes) {
  return (lanes == 2 || lanes == 4) && t != DType::B1 &&
         lanes * static_cast<uint64_t>(byte_size(t)) <= kMaxVectorBytes;
}

/// The dtype that a string names (mnemonic, MSL, numpy name or alias); Error lists the known ones.
DType parse_dtype(std::string_view name);
/// The integer type of the same width with the given sign; bool and floats give the integer of
/// their width too (`unsigned_of(F32)` is U32).
DType unsigned_of(DType t);
DType signed_of(DType t);
/// The type in which two traced operands of these types meet (surface: wider integer, unsigned at
/// equal width, float beats integer, f16 with bf16 or either with f32 is f32).
DType promote(DType a, DType b);

enum class AddressSpace : uint8_t { Device, Constant, Threadgroup, Thread };

/// The type of a value: a scalar, vector or matrix of numbers, or a reference to memory.
/// Four bytes, compared bit by bit.
struct Type {
  enum class Kind : uint8_t {
    None,        ///< no value
    Value,       ///< rows x cols elements of dtype; 1x1 is a scalar, nx1 a vector of n
    SimdMatrix,  ///< 8x8 matrix that a SIMD-group holds together
    Event,       ///< an asynchronous copy under way
    Memory,      ///< a one-dimensional run of dtype in an address space
  };
  Kind kind = Kind::None;
  DType dtype = DType::F32;
  uint8_t rows = 1;  ///< for Memory: the AddressSpace
  uint8_t cols = 1;

  static constexpr Type scalar(DType t) { return {Kind::Value, t, 1, 1}; }
  static constexpr Type vector(DType t, int lanes) {
    return {Kind::Value, t, static_cast<uint8_t>(lanes), 1};
  }
  static constexpr Type matrix(DType t, int rows, int cols) {
    return {Kind::Value, t, static_cast<uint8_t>(rows), static_cast<uint8_t>(cols)};
  }
  static constexpr Type simd_matrix(DType t) { return {Kind::SimdMatrix, t, 8, 8}; }
  static constexpr Type memory(DType t, AddressSpace space) {
    return {Kind::Memory, t, static_cast<uint8_t>(space), 1};
  }

  constexpr bool is_value() const { return kind == Kind::Value; }
  constexpr bool is_scalar() const { return is_value() && rows == 1 && cols == 1; }
  constexpr bool is_vector() const { return is_value() && rows > 1 && cols == 1; }
  constexpr bool is_matrix() const { return is_value() && cols > 1; }
  constexpr bool is_memory() const { return kind == Kind::Memory; }
  constexpr bool is_simd_matrix() const { return kind == Kind::SimdMatrix; }
  constexpr int elements() const { return is_value() ? rows * cols : 0; }
  constexpr AddressSpace space() const { return static_cast<AddressSpace>(rows); }
  /// The same shape with another element type.
  constexpr Type with(DType t) const { return {kind, t, rows, cols}; }
  friend constexpr bool operator==(Type, Type) = default;
};
static_assert(sizeof(Type) == 4);

/// "f32", "vector<4xf32>", "matrix<4x4xf32>", "memref<f32, device>": the IR's spelling.
std::string to_string(Type t);

}  // namespace enigma
