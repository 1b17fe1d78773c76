// ELF relocations of x86-64 and aarch64, as LLVM emits them for kernels.
#pragma once

#include <cstdint>
#include <span>

namespace enigma::cpu {

constexpr uint16_t kMachineX86_64 = 62;
constexpr uint16_t kMachineAArch64 = 183;

/// What a relocation needs besides its symbol's address.
enum class Needs : uint8_t {
  Nothing,
  GotSlot,    ///< the symbol's address in a word of memory that the code can reach
  CallStub,   ///< a jump that the code can reach, where the symbol lies outside the object
  LowMemory,  ///< an address below 2 GiB
};
/// Error for a type that is not known.
Needs needs_of(uint16_t machine, uint32_t type);

struct Relocation {
  uint16_t machine;
  uint32_t type;
  uint64_t place;   ///< address at which `field` will be executed or read
  uint64_t target;  ///< address of the symbol, of its GOT slot or of its call stub
  int64_t addend;
};
/// Patches the bytes that begin at the relocation's place. Error for a value that does not fit, or
/// when the field reaches past the end.
void relocate(const Relocation& r, std::span<uint8_t> field);

/// A jump to `target`, kCallStubBytes long.
constexpr size_t kCallStubBytes = 16;
void write_call_stub(uint16_t machine, uint64_t target, std::span<uint8_t> out);

}  // namespace enigma::cpu
