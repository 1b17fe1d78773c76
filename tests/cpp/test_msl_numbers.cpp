// Numbers: exact, and safe beside any operator.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "codegen/msl/fragment.h"
#include "support/floats.h"

using namespace enigma;
using msl::Form;
using msl::literal;

namespace {
std::string f32(float x) { return literal(DType::F32, std::bit_cast<uint32_t>(x)).text; }
std::string text(DType t, int64_t x) { return literal(t, static_cast<uint64_t>(x)).text; }
}  // namespace

TEST_CASE("float: the shortest text that gives the same bits") {
  CHECK(f32(1.5f) == "1.5f");
  CHECK(f32(1.0f) == "1.0f");
  CHECK(f32(0.1f) == "0.1f");
  CHECK(f32(-2.0f) == "-2.0f");
  CHECK(f32(-0.0f) == "-0.0f");
  CHECK(f32(1e10f) == "1e+10f");
  CHECK(f32(16777216.0f) == "16777216.0f");
  CHECK(f32(std::numeric_limits<float>::max()) == "3.4028235e+38f");
  CHECK(f32(std::numeric_limits<float>::denorm_min()) == "1e-45f");
  CHECK(f32(INFINITY) == "INFINITY");
  CHECK(f32(-INFINITY) == "-INFINITY");
  CHECK(literal(DType::F32, 0x7fc00000u).text == "as_type<float>(0x7fc00000u)");
  CHECK(literal(DType::F32, 0xffc00001u).text == "as_type<float>(0xffc00001u)");
}

TEST_CASE("half and bfloat") {
  CHECK(literal(DType::F16, 0x3800).text == "0.5h");
  CHECK(literal(DType::F16, 0x2e66).text == "0.1h");
  CHECK(literal(DType::F16, 0x7bff).text == "65504.0h");
  CHECK(literal(DType::F16, 0xbc00).text == "-1.0h");
  CHECK(literal(DType::F16, 0x0001).text == "6e-08h");
  CHECK(literal(DType::F16, 0x7c00).text == "half(INFINITY)");
  CHECK(literal(DType::F16, 0xfc00).text == "half(-INFINITY)");
  CHECK(literal(DType::F16, 0x7e00).text == "as_type<half>(ushort(0x7e00))");
  CHECK(literal(DType::BF16, 0x3dcd).text == "bfloat(0.1f)");
  CHECK(literal(DType::BF16, 0xc000).text == "bfloat(-2.0f)");
  CHECK(literal(DType::BF16, 0x7fc0).text == "as_type<bfloat>(ushort(0x7fc0))");
  // What a function computes in float takes the exact value.
  CHECK(msl::float_literal(DType::BF16, 0x3dcd).text == "0.100097656f");
  CHECK(msl::float_literal(DType::F16, 0x2e66).text == "0.099975586f");
  CHECK(msl::float_literal(DType::F16, 0x7e01).text == "as_type<float>(0x7fc02000u)");
}

TEST_CASE("every half and bfloat is read back from its text") {
  for (DType t : {DType::F16, DType::BF16}) {
    int wrong = 0;
    for (uint64_t bits = 0; bits < 0x10000; ++bits) {
      std::string s = literal(t, bits).text;
      if (s.starts_with("as_type<")) {  // NaN, by its bits
        wrong += std::stoull(s.substr(s.find("0x")), nullptr, 16) != bits;
        continue;
      }
      for (const char* around : {"bfloat(", "half("}) {
        if (s.starts_with(around)) s = s.substr(std::string_view(around).size());
      }
      bool infinite = s.find("INFINITY") != s.npos;
      double x = infinite ? (s[0] == '-' ? -INFINITY : INFINITY) : std::strtod(s.c_str(), nullptr);
      // A bfloat's text is a float first.
      if (t == DType::BF16) x = static_cast<float>(x);
      wrong += float_to_bits(t, x) != bits;
    }
    CHECK(wrong == 0);
  }
  CHECK(literal(DType::BF16, 0x5f80).text == "bfloat(1.845e+19f)");  // 1.84e+19 is nearer below
}

TEST_CASE("integers, at their ends too") {
  CHECK(text(DType::I32, 4) == "4");
  CHECK(text(DType::I32, -4) == "-4");
  CHECK(text(DType::I32, INT32_MIN) == "(-2147483647 - 1)");
  CHECK(text(DType::U32, 4) == "4u");
  CHECK(text(DType::U32, -1) == "4294967295u");
  CHECK(text(DType::I64, 4) == "4l");
  CHECK(text(DType::I64, INT64_MIN) == "(-9223372036854775807l - 1l)");
  CHECK(text(DType::U64, -1) == "18446744073709551615ul");
  CHECK(text(DType::I8, -128) == "char(-128)");
  CHECK(text(DType::U16, 65535) == "ushort(65535)");
  CHECK(text(DType::B1, 1) == "true");
  CHECK(literal(DType::I8, 0xff, Form::Promoted).text == "-1");
  CHECK(literal(DType::I32, 0xffffffff, Form::Unsigned).text == "4294967295u");
}

TEST_CASE("negative numbers beside operators") {
  msl::Frag minus = literal(DType::I32, 0xffffffff);
  CHECK(msl::as_operand(minus, msl::Prec::Additive, true) == "(-1)");
  CHECK(msl::as_operand(minus, msl::Prec::Unary, false) == "(-1)");
  CHECK(msl::as_operand(minus, msl::Prec::Multiplicative, false) == "-1");
}
