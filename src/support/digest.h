// A name for a content: 128 bits that are the same in every process.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace enigma {

/// 32 hexadecimal digits. It tells contents apart, and finds damage; it is no signature.
inline std::string digest(std::string_view content) {
  uint64_t a = 0xcbf29ce484222325 ^ content.size(), b = 0x9e3779b97f4a7c15;
  auto take = [&](uint64_t word) {
    a = (a ^ word) * 0x9fb21c651e98df25;
    a ^= a >> 32;
    b = (std::rotl(b, 29) + word) * 0xff51afd7ed558ccd;
    b ^= b >> 29;
  };
  uint64_t word = 0;
  for (; content.size() >= sizeof word; content.remove_prefix(sizeof word)) {
    std::memcpy(&word, content.data(), sizeof word);
    take(word);
  }
  word = 0;
  std::memcpy(&word, content.data(), content.size());
  take(word);
  take(a ^ std::rotl(b, 32));
  std::string hex;
  for (uint64_t half : {a, b}) {
    for (int shift = 60; shift >= 0; shift -= 4) hex += "0123456789abcdef"[half >> shift & 15];
  }
  return hex;
}

}  // namespace enigma
