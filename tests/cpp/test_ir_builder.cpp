// The builder: its typing rules row by row, and the full text of what it refuses.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "caught.h"
#include "enigma/builder.h"
#include "ir/literal.h"
#include "ir/verify.h"

using namespace enigma;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Literal lit(int x) { return int64_t{x}; }
Literal lit(int64_t x) { return x; }
Literal lit(double x) { return x; }
Literal lit(bool x) { return x; }

// A builder with a scalar parameter of each type, called as its type.
struct Fixture {
  Builder b{"k"};
  std::vector<ValueId> scalars;
  Fixture() {
    b.set_location("k.py", 1);
    for (const DTypeInfo& row : kDTypes) scalars.push_back(b.scalar(row.mnemonic, row.dtype));
    b.set_location("k.py", 7);
  }
  Operand operator[](DType t) const { return scalars[static_cast<size_t>(t)]; }
  ValueId apply(const char* name, std::initializer_list<Operand> xs) { return b.apply(name, xs); }
  Op op(ValueId v) const { return b.module().def(v)->op; }
  std::string text(ValueId v) const { return to_string(b.type(v)); }
};

template <class F>
std::string error_of(F f) {
  const Error e = caught(f);
  CHECK(e.where().file == "k.py");
  CHECK(e.where().line == 7);
  return e.what();
}

}  // namespace

TEST_CASE("promotion of two typed operands") {
  struct Row {
    DType a, b, result;
  };
  using enum DType;
  const Row rows[] = {
      {I8, I8, I8},     {I8, U8, U8},     {I8, I16, I16},  {U8, I16, I16},   {I32, U32, U32},
      {U32, I64, I64},  {I64, U64, U64},  {U16, U16, U16}, {F32, I64, F32},  {F16, I32, F16},
      {BF16, U8, BF16}, {F16, BF16, F32}, {F16, F32, F32}, {BF16, F32, F32}, {F16, F16, F16},
      {B1, I32, I32},   {B1, F16, F16},   {U8, B1, U8},
  };
  for (const Row& row : rows) {
    Fixture f;
    CAPTURE(info(row.a).mnemonic);
    CAPTURE(info(row.b).mnemonic);
    CHECK(promote(row.a, row.b) == row.result);
    CHECK(promote(row.b, row.a) == row.result);
    ValueId v = f.apply("+", {f[row.a], f[row.b]});
    CHECK(f.b.type(v) == Type::scalar(row.result));
    CHECK(f.op(v) == (is_float(row.result) ? Op::AddF : Op::AddI));
  }
}

TEST_CASE("literals beside typed operands") {
  using enum DType;
  Fixture f;
  CHECK(f.text(f.apply("*", {f[F16], lit(2)})) == "f16");
  CHECK(f.text(f.apply("*", {lit(2.5), f[BF16]})) == "bf16");
  CHECK(f.text(f.apply("+", {f[I32], lit(0.5)})) == "f32");
  CHECK(f.text(f.apply("+", {f[U8], lit(200)})) == "u8");
  CHECK(f.text(f.apply("cmp_lt", {f[U64], lit(3)})) == "b1");
  CHECK(f.text(f.apply("+", {f[I8], lit(true)})) == "i8");
  CHECK(f.text(f.apply("+", {f[B1], lit(3)})) == "i32");
  CHECK(f.op(f.apply("&", {f[B1], lit(true)})) == Op::AndB);
  CHECK(f.op(f.apply("&", {f[B1], f[B1]})) == Op::AndB);
  CHECK(f.op(f.apply("pow", {f[I32], lit(2)})) == Op::PowI);
  CHECK(f.op(f.apply("pow", {f[I32], lit(0.5)})) == Op::PowF);
  CHECK(f.op(f.apply("pow", {f[F32], lit(2)})) == Op::PowF);
  CHECK(f.op(f.apply("abs", {f[I16]})) == Op::AbsI);
  CHECK(f.text(f.apply("fma", {f[F16], lit(2), f[F16]})) == "f16");
  // All literals: by fit, and floats where the row takes no integer.
  CHECK(f.text(f.apply("+", {lit(1), lit(2)})) == "i32");
  CHECK(f.text(f.apply("+", {lit(1), lit(int64_t{1} << 31)})) == "u32");
  CHECK(f.text(f.apply("+", {lit(-1), lit(int64_t{1} << 31)})) == "i64");
  CHECK(f.text(f.apply("sqrt", {lit(2)})) == "f32");
  CHECK(f.text(f.apply("+", {lit(1), lit(2.5)})) == "f32");
  // Where a value may wrap, either sign will do.
  ValueId v = f.apply("+", {f[U32], lit(-1)});
  CHECK(f.b.module().def(f.b.module().def(v)->operands[1])->attr == 0xFFFFFFFFu);
  CHECK(f.text(f.apply("&", {f[I32], lit(int64_t{0xFFFFFFFF})})) == "i32");
  CHECK(f.text(f.apply("where", {f[F16], lit(1), f[B1]})) == "f16");
  CHECK(f.text(f.apply("where", {f[B1], lit(true), f[B1]})) == "b1");
  CHECK(f.text(f.apply("simd_shuffle", {f[I8], f[I64]})) == "i8");
  CHECK(broken_rules(f.b.module()).empty());
}

TEST_CASE("constants alone") {
  Builder b("k");
  auto check = [&](Literal x, const char* type, uint64_t bits) {
    ValueId v = b.constant(x);
    CHECK(to_string(b.type(v)) == type);
    CHECK(b.module().def(v)->attr == bits);
  };
  check(lit(-1), "i32", 0xFFFFFFFFu);
  check(lit(int64_t{1} << 31), "u32", 0x80000000u);
  check(lit(int64_t{1} << 32), "i64", uint64_t{1} << 32);
  check(uint64_t{1} << 63, "u64", uint64_t{1} << 63);
  check(lit(0.1), "f32", 0x3DCCCCCDu);
  check(lit(kInf), "f32", 0x7F800000u);
  check(lit(-0.0), "f32", 0x80000000u);
  check(lit(true), "b1", 1);
  // Typed: rounded once, integers read with either sign.
  auto bits = [&](DType t, Literal x) { return b.module().def(b.constant(t, x))->attr; };
  CHECK(bits(DType::F16, lit(65504.0)) == 0x7BFF);
  CHECK(bits(DType::F16, lit(5.960464477539063e-08)) == 1);
  CHECK(bits(DType::F16, lit(2.980232238769531e-08)) == 0);  // a tie, to even
  CHECK(bits(DType::F16, lit(1.00048828125)) == 0x3C00);     // a tie, to even
  CHECK(bits(DType::F16, lit(std::nextafter(1.00048828125, 2.0))) == 0x3C01);
  CHECK(bits(DType::BF16, lit(1.0)) == 0x3F80);
  CHECK(bits(DType::F32, lit((int64_t{1} << 60) + (int64_t{1} << 36) + 1)) == 0x5D800001u);
  CHECK(bits(DType::F32, lit((int64_t{1} << 60) + (int64_t{1} << 36))) == 0x5D800000u);
  CHECK(bits(DType::U8, lit(-1)) == 255);
  CHECK(bits(DType::I8, lit(255)) == 255);
  CHECK(bits(DType::I32, lit(-2.9)) == 0xFFFFFFFEu);
  CHECK_THROWS_AS(b.constant(DType::I8, lit(256)), Error);
  CHECK_THROWS_AS(b.constant(DType::U8, lit(-129)), Error);
  CHECK_THROWS_AS(b.constant(DType::F16, lit(65520.0)), Error);
  CHECK_THROWS_AS(b.constant(DType::I32, lit(kInf)), Error);
  CHECK_THROWS_AS(b.constant(lit(1e300)), Error);
}

TEST_CASE("what operations refuse") {
  using enum DType;
  Fixture f;
  ValueId buf = f.b.buffer("A", F32);
  struct Row {
    std::string text;
    const char* name;
    std::vector<Operand> operands;
  };
  const Row rows[] = {
      {"sqrt takes floats, not i32 (i32): sqrt(float) -> float; write metal_cast(x, \"float\")",
       "sqrt",
       {f[I32]}},
      {"imin takes integers, not f32 (f32) and the literal 1: imin(integer, integer) -> "
       "integer; write metal_cast(x, \"int\")",
       "imin",
       {f[F32], lit(1)}},
      {"+ takes floats or integers, not b1 (b1) and b1 (b1): +(float, float) -> float, "
       "+(integer, integer) -> integer; write metal_cast(x, \"int\")",
       "+",
       {f[B1], f[B1]}},
      {"the literal 300 does not fit i8, the type of the operand beside it; convert that operand "
       "first: metal_cast(x, \"int\")",
       "+",
       {f[I8], lit(300)}},
      {"the literal -1 does not fit u32, the type of the operand beside it; convert that operand "
       "first: metal_cast(x, \"long\")",
       "cmp_gt",
       {f[U32], lit(-1)}},
      {"the literal 1e+39 does not fit f32; write float(\"inf\") where infinity is meant",
       "+",
       {f[F32], lit(1e39)}},
      {"where takes a condition, i32 (i32) was given: where(any, any, bool) -> any; write i32 != 0",
       "where",
       {f[F32], f[F32], f[I32]}},
      {"A is a buffer, not a value; read an element of it: A[i]", "+", {buf, lit(1)}},
      {"fma takes 3 operands, 2 were given: fma(float, float, float) -> float",
       "fma",
       {f[F32], f[F32]}},
      {"simd_shuffle takes a uint here, f32 (f32) was given: simd_shuffle(any, uint) -> any; write "
       "metal_cast(x, \"uint\")",
       "simd_shuffle",
       {f[F32], f[F32]}},
  };
  for (const Row& row : rows) {
    CHECK(error_of([&] { f.b.apply(row.name, row.operands); }) == row.text);
  }
  ValueId f32 = std::get<ValueId>(f[F32]);
  CHECK(
      error_of([&] { f.b.store(f32, lit(0), lit(1)); }) ==
      "f32 is a scalar parameter, not a buffer: it is read as it is, without an index, and cannot "
      "be written; annotate it with f32 to make it a buffer");
  CHECK(error_of([&] { f.b.load(buf, lit(-1)); }) ==
        "the index -1 is negative; indices count from 0");
  CHECK(error_of([&] { f.b.load(buf, f[F32]); }) ==
        "an index is an integer, f32 (f32) was given; write metal_cast(i, \"uint\")");
  CHECK(error_of([&] { f.b.as_type(f[F32], I16); }) ==
        "as_type keeps the bits, so both types have the same width; f32 (f32) has 32 bits and i16 "
        "has "
        "16: as_type(any, dtype) -> dtype; metal_cast(x, dtype) converts the value");
  CHECK(error_of([&] { f.b.begin_if(f[I32]); }) ==
        "if_ takes a condition, i32 (i32) was given; write i32 != 0");
  CHECK(error_of([&] { f.b.begin_for(lit(0), lit(4), lit(0), I32, {}); }) ==
        "the step of a loop is 0, so that it would never end; give a step other than 0");
  CHECK(error_of([&] { f.b.begin_for(lit(4), lit(0), lit(-1), U32, {}); }) ==
        "the step of the loop, -1, does not fit its index type u32; give for_range another dtype, "
        "such as \"int\"");
  CHECK(error_of([&] { f.b.begin_for(lit(0), f[F32], lit(1), I32, {}); }) ==
        "the end of a loop is an integer, f32 (f32) was given; write metal_cast(x, \"int\")");
  const std::vector<Operand> value{lit(1)};
  CHECK(error_of([&] { f.b.atomic(Op::AtomicAnd, buf, lit(0), value); }) ==
        "atomic_fetch_and works on memory of int or uint, A (memref<f32, device>) was given; Metal "
        "has no such atomics of other types");
  ValueId half = f.b.buffer("H", DType::F16);
  CHECK(
      error_of([&] { f.b.atomic(Op::AtomicAdd, half, lit(0), value); }) ==
      "atomic_fetch_add works on memory of int, uint or float, H (memref<f16, device>) was given; "
      "Metal has no such atomics of other types");
  CHECK(error_of([&] { f.b.atomic(Op::AtomicLoad, buf, lit(0), {}, MemoryOrder::AcqRel); }) ==
        "atomic_load cannot have the order acq_rel: it is one of relaxed, acquire and seq_cst");
  CHECK(error_of([&] { f.b.atomic(Op::AtomicStore, buf, lit(0), value, MemoryOrder::Acquire); }) ==
        "atomic_store cannot have the order acquire: it is one of relaxed, release and seq_cst");
  ValueId shared = f.b.threadgroup_alloc(F32, 8000);
  f.b.set_name(shared, "tile");
  CHECK(error_of([&] { f.b.threadgroup_alloc(F32, 193); }) ==
        "threadgroup memory is limited to 32768 bytes; 193 x f32 is 772 bytes, and 32000 bytes are "
        "allocated already");
  CHECK(error_of([&] { f.b.load(shared, lit(8000)); }) ==
        "the index 8000 is outside of tile, which has 8000 elements");
  CHECK(error_of([&] { f.b.threadgroup_alloc(F32, 0); }) ==
        "threadgroup_alloc takes a positive number of elements, 0 was given");
  CHECK(f.b.depth() == 0);
  f.b.threadgroup_alloc(F32, 192);
  CHECK(broken_rules(f.b.module()).empty());
  Fixture g;
  for (int k = 0; k < 31 - kNumDTypes; ++k) g.b.buffer("p" + std::to_string(k), F32);
  CHECK(
      error_of([&] { g.b.buffer("more", F32); }) ==
      "a kernel takes at most 31 parameters; more is one more: pass several values in one buffer");
}

TEST_CASE("comparisons that the types make constant warn once") {
  using enum DType;
  Fixture f;
  for (int k = 0; k < 3; ++k) f.apply("cmp_lt", {f[U32], lit(0)});
  f.apply("cmp_le", {lit(0), f[U8]});
  f.apply("cmp_gt", {f[I8], lit(127)});
  f.apply("cmp_lt", {f[I32], lit(0)});
  f.apply("cmp_le", {f[U32], lit(0)});
  f.apply("cmp_ult", {f[I32], lit(0)});
  REQUIRE(f.b.warnings().size() == 4);
  CHECK(f.b.warnings()[0].first ==
        "this comparison is always false: u32 (u32) is unsigned and never below 0");
  CHECK(f.b.warnings()[0].second.line == 7);
  CHECK(f.b.warnings()[1].first ==
        "this comparison is always true: u8 (u8) is unsigned and never below 0");
  CHECK(f.b.warnings()[2].first ==
        "this comparison is always false: i8 (i8) cannot be greater than the constant");
}

TEST_CASE("a bound wider than the index warns") {
  Fixture f;
  f.b.begin_for(lit(0), f[DType::I64], lit(1), DType::I32, {});
  f.b.end_for({});
  REQUIRE(f.b.warnings().size() == 1);
  CHECK(f.b.warnings()[0].first ==
        "the end of the loop, i64 (i64), is cut to the 32 bits of the loop's index; give for_range "
        "dtype=\"long\"");
}

TEST_CASE("values stay in their regions") {
  Fixture f;
  auto loop = f.b.begin_for(lit(0), lit(4), lit(1), DType::I32, {});
  f.b.set_name(loop.index, "i");
  ValueId t = f.apply("+", {loop.index, lit(1)});
  f.b.set_name(t, "t");
  f.b.end_for({});
  CHECK(error_of([&] { f.apply("+", {t, lit(1)}); }) ==
        "t is assigned inside the loop at line 7; give it a value before it");
  CHECK(error_of([&] { f.apply("+", {loop.index, lit(1)}); }) ==
        "i counts the loop at line 7 and has no value outside it; give another name a value before "
        "the loop and set it inside");
  f.b.begin_if(f[DType::B1]);
  ValueId u = f.apply("+", {f[DType::I32], lit(1)});
  f.b.begin_else();
  CHECK(error_of([&] { f.apply("+", {u, lit(1)}); }) ==
        "a value is assigned inside the if_ at line 7; give it a value before it");
  f.b.end_if({}, {});
  CHECK(error_of([&] { f.apply("+", {ValueId{9999}, lit(1)}); }) ==
        "a value is used that belongs to another kernel, or to a region whose tracing failed");
}

TEST_CASE("carried values") {
  using enum DType;
  Fixture f;
  auto run = [&](Operand init, Operand next) {
    Operand inits[] = {init};
    auto loop = f.b.begin_for(lit(0), lit(4), lit(1), I32, inits);
    f.b.set_name(loop.args[0], "acc");
    Operand nexts[] = {next};
    return f.b.end_for(nexts)[0];
  };
  CHECK(f.text(run(lit(0), f[I8])) == "i32");
  CHECK(f.text(run(lit(0.0), f[F16])) == "f32");
  CHECK(f.text(run(lit(0.0), f[I32])) == "f32");
  CHECK(f.text(run(f[I8], f[F32])) == "i8");  // a typed value converts
  CHECK(f.text(run(f[F16], lit(2))) == "f16");
  const char* kLine = " in the loop; write enigma.";
  CHECK(error_of([&] { run(lit(0), f[F32]); }) ==
        std::string("acc starts as the int literal 0 (i32) but becomes f32") + kLine +
            "f32(0) before the loop");
  f.b.abandon();
  CHECK(error_of([&] { run(lit(0), f[U32]); }) ==
        std::string("acc starts as the int literal 0 (i32) but becomes u32") + kLine +
            "u32(0) before the loop");
  f.b.abandon();
  CHECK(error_of([&] { run(lit(0), lit(0.5)); }) ==
        std::string("acc starts as the int literal 0 (i32) but becomes f32") + kLine +
            "f32(0) before the loop");
  f.b.abandon();
  const ValueId column = f.b.make_vec({1.0, 2.0});
  CHECK(error_of([&] { run(lit(0.0), f.b.make_matrix({column, column})); }) ==
        std::string("acc starts as the float literal 0.0 (f32) but becomes matrix<2x2xf32>") +
            kLine + "make_matrix(...), which takes the columns, before the loop");
  f.b.abandon();
  CHECK(f.b.depth() == 0);
  CHECK(broken_rules(f.b.module()).empty());
}

TEST_CASE("results of both arms meet in one type") {
  using enum DType;
  Fixture f;
  auto run = [&](Operand then, Operand otherwise) {
    f.b.begin_if(f[B1]);
    Operand a[] = {then}, b[] = {otherwise};
    return f.text(f.b.end_if(a, b)[0]);
  };
  CHECK(run(f[I32], f[F16]) == "f16");
  CHECK(run(f[I8], lit(1)) == "i8");
  CHECK(run(lit(0.5), f[I8]) == "f32");
  CHECK(run(lit(1), lit(2)) == "i32");
  CHECK(run(f[B1], lit(true)) == "b1");
  // Values of the arms themselves, converted in their own arm.
  f.b.begin_if(f[B1]);
  ValueId x = f.apply("+", {f[I32], lit(1)});
  f.b.begin_else();
  ValueId y = f.apply("+", {f[F32], lit(1)});
  Operand a[] = {x}, b[] = {y};
  CHECK(f.text(f.b.end_if(a, b)[0]) == "f32");
  Module m = f.b.finish();
  CHECK(broken_rules(m) == std::vector<std::string>{});
}

TEST_CASE("abandoned regions leave nothing") {
  Fixture f;
  const std::string before = print(f.b.module());
  f.b.begin_if(f[DType::B1]);
  auto loop = f.b.begin_for(lit(0), lit(4), lit(1), DType::I32, {});
  f.apply("+", {loop.index, lit(1)});
  f.b.threadgroup_alloc(DType::F32, 16);
  f.b.abandon();
  CHECK(f.b.depth() == 0);
  CHECK(print(f.b.module()) == before);
  f.apply("+", {f[DType::I32], lit(1)});
  CHECK(broken_rules(f.b.finish()).empty());
}

TEST_CASE("vectors broadcast scalars") {
  Builder b("k");
  ValueId x = b.scalar("x", DType::F32);
  ValueId v = b.convert(x, Type::vector(DType::F32, 4));
  auto add = [&](Operand a, Operand c) { return b.apply("+", std::array{a, c}); };
  CHECK(to_string(b.type(add(v, x))) == "vector<4xf32>");
  CHECK(to_string(b.type(add(lit(1), v))) == "vector<4xf32>");
  ValueId less = b.apply("cmp_lt", std::array<Operand, 2>{v, lit(0)});
  CHECK(to_string(b.type(less)) == "vector<4xb1>");
  ValueId w = b.apply("where", std::array<Operand, 3>{x, v, b.constant(lit(true))});
  CHECK(to_string(b.type(w)) == "vector<4xf32>");
  ValueId pair = b.convert(x, Type::vector(DType::F32, 2));
  CHECK_THROWS_WITH_AS(add(v, pair),
                       "+ takes vectors of one size, vector<4xf32> and vector<2xf32> were given",
                       Error);
  CHECK(broken_rules(b.finish()) == std::vector<std::string>{});
}

TEST_CASE("dtype names") {
  CHECK(parse_dtype("float") == DType::F32);
  CHECK(parse_dtype("uint16") == DType::U16);
  CHECK(parse_dtype("i1") == DType::B1);
  for (const char* bad : {"", "f", "float ", "int128"}) CHECK_THROWS_AS(parse_dtype(bad), Error);
  CHECK_THROWS_WITH_AS(
      parse_dtype("f64"),
      "unknown dtype \"f64\"; the known ones are f32 (float or float32), f16 (half or float16), "
      "bf16 "
      "(bfloat or bfloat16), i8 (char or int8), i16 (short or int16), i32 (int or int32), i64 "
      "(long "
      "or int64), u8 (uchar or uint8), u16 (ushort or uint16), u32 (uint or uint32), u64 (ulong or "
      "uint64), b1 (bool)",
      Error);
}
