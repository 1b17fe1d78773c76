// Relocations: one table row for each type, one way to patch for each form of field.

#include "runtime/cpu/relocate.h"

#include <cstring>

#include "enigma/error.h"
#include "support/text.h"

namespace enigma::cpu {
namespace {

// How the value is formed from target + addend (SA) and place (P), and where its bits go.
enum class Form : uint8_t {
  Word64,      // SA
  Word32,      // SA, zero-extended
  Signed32,    // SA, sign-extended
  Relative32,  // SA - P
  Relative64,
  // aarch64 instructions
  Branch26,  // (SA - P) / 4
  Branch19,
  Branch14,
  Adr21,
  AdrPage21,  // (page(SA) - page(P)) / 4096
  AddLow12,   // SA modulo 4096
  LoadLow12,  // the same, divided by the size of the access: 1 << scale
  Move16,     // 16 bits of SA, from bit 16 * scale on
};

struct Row {
  uint16_t machine;
  uint32_t type;
  Form form;
  Needs needs;
  uint8_t scale = 0;
};

constexpr Row kRows[] = {
    {kMachineX86_64, 1, Form::Word64, Needs::Nothing},           // 64
    {kMachineX86_64, 2, Form::Relative32, Needs::CallStub},      // PC32
    {kMachineX86_64, 4, Form::Relative32, Needs::CallStub},      // PLT32
    {kMachineX86_64, 9, Form::Relative32, Needs::GotSlot},       // GOTPCREL
    {kMachineX86_64, 10, Form::Word32, Needs::LowMemory},        // 32
    {kMachineX86_64, 11, Form::Signed32, Needs::LowMemory},      // 32S
    {kMachineX86_64, 24, Form::Relative64, Needs::Nothing},      // PC64
    {kMachineX86_64, 41, Form::Relative32, Needs::GotSlot},      // GOTPCRELX
    {kMachineX86_64, 42, Form::Relative32, Needs::GotSlot},      // REX_GOTPCRELX
    {kMachineAArch64, 257, Form::Word64, Needs::Nothing},        // ABS64
    {kMachineAArch64, 260, Form::Relative64, Needs::Nothing},    // PREL64
    {kMachineAArch64, 261, Form::Relative32, Needs::Nothing},    // PREL32
    {kMachineAArch64, 264, Form::Move16, Needs::Nothing, 0},     // MOVW_UABS_G0_NC
    {kMachineAArch64, 266, Form::Move16, Needs::Nothing, 1},     // MOVW_UABS_G1_NC
    {kMachineAArch64, 268, Form::Move16, Needs::Nothing, 2},     // MOVW_UABS_G2_NC
    {kMachineAArch64, 269, Form::Move16, Needs::Nothing, 3},     // MOVW_UABS_G3
    {kMachineAArch64, 273, Form::Branch19, Needs::Nothing},      // LD_PREL_LO19
    {kMachineAArch64, 274, Form::Adr21, Needs::Nothing},         // ADR_PREL_LO21
    {kMachineAArch64, 275, Form::AdrPage21, Needs::Nothing},     // ADR_PREL_PG_HI21
    {kMachineAArch64, 276, Form::AdrPage21, Needs::Nothing},     // ADR_PREL_PG_HI21_NC
    {kMachineAArch64, 277, Form::AddLow12, Needs::Nothing},      // ADD_ABS_LO12_NC
    {kMachineAArch64, 278, Form::LoadLow12, Needs::Nothing, 0},  // LDST8_ABS_LO12_NC
    {kMachineAArch64, 279, Form::Branch14, Needs::Nothing},      // TSTBR14
    {kMachineAArch64, 280, Form::Branch19, Needs::Nothing},      // CONDBR19
    {kMachineAArch64, 282, Form::Branch26, Needs::CallStub},     // JUMP26
    {kMachineAArch64, 283, Form::Branch26, Needs::CallStub},     // CALL26
    {kMachineAArch64, 284, Form::LoadLow12, Needs::Nothing, 1},  // LDST16_ABS_LO12_NC
    {kMachineAArch64, 285, Form::LoadLow12, Needs::Nothing, 2},  // LDST32_ABS_LO12_NC
    {kMachineAArch64, 286, Form::LoadLow12, Needs::Nothing, 3},  // LDST64_ABS_LO12_NC
    {kMachineAArch64, 299, Form::LoadLow12, Needs::Nothing, 4},  // LDST128_ABS_LO12_NC
    {kMachineAArch64, 311, Form::AdrPage21, Needs::GotSlot},     // ADR_GOT_PAGE
    {kMachineAArch64, 312, Form::LoadLow12, Needs::GotSlot, 3},  // LD64_GOT_LO12_NC
};

const Row& row_of(uint16_t machine, uint32_t type) {
  for (const Row& row : kRows) {
    if (row.machine == machine && row.type == type) return row;
  }
  throw Error(concat("object code has relocation type ", type, ", which is not supported"));
}

template <class T>
T load(std::span<uint8_t> field) {
  T value;
  std::memcpy(&value, field.data(), sizeof value);
  return value;
}

template <class T>
void store(std::span<uint8_t> field, T value) {
  std::memcpy(field.data(), &value, sizeof value);
}

[[noreturn]] void out_of_range(const Relocation& r) {
  throw Error(concat("object code: relocation of type ", r.type, " is out of range"));
}

// value / 2^shift must be exact and fit into `bits` signed bits.
uint32_t signed_field(const Relocation& r, int64_t value, int bits, int shift) {
  int64_t limit = int64_t{1} << (bits - 1 + shift);
  if (value < -limit || value >= limit || (value & ((int64_t{1} << shift) - 1)) != 0) {
    out_of_range(r);
  }
  return static_cast<uint32_t>(value >> shift) & ((uint32_t{1} << bits) - 1);
}

void put_bits(std::span<uint8_t> field, uint32_t bits, int count, int at) {
  uint32_t mask = ((uint32_t{1} << count) - 1) << at;
  store(field, (load<uint32_t>(field) & ~mask) | (bits << at));
}

void put_adr(std::span<uint8_t> field, uint32_t value) {
  put_bits(field, value & 3, 2, 29);
  put_bits(field, value >> 2, 19, 5);
}

}  // namespace

Needs needs_of(uint16_t machine, uint32_t type) { return row_of(machine, type).needs; }

void relocate(const Relocation& r, std::span<uint8_t> field) {
  const Row& row = row_of(r.machine, r.type);
  bool wide = row.form == Form::Word64 || row.form == Form::Relative64;
  if (field.size() < (wide ? 8 : 4)) {
    throw Error("object code: a relocation lies outside its section");
  }
  // Unsigned arithmetic wraps, so that damaged input cannot overflow.
  uint64_t address = r.target + static_cast<uint64_t>(r.addend);
  auto distance = static_cast<int64_t>(address - r.place);
  constexpr uint64_t kPage = ~uint64_t{4095};
  auto pages = static_cast<int64_t>((address & kPage) - (r.place & kPage));
  switch (row.form) {
    case Form::Word64:
      return store(field, address);
    case Form::Relative64:
      return store(field, distance);
    case Form::Word32:
      if (address > UINT32_MAX) out_of_range(r);
      return store(field, static_cast<uint32_t>(address));
    case Form::Signed32:
      if (static_cast<int64_t>(address) != static_cast<int32_t>(address)) out_of_range(r);
      return store(field, static_cast<uint32_t>(address));
    case Form::Relative32:
      if (distance != static_cast<int32_t>(distance)) out_of_range(r);
      return store(field, static_cast<uint32_t>(distance));
    case Form::Branch26:
      return put_bits(field, signed_field(r, distance, 26, 2), 26, 0);
    case Form::Branch19:
      return put_bits(field, signed_field(r, distance, 19, 2), 19, 5);
    case Form::Branch14:
      return put_bits(field, signed_field(r, distance, 14, 2), 14, 5);
    case Form::Adr21:
      return put_adr(field, signed_field(r, distance, 21, 0));
    case Form::AdrPage21:
      return put_adr(field, signed_field(r, pages, 21, 12));
    case Form::AddLow12:
      return put_bits(field, address & 4095, 12, 10);
    case Form::Move16:
      return put_bits(field, (address >> (16 * row.scale)) & 0xffff, 16, 5);
    case Form::LoadLow12: {
      uint32_t low = address & 4095;
      if ((low & ((1u << row.scale) - 1)) != 0) out_of_range(r);
      return put_bits(field, low >> row.scale, 12, 10);
    }
  }
}

void write_call_stub(uint16_t machine, uint64_t target, std::span<uint8_t> out) {
  static constexpr uint8_t kX86[8] = {0xff, 0x25, 2, 0, 0, 0, 0x0f, 0x0b};     // jmp [rip + 2]; ud2
  static constexpr uint8_t kArm[8] = {0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6};  // ldr x16; br x16
  std::memcpy(out.data(), machine == kMachineX86_64 ? kX86 : kArm, 8);
  std::memcpy(out.data() + 8, &target, 8);
}

}  // namespace enigma::cpu
