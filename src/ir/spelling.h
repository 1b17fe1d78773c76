// Words of the text form that printer and parser share.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "enigma/ops.h"

namespace enigma {

inline constexpr std::array<const char*, 5> kMemoryOrders = {"relaxed", "acquire", "release",
                                                             "acq_rel", "seq_cst"};

struct MemFlagName {
  uint8_t flag;
  const char* name;
};
inline constexpr std::array<MemFlagName, 3> kMemFlagNames = {{{kMemDevice, "mem_device"},
                                                              {kMemThreadgroup, "mem_threadgroup"},
                                                              {kMemTexture, "mem_texture"}}};

/// "mem_none", "mem_device|mem_threadgroup".
std::string mem_flags_text(uint8_t flags);

/// Characters of names of values and kernels; bytes of UTF-8 sequences are among them.
constexpr bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace enigma
