// The conversion from float to bfloat that clang calls for and older libgcc lack.
#if defined(__x86_64__)
extern "C" __bf16 __truncsfbf2(float x) {
  unsigned bits = __builtin_bit_cast(unsigned, x);
  if (x != x) {
    bits |= 0x400000u;  // stays a NaN
  } else {
    bits += 0x7fffu + (bits >> 16 & 1);
  }
  return __builtin_bit_cast(__bf16, static_cast<unsigned short>(bits >> 16));
}
#endif
