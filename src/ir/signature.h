// What a row's signature means for types, shared by parser, verifier and passes.
#pragma once

#include "enigma/ir.h"

namespace enigma {

constexpr bool is_class_letter(char c) { return c >= 'A' && c <= 'Z'; }

constexpr bool is_matrix_class(char c) { return c == 'M' || c == 'Q'; }

/// Whether the fields of a type are within their ranges; a caller may have put any number there.
bool exists(Type t);
/// The type that the capitals of the row stand for, read off an instruction's operands: the first
/// capital's; the last operand's type when the row has none but gives a SIMD-group matrix.
Type shared_type(const Module& m, const Instruction& inst);
/// The class letter that a row's capitals share, 0 when it has none.
char class_of(const OpInfo& row);
/// What messages call a letter of a signature: "float", "index".
const char* letter_text(char letter);
/// What the user calls a row: "load_if" for memref.load_if, which has a function of its own.
std::string_view user_name(const OpInfo& row);
/// The types of an instruction's operands.
std::vector<Type> operand_types(const Module& m, const Instruction& inst);
/// Whether a type belongs to a class letter: F, I, B, A, V, W, M.
bool in_class(char letter, Type t);
/// Whether Metal multiplies SIMD-group matrices of these types and adds the product to one of c's.
bool can_multiply(DType a, DType b, DType c);
/// The type of the result of a row whose signature fixes it, by those of the operands; none for '-'
/// and '?', and for factors that have no product.
Type result_type(const OpInfo& row, std::span<const Type> operands, uint64_t attr = 0);
/// The number that an integer is, where it is a constant.
std::optional<int64_t> known_integer(const Module& m, ValueId v);
/// What a row reads or writes of memory: an element, or the vector of as many as the attribute of a
/// load or store says.
Type accessed(const OpInfo& row, Type memory, uint64_t attr);
/// The type of a part: the component of a vector, the column of a matrix.
Type part_type(Type whole);
/// How many parts there are.
constexpr int part_count(Type whole) { return whole.is_matrix() ? whole.cols : whole.rows; }
/// The vector or matrix of these parts, which may not exist().
Type made_of(Type part, size_t count);
/// Whether an atomic row works on memory of this type.
bool works_on(const OpInfo& row, DType t);
/// Whether an atomic may have this order: a load releases nothing, a store acquires nothing.
bool may_have(Op op, MemoryOrder order);
/// Fills Param::read and Param::written from the instructions.
void fill_param_effects(Module& m);

/// A function constant, and what stands for it in the kernel.
struct FunctionConstant {
  uint32_t index;
  DType dtype;
  InstId first;                 ///< the first instruction that asks for it
  std::vector<ValueId> values;  ///< of all such instructions
};
/// The function constants of a kernel, sorted by index.
std::vector<FunctionConstant> function_constants(const Module& m);

/// The first operation on SIMD-group matrices in a region and those inside of it; none.
InstId first_simd_matrix(const Module& m, RegionId r);

/// All bytes of threadgroup memory that the kernel allocates.
uint64_t threadgroup_bytes(const Module& m);

}  // namespace enigma
