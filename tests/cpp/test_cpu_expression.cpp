// Expressions of rows in the cpu column: how they are read, and the code that they become.
#include <doctest/doctest.h>

#include <string>

#include "codegen/cpu/expression.h"
#include "codegen/cpu/table.h"

using namespace enigma;
using namespace enigma::cpu;

namespace {

/// Writes an expression with all its calls spelled out.
struct Speller {
  using Value = std::string;
  Value number(std::string_view text) { return std::string(text); }
  Value operand(size_t k) { return concat("$", k); }
  Value apply(std::string_view name, std::span<const Value> values) {
    Text t;
    t.add(name, "(");
    for (const Value& v : values) t.add(&v == values.data() ? "" : " ", v);
    return t.add(")").str();
  }
};

std::string spelled(std::string_view text) {
  Speller speller;
  return ExpressionReader<Speller>(text, speller).read();
}

std::string lowered(Op op, DType t, int lanes) {
  Text text(0);
  Expr e(text);
  MapArgs args{{}, t};
  for (size_t k = 0; k < info(op).operands.size(); ++k) {
    args.x[k] = {&e, concat("%x", k), elem_of(t), lanes};
  }
  lower(e, op, args);
  return text.str();
}

}  // namespace

TEST_CASE("operators bind as in C, calls and brackets hold together") {
  CHECK(spelled("$0 - $1 - $2") == "-(-($0 $1) $2)");
  CHECK(spelled("$0 + $1 * $2") == "+($0 *($1 $2))");
  CHECK(spelled("($0 + $1) * $2") == "*(+($0 $1) $2)");
  CHECK(spelled("$0 | $1 ^ $2 & $3 << 1") == "|($0 ^($1 &($2 <<($3 1))))");
  CHECK(spelled("-$0 * $1") == "*(neg($0) $1)");
  CHECK(spelled("- (fma($0, -2, inf))") == "neg(fma($0 -2 inf))");
  CHECK(spelled("exp2(log2($0)*1.5e-3)") == "exp2(*(log2($0) 1.5e-3))");
}

TEST_CASE("what is no expression is refused") {
  for (std::string_view text :
       {"", "$", "$0 +", "($0", "sqrt($0", "sqrt", "$0 $1", "f($0,$0,$0,$0,$0)", "$0)", "#"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(spelled(text), const char*);
  }
}

TEST_CASE("an expression is the code of its rows, and numbers take the type beside them") {
  CHECK(lowered(Op::Saturate, DType::F32, 1) ==
        "%v0 = call float @llvm.maxnum.f32(float 0x0000000000000000, float %x0)\n"
        "%v1 = call float @llvm.minnum.f32(float 0x3FF0000000000000, float %v0)\n");
  CHECK(lowered(Op::ClampI, DType::U8, 32).find("@llvm.umin.v32i8(") != std::string::npos);
  CHECK(lowered(Op::ClampI, DType::I64, 1).find("@llvm.smin.i64(") != std::string::npos);
  CHECK(lowered(Op::NotB, DType::B1, 1) == "%v0 = xor i1 %x0, true\n");
  CHECK(lowered(Op::NotI, DType::I16, 32) == "%v0 = xor <32 x i16> %x0, splat (i16 -1)\n");
}

TEST_CASE("in an expression a narrow float is f32: the result alone is rounded, by the caller") {
  CHECK(lowered(Op::Mix, DType::F16, 1) ==
        "%v0 = fsub float %x1, %x0\n"
        "%v1 = call float @llvm.fma.f32(float %v0, float %x2, float %x0)\n");
}

TEST_CASE("only a template counts as one instruction") {
  CHECK(is_instruction(Op::AddF));
  CHECK(is_instruction(Op::MinF));
  CHECK(!is_instruction(Op::Clamp));
  CHECK(!is_instruction(Op::Exp));
}
